"""LT-I (paper section 6): the program's plan, applied at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baselines.long_term.policy import Bounds, LongTermPolicy
from sageserve_env.sim.readout.telemetry import Telemetry


@dataclass
class LtI(LongTermPolicy):
    """Long-term, immediate: every full hour each endpoint goes to its target at once and stays there.

    Options: see :class:`baselines.long_term.policy.LongTermPolicy`.
    """

    name: ClassVar[str] = "lt-i"

    def bounds(self, telemetry: Telemetry, target: Bounds) -> tuple[Bounds, Bounds]:
        """The target, no less and no more."""
        return target, target
