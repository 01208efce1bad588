"""LT-UA (paper section 6): LT-U, which mistrusts a forecast that has turned out far off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.forecast import HOUR_S
from baselines.long_term.lt_u import LtU
from baselines.long_term.policy import Bounds
from sageserve_env.evaluation.ranges import Range
from sageserve_env.scenarios import Scenario
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require, require_within

MOST_FACTOR = 1e6


@dataclass
class LtUa(LtU):
    """Long-term, by utilization and aware of error: late in the hour, traffic far off its forecast lifts the target.

    Where the observed traffic is at least ``out_factor`` times the forecast, an endpoint may go on scaling out past its target, to
    the region's VMs; where it is at most ``in_factor`` times, it may go on scaling in, to the least number of instances. Observed
    is the mean of the interactive input tokens/s from the region over the last ``observed_s`` (the paper does not say over what;
    an assumption); the forecast is the hour's maximum, which the target was made for.

    Attributes:
        out_factor: The paper: 5.
        in_factor: The paper: 0.5.
        late_s: The last seconds of each hour in which this holds; the paper: 20 minutes.
        observed_s: Seconds over which traffic is observed.

    Other options: see :class:`baselines.long_term.lt_u.LtU`.
    """

    name: ClassVar[str] = "lt-ua"
    TUNABLE: ClassVar[dict[str, Range]] = {
        **LtU.TUNABLE,
        "out_factor": Range(1.0, 5.0, is_log=True),
        "in_factor": Range(0.1, 0.9),
        "late_s": Range(0.0, 3600.0),
    }

    out_factor: float = 5.0
    in_factor: float = 0.5
    late_s: float = 1200.0
    observed_s: float = 300.0

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """See :meth:`baselines.long_term.lt_u.LtU.reset`."""
        for name in ("in_factor", "out_factor"):
            require_within(name, getattr(self, name), 0, MOST_FACTOR, "a factor")
        require(self.out_factor > self.in_factor, "out_factor", self.out_factor, f"is not above in_factor = {self.in_factor}")
        require_within("late_s", self.late_s, 0, HOUR_S, "seconds")
        require_within("observed_s", self.observed_s, 1, HOUR_S, "seconds")
        super().reset(scenario, rng)

    def bounds(self, telemetry: Telemetry, target: Bounds) -> tuple[Bounds, Bounds]:
        """LT-U's, with caps lifted and floors lowered where the forecast was far off."""
        floor, cap = super().bounds(telemetry, target)
        if telemetry.now_s - self.plans[-1].start_s < HOUR_S - self.late_s:
            return floor, cap
        observed = self._traffic.interactive_rate(telemetry.now_s - self.observed_s, telemetry.now_s).ravel()
        forecast = self.plans[-1].forecast.point.max(axis=1)
        higher = ((observed >= self.out_factor * forecast) & (observed > forecast))[:, None]  # silence, foreseen, is not higher
        lower = (observed <= self.in_factor * forecast)[:, None]
        return np.where(lower, np.minimum(floor, self._least), floor), np.where(higher, np.maximum(cap, self._most), cap)
