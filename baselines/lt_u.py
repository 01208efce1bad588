"""LT-U (paper section 6): the program's plan is a target, and utilization says when to move towards it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baselines.long_term import Bounds, LongTermPolicy, toward
from sageserve_env.sim.telemetry import Telemetry


@dataclass
class LtU(LongTermPolicy):
    """Long-term, by utilization: an endpoint moves out only while it is busy, in only while it is idle, never past its target.

    Busy and idle are the world's thresholds (the paper: above 70 %, below 30 %), at which the simulator's tick moves one instance.

    Options: see :class:`baselines.long_term.LongTermPolicy`.
    """

    name: ClassVar[str] = "lt-u"

    def bounds(self, telemetry: Telemetry, target: Bounds) -> tuple[Bounds, Bounds]:
        """From the present count to the target."""
        return toward(target, telemetry, self._least)
