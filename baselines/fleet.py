"""Bounds of a fleet as arrays of instances by endpoint and VM type, shape (N, K)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim.fleet import initial_instances
from sageserve_env.world.checks import require_count
from sageserve_env.world.schema import World

MOST_INSTANCES = 1000
"""The most instances of an endpoint that a policy may be asked to start with."""


def equal_fleet(world: World, instances: int) -> NDArray[np.int32]:
    """The same number of instances at every endpoint, on the earlier VM types of its region first.

    Raises:
        InputError: The number is negative, or a region has too few VMs on which its models run.
    """
    require_count("instances", instances, least=0)
    return initial_instances(starting_at(world, instances))


def starting_at(world: World, instances: int) -> World:
    """The world with the same number of instances of each model in every pool at the start."""
    each = {model.name: instances for model in world.models}
    return replace(world, pools=tuple(replace(pool, instances=each) for pool in world.pools))


def region_capacity(world: World) -> NDArray[np.int32]:
    """All VMs of each endpoint's region, of the types on which its model runs."""
    counts = [
        [region.vm_capacity.get(kind.name, 0) if kind.name in model.profiles else 0 for kind in world.vm_types]
        for region in world.regions
        for model in world.models
        for _ in world.pools
    ]
    return np.array(counts, np.int32)
