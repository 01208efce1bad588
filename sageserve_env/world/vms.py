"""The VMs that there are, as an array by endpoint and VM type, shape (N, K)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sageserve_env.world.schema import World


def region_capacity(world: World) -> NDArray[np.int32]:
    """All VMs of each endpoint's region, of the types on which its model runs, shape (N, K)."""
    counts = [
        [region.vm_capacity.get(kind.name, 0) if kind.name in model.profiles else 0 for kind in world.vm_types]
        for region in world.regions
        for model in world.models
        for _ in world.pools
    ]
    return np.array(counts, np.int32)
