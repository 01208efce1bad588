"""The fleet at the start: how many instances of each endpoint begin on VMs of each type."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.world.schema import Model, Region, World


def initial_instances(world: World) -> NDArray[np.int32]:
    """Instances at the start of each endpoint and VM type, shape (N, K).

    The earlier types of a region are taken first, save those that models need which run on no other type.

    Raises:
        InputError: A region has too few VMs on which its models run.
    """
    counts = np.zeros((len(world.regions), len(world.models), len(world.pools), len(world.vm_types)), np.int32)
    for r, region in enumerate(world.regions):
        vms = FreeVMs(world, region)
        for m, model in enumerate(world.models):
            for p, pool in enumerate(world.pools):
                wanted = pool.instances.get(model.name, 0)
                for k, vm_type in enumerate(world.vm_types):
                    counts[r, m, p, k] = vms.take(model, vm_type.name, wanted)
                    wanted -= int(counts[r, m, p, k])
                if wanted > 0:
                    raise InputError(
                        f"region {region.name}: {wanted} of the {pool.instances[model.name]} instances of {model.name} in pool "
                        f"{pool.name} have no VM; raise its vm_capacity or start with fewer instances"
                    )
    return counts.reshape(-1, len(world.vm_types))


class FreeVMs:
    """A region's VMs while its starting instances take theirs.

    By Hall's theorem all instances find a VM if, for every set of types, those that run on no other type are no more than its VMs.
    What a set has beyond that is its slack.
    """

    def __init__(self, world: World, region: Region) -> None:
        names = [vm_type.name for vm_type in world.vm_types]
        starting = {model.name: sum(pool.instances.get(model.name, 0) for pool in world.pools) for model in world.models}
        self._left = {name: region.vm_capacity.get(name, 0) for name in names}
        self._slack: dict[frozenset[str], int] = {}
        for size in range(1, len(names) + 1):
            for chosen in map(frozenset, itertools.combinations(names, size)):
                bound = sum(starting[model.name] for model in world.models if chosen.issuperset(model.profiles))
                self._slack[chosen] = sum(self._left[name] for name in chosen) - bound

    def take(self, model: Model, vm_type: str, wanted: int) -> int:
        """Take up to ``wanted`` VMs of a type for a model, if it runs there, and leave enough for the instances of all others."""
        if wanted == 0 or vm_type not in model.profiles:
            return 0
        touched = [chosen for chosen in self._slack if vm_type in chosen and not chosen.issuperset(model.profiles)]
        taken = max(min(wanted, self._left[vm_type], *(self._slack[chosen] for chosen in touched)), 0)
        self._left[vm_type] -= taken
        for chosen in touched:
            self._slack[chosen] -= taken
        return taken
