"""Random times by their place in a stream: (seed, purpose, index) is a stream, and draws do not depend on those before them."""

from __future__ import annotations

import math

from numba import uint64

from sageserve_env.compile import kernel
from sageserve_env.sim.state import Sim
from sageserve_env.workload.drawn.rng import LEAD_TIMES, SPOT_LEAVES, word_at


@kernel
def uniform_at(s: Sim, purpose: int, index: int, place: int) -> float:
    """A uniform number in (0, 1): 53 bits, centred in their cell."""
    return ((word_at(s.clock[0].fault_seed, purpose, index, place) >> uint64(11)) + 0.5) * 1.1102230246251565e-16


@kernel
def exponential_at(s: Sim, purpose: int, index: int, draw: int, rate: float) -> float:
    """An exponential time of ``rate`` a second. A draw takes two places of its stream, whatever its law."""
    return -math.log(uniform_at(s, purpose, index, 2 * draw)) / rate


@kernel
def log_normal_at(s: Sim, purpose: int, index: int, draw: int, mu: float, sigma: float) -> float:
    """A log-normal time (Box and Muller, 1958)."""
    radius = math.sqrt(-2.0 * math.log(uniform_at(s, purpose, index, 2 * draw)))
    return math.exp(mu + sigma * radius * math.cos(2.0 * math.pi * uniform_at(s, purpose, index, 2 * draw + 1)))


@kernel
def lead_time_s(s: Sim, vm: int, median_s: float) -> float:
    """Seconds until a VM that is taken from spot serves: its customer leaves, then it is set up."""
    settings, draw = s.settings[0], s.instance[vm].taken
    seconds = median_s
    if settings.lead_time_sigma > 0.0:
        seconds *= log_normal_at(s, LEAD_TIMES, vm, draw, 0.0, settings.lead_time_sigma)
    if settings.spot_leave_mu > -math.inf:
        seconds += log_normal_at(s, SPOT_LEAVES, vm, draw, settings.spot_leave_mu, settings.spot_leave_sigma)
    return seconds
