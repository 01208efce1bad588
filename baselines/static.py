"""A fleet that never changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from baselines.fleet import equal_fleet, fleet_by_model, require_least
from sageserve_env.errors import InputError, shown
from sageserve_env.evaluation.ranges import Range
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require_known


@dataclass
class StaticPolicy:
    """Holds the fleet as the world starts it, or at a fixed size for each endpoint.

    Attributes:
        instances: Instances of each endpoint; None holds the initial fleet. Another size is reached from the initial fleet as any
            scaling is: VMs provision before they serve, and drain before they leave.
        admission_order: FCFS, EDF, PF or DPA.
    """

    name: ClassVar[str] = "static"
    TUNABLE: ClassVar[dict[str, Range]] = {"instances": Range(None, None, is_integer=True)}

    instances: int | None = None
    admission_order: str = "FCFS"
    _knobs: Knobs = field(init=False, repr=False, compare=False)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Fix the bounds of every endpoint.

        Raises:
            InputError: The size is below the world's least, or a region has too few VMs.
        """
        knobs = Knobs.static(scenario.world, self.admission_order)
        if self.instances is not None:
            require_least("instances", self.instances, scenario.world)
            knobs.floor = equal_fleet(scenario.world, self.instances)
            knobs.cap = knobs.floor.copy()
        self._knobs = knobs.validated(scenario.world)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The same at every instant."""
        return self._knobs


@dataclass
class StaticByModelPolicy:
    """Holds a size of its own for each model, the same in every region and pool.

    Attributes:
        instances: Instances of each endpoint by the name of its model; models not named keep the world's start.
        admission_order: FCFS, EDF, PF or DPA.
    """

    name: ClassVar[str] = "static-by-model"
    TUNABLE: ClassVar[dict[str, Range]] = {"instances": Range(None, None, is_integer=True, by_model=True)}

    instances: dict[str, int] = field(default_factory=dict)
    admission_order: str = "FCFS"
    _knobs: Knobs = field(init=False, repr=False, compare=False)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Fix the bounds of every endpoint.

        Raises:
            InputError: This is no dict, names another model, or has a size below the world's least or beyond a region's VMs.
        """
        world = scenario.world
        given: Any = self.instances
        if not isinstance(given, dict):
            example = {world.models[0].name: 3}
            raise InputError(f"instances = {shown(given)} is no dict; give instances by model, such as {example}")
        for model, count in given.items():
            require_known("instances", model, "model", [each.name for each in world.models])
            require_least(f"instances['{model}']", count, world)
        knobs = Knobs.static(world, self.admission_order)
        knobs.floor = fleet_by_model(world, given)
        knobs.cap = knobs.floor.copy()
        self._knobs = knobs.validated(world)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The same at every instant."""
        return self._knobs
