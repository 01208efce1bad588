"""LT-U (paper section 6): the program's plan is a target, and utilization says when to move towards it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.long_term.policy import Bounds, LongTermPolicy, toward
from baselines.thresholds import set_thresholds
from sageserve_env.scenarios import Scenario
from sageserve_env.sim.readout.telemetry import Telemetry


@dataclass
class LtU(LongTermPolicy):
    """Long-term, by utilization: an endpoint moves out only while it is busy, in only while it is idle, never past its target.

    Busy and idle are utilizations at which the simulator's tick moves one instance. Low ones let an endpoint keep what its target
    allows.

    Attributes:
        scale_out_utilization: Above it an endpoint is busy, 0 to 1; the paper: 0.7. None: the world's.
        scale_in_utilization: Below it it is idle, 0 to 1; the paper: 0.3. None: the world's.

    Other options: see :class:`baselines.long_term.policy.LongTermPolicy`.
    """

    name: ClassVar[str] = "lt-u"

    scale_out_utilization: float | None = None
    scale_in_utilization: float | None = None

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """See :meth:`baselines.long_term.policy.LongTermPolicy.reset`."""
        super().reset(scenario, rng)
        names = "scale_out_utilization", "scale_in_utilization"
        set_thresholds(self._knobs, {name: getattr(self, name) for name in names})

    def bounds(self, telemetry: Telemetry, target: Bounds) -> tuple[Bounds, Bounds]:
        """From the present count to the target."""
        return toward(target, telemetry, self._least)
