"""Numbers of instances as actions of mode ``target``, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.schema import World

Counts = NDArray[np.int64]


class Bounds:
    """The least and most instances that actions reach in a world.

    Attributes:
        least, most: By endpoint and VM type, shape (N * K,). An endpoint keeps the world's least on the first type that it runs on.
    """

    def __init__(self, world: World) -> None:
        can_run = np.array([[kind.name in model.profiles for kind in world.vm_types] for model in world.models])
        vms = np.array([[region.vm_capacity.get(kind.name, 0) for kind in world.vm_types] for region in world.regions])
        places = (len(world.regions), len(world.models), len(world.pools), len(world.vm_types))
        runs = np.broadcast_to(can_run[None, :, None], places)
        most = np.where(runs, vms[:, None, None], 0)
        is_first = runs & (np.cumsum(runs, axis=-1) == 1)
        self.most: Counts = most.ravel()
        self.least: Counts = np.where(is_first, np.minimum(world.scaling.min_instances, most), 0).ravel()

    def action(self, wanted: Counts) -> NDArray[np.float32]:
        """The action that asks for so many instances, shape (N * K,), float32 in [-1, 1]."""
        room = self.most - self.least
        share = np.divide(wanted - self.least, room, out=np.zeros(len(room)), where=room > 0)
        return np.clip(2.0 * share - 1.0, -1.0, 1.0).astype(np.float32)

    def held(self, telemetry: Telemetry, floor: NDArray[np.int32], cap: NDArray[np.int32]) -> Counts:
        """Instances that a fleet has or gets, within a controller's floors and caps and the bounds of actions, shape (N * K,)."""
        now = (telemetry.active + telemetry.provisioning).ravel()
        low = np.clip(floor.ravel(), self.least, self.most)
        return np.clip(now, low, np.clip(cap.ravel(), low, self.most))
