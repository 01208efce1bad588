"""Policies that do nothing of use, and yet are always entered: none of them may lead a column of the leaderboard.

``sageserve evaluate --policy sageserve_env.leaderboard.nulls:Hold --env SageServe/Mini-v0`` evaluates one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.schema import World
from sageserve_env.world.vms import region_capacity


class Random:
    """An agent that draws each change of the fleet, whatever the mask says."""

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Any, mask: NDArray[np.int8]) -> NDArray[np.int64]:
        """Any action, shape (fleets,)."""
        return self._rng.integers(mask.shape[1], size=len(mask))


class Hold:
    """An agent that never changes the fleet."""

    def reset(self, seed: int) -> None:
        """Begin an episode."""

    def act(self, observation: Any, mask: NDArray[np.int8]) -> NDArray[np.int64]:
        """The choice in the middle, shape (fleets,)."""
        return np.full(len(mask), mask.shape[1] // 2)


class Fixed:
    """A controller that goes to a fleet and stays."""

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin an episode."""
        self._knobs = Knobs.static(scenario.world)
        self._knobs.floor = self._knobs.cap = self.fleet(scenario.world)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The same at every instant."""
        return self._knobs

    def fleet(self, world: World) -> NDArray[np.int32]:
        """Instances of each endpoint and VM type, shape (N, K)."""
        raise NotImplementedError


class Nothing(Fixed):
    """Wants no instance, and gets the least that the world allows."""

    def fleet(self, world: World) -> NDArray[np.int32]:
        """None."""
        return np.zeros_like(region_capacity(world))


class Least(Fixed):
    """One instance of each endpoint, or the least that the world allows where that is more."""

    def fleet(self, world: World) -> NDArray[np.int32]:
        """On the first VM type that the endpoint's region has."""
        vms = region_capacity(world)
        fleet, first = np.zeros_like(vms), vms.astype(bool).argmax(axis=1)
        fleet[np.arange(len(vms)), first] = max(1, world.scaling.min_instances)
        return np.minimum(fleet, vms)


class Most(Fixed):
    """Every VM serves, each VM type in equal parts for the endpoints of its region that run on it."""

    def fleet(self, world: World) -> NDArray[np.int32]:
        """What is left over goes to the first endpoints."""
        vms = region_capacity(world).reshape(len(world.regions), -1, len(world.vm_types))
        sharing = (vms > 0).sum(axis=1, keepdims=True)
        place = np.cumsum(vms > 0, axis=1) - 1
        each, left = np.divmod(vms, np.maximum(sharing, 1))
        return (each + ((place < left) & (vms > 0))).reshape(-1, len(world.vm_types)).astype(np.int32)
