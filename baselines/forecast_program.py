"""The paper's forecast and integer program, planned again and again for as far as a lead time makes one look ahead."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np

from baselines.forecast import HOUR_S, Forecaster
from baselines.long_term.policy import Bounds, LongTermPolicy
from sageserve_env.evaluation.ranges import Range
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require_within


@dataclass
class ForecastProgramPolicy(LongTermPolicy):
    """Targets for the greatest demand from now to ``lookahead_s``, planned anew every ``replan_s``, applied at once.

    LT-I plans a full hour at each full hour; this one plans only as far as instances need to be started ahead, so that a fleet is
    there when a recurring peak comes and gone soon after it. The program is the same, with a factor of head-room on the demand.

    Attributes:
        lookahead_s: How far ahead demand counts, at most an hour; None: the world's time to redeploy a spot VM, and ``replan_s``.
        replan_s: Seconds between two plans, at least a control interval.

    Other options: see :class:`baselines.long_term.policy.LongTermPolicy`; by default the forecaster is ``recurring``, in windows of
    300 s.
    """

    name: ClassVar[str] = "forecast-program"
    TUNABLE: ClassVar[dict[str, Range]] = {
        **LongTermPolicy.TUNABLE,
        "lookahead_s": Range(300.0, HOUR_S),
    }

    forecaster: str | Forecaster = "recurring"
    window_s: float = 300.0
    head_room: float = 1.2
    lookahead_s: float | None = None
    replan_s: float = 300.0

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """See :meth:`baselines.long_term.policy.LongTermPolicy.reset`."""
        require_within("replan_s", self.replan_s, scenario.control_interval_s, HOUR_S, "seconds")
        if self.lookahead_s is not None:
            require_within("lookahead_s", self.lookahead_s, 1.0, HOUR_S, "seconds")
        super().reset(scenario, rng)
        lead_s = self._world.lead_times.redeploy_s + self.replan_s
        self._ahead_s = min(lead_s, HOUR_S) if self.lookahead_s is None else self.lookahead_s
        self._next_plan_s = 0.0

    def decide(self, telemetry: Telemetry) -> Knobs:
        """Plan where it is time to."""
        self._traffic.see(telemetry)
        if telemetry.now_s >= self._next_plan_s:
            self._next_plan_s = telemetry.now_s + self.replan_s
            start_s = self.window_s * int(
                telemetry.now_s / self.window_s + 1e-9
            )  # forecasts begin where the last whole window ends
            self._plan(start_s, telemetry, ceil((telemetry.now_s + self._ahead_s - start_s) / self.window_s))
        return self.knobs_now(telemetry)

    def bounds(self, telemetry: Telemetry, target: Bounds) -> tuple[Bounds, Bounds]:
        """The target."""
        return target, target
