"""The best fleet that never changes, found by trying: a bound for static fleets, with hindsight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.fleet import require_least
from baselines.static import StaticPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs.compare import cost_usd
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.workload import Workload
from sageserve_env.world.checks import require_count
from sageserve_env.world.schema import World
from sageserve_env.world.vms import region_capacity


@dataclass
class BestStaticPolicy:
    """Holds the number of instances of each endpoint that costs least on this very traffic, VMs and avoidable breaches together.

    It plays the scenario once for each size, from the smallest on, and stops when ``patience`` sizes in a row have cost more than
    the best: it knows the future.

    Attributes:
        smallest: Size to begin with, at least 1 and the world's least; None: that.
        patience: Worse sizes in a row that end the search, >= 1.
        admission_order: FCFS, EDF, PF or DPA.
        costs_usd: What each size tried cost, dollars, after :meth:`reset`.
    """

    name: ClassVar[str] = "best-static"

    smallest: int | None = None
    patience: int = 2
    admission_order: str = "FCFS"
    costs_usd: dict[int, float] = field(init=False, repr=False, compare=False, default_factory=dict)
    _seed: int | None = field(init=False, repr=False, compare=False, default=None)
    _held: StaticPolicy = field(init=False, repr=False, compare=False)

    def prepare(self, world: World) -> World:
        """The world as it is; the options are checked before anything runs.

        Raises:
            InputError: A number is not valid.
        """
        if self.smallest is not None:
            require_count("smallest", self.smallest, least=1)
            require_least("smallest", self.smallest, world)
        require_count("patience", self.patience, least=1)
        return world

    def foresee(self, workload: Workload, seed: int) -> None:
        """Learn the seed of the traffic."""
        self._seed = seed

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Search.

        Raises:
            InputError: The seed of the traffic is not known, or no region has a VM for each endpoint.
        """
        if self._seed is None:
            raise InputError("best-static knows no seed; run it with run_episode, which calls foresee(workload, seed)")
        world = scenario.world
        smallest = max(1, world.scaling.min_instances) if self.smallest is None else self.smallest
        here = len(world.models) * len(world.pools)
        largest = int(region_capacity(world).sum(axis=1).min()) // here
        self.costs_usd = {}
        for size in range(smallest, largest + 1):
            policy = StaticPolicy(size, self.admission_order)
            self.costs_usd[size] = cost_usd(run_episode(scenario, policy, seed=self._seed))
            if size >= self.best + self.patience:
                break
        if not self.costs_usd:
            raise InputError(f"smallest = {smallest}: a region has VMs for {largest} per endpoint; give less")
        self._held = StaticPolicy(self.best, self.admission_order)
        self._held.reset(scenario, rng)

    @property
    def best(self) -> int:
        """The cheapest size tried."""
        return min(self.costs_usd, key=self.costs_usd.__getitem__)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The same at every instant."""
        return self._held.decide(telemetry)
