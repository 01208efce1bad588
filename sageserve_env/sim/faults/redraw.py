"""Faults to come drawn anew from now on, for a future that is not the true one."""

from __future__ import annotations

import math
from typing import Any

from sageserve_env.compile import entry_point, kernel
from sageserve_env.sim.events import schedule
from sageserve_env.sim.faults.draws import uniform_at
from sageserve_env.sim.faults.events import draw_next, schedule_next
from sageserve_env.sim.state import EVICTION, OUTAGE_DRAWN, UP, Sim
from sageserve_env.workload.drawn.rng import FORK


@entry_point
def redraw_faults(seed: int, *arrays: Any) -> None:
    """Give the faults and lead times to come other random numbers; ``arrays`` are those of :class:`Sim`.

    What has begun stays: a VM or region that is down, an eviction that was announced, an instance on its way. Planned faults stay.
    """
    redraw(Sim(*arrays), seed)


@kernel
def redraw(s: Sim, seed: int) -> None:
    """The work of :func:`redraw_faults`."""
    s.clock[0].fault_seed = seed
    for place in range(s.fault.shape[0]):
        if s.fault[place].kind <= OUTAGE_DRAWN and s.fault[place].phase == UP:
            draw_later(s, place)
    if s.fault.shape[0] > 0:
        schedule_next(s)


@kernel
def draw_later(s: Sim, place: int) -> None:
    """When a source that is up now goes down, given how long it has been up without notice."""
    source, law, now_s = s.fault[place], s.fault_law[s.fault[place].kind], s.clock[0].now_s
    since_s = source.up_s
    draw_next(s, place, now_s)
    if law.rate > 0.0:  # without memory
        return
    notice_s = s.settings[0].eviction_notice_s if source.kind == EVICTION else 0.0
    down_s = source.end_s - source.start_s
    source.up_s = since_s
    source.start_s = since_s + longer_than(s, place, now_s - since_s + notice_s, law.up_mu, law.up_sigma)
    source.end_s = source.start_s + down_s
    schedule(s.fault_event, place, max(source.start_s - notice_s, now_s))


@kernel
def longer_than(s: Sim, place: int, least_s: float, mu: float, sigma: float) -> float:
    """A log-normal time, given that it is more than ``least_s``: its tail by Robert's method (1995)."""
    tail = -math.inf if sigma == 0.0 or least_s <= 0.0 else (math.log(least_s) - mu) / sigma
    slope = (tail + math.sqrt(tail * tail + 4.0)) / 2.0 if tail > 0.0 else 1.0
    draw = 0
    while True:
        first, second = uniform_at(s, FORK, place, draw), uniform_at(s, FORK, place, draw + 1)
        draw += 2
        if tail > 0.0:
            normal = tail - math.log(first) / slope
            is_good = second < math.exp(-0.5 * (normal - slope) ** 2)
        else:
            normal = math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)
            is_good = normal > tail
        if is_good:
            return max(math.exp(mu + sigma * normal), least_s)
