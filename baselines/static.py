"""A fleet that never changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.fleet import equal_fleet
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.telemetry import Telemetry


@dataclass
class StaticPolicy:
    """Holds the fleet as the world starts it, or at a fixed size for each endpoint.

    Attributes:
        instances: Instances of each endpoint; None holds the initial fleet. Another size is reached from the initial fleet as any
            scaling is: VMs provision before they serve, and drain before they leave.
        admission_order: FCFS, EDF, PF or DPA.
    """

    name: ClassVar[str] = "static"

    instances: int | None = None
    admission_order: str = "FCFS"
    _knobs: Knobs = field(init=False, repr=False, compare=False)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Fix the bounds of every endpoint."""
        knobs = Knobs.static(scenario.world, self.admission_order)
        if self.instances is not None:
            knobs.floor = equal_fleet(scenario.world, self.instances)
            knobs.cap = knobs.floor.copy()
        self._knobs = knobs.validated(scenario.world)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The same at every instant."""
        return self._knobs
