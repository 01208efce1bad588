"""Bounds of a fleet as arrays of instances by endpoint and VM type, shape (N, K)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim.fleet import initial_instances
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require, require_count
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


def fleet_by_model(world: World, instances: Mapping[str, int]) -> NDArray[np.int32]:
    """So many instances of each model at every endpoint, shape (N, K); models not named keep the world's start.

    Raises:
        InputError: A region has too few VMs on which its models run.
    """
    pools = tuple(replace(pool, instances={**pool.instances, **instances}) for pool in world.pools)
    return initial_instances(replace(world, pools=pools))


def starting_at(world: World, instances: int) -> World:
    """The world with the same number of instances of each model in every pool at the start."""
    each = {model.name: instances for model in world.models}
    return replace(world, pools=tuple(replace(pool, instances=each) for pool in world.pools))


def require_least(name: str, instances: int, world: World) -> None:
    """Raise InputError where a policy would hold fewer instances than the world allows the environment's actions."""
    require_count(name, instances, least=0)
    least = world.scaling.min_instances
    require(instances >= least, name, instances, f"is below the least that world '{world.name}' allows; give {least} or more")


def placed(telemetry: Telemetry, wanted: NDArray[np.int64], most: NDArray[np.int32]) -> NDArray[np.int32]:
    """Instances wanted of each endpoint, by VM type: those that are there stay where they can.

    Falls come off the last types. Rises go to the first types with a free VM; what finds none waits for the first type.

    Args:
        telemetry: The fleet now.
        wanted: Instances of each endpoint, shape (N,).
        most: VMs that each endpoint could have, of :func:`~sageserve_env.world.vms.region_capacity`, shape (N, K).

    Returns:
        Shape (N, K).
    """
    after = (telemetry.active + telemetry.provisioning).astype(np.int64)
    free = telemetry.spot.copy()
    for endpoint, count in enumerate(np.minimum(wanted, most.sum(axis=1)).tolist()):
        here, spare = after[endpoint], free[telemetry.region[endpoint]]
        for k in reversed(range(len(here))):
            here[k] -= min(here[k], max(int(here.sum()) - count, 0))
        for room in (spare, most[endpoint].astype(np.int64)):
            for k in range(len(here)):
                more = min(max(count - int(here.sum()), 0), int(room[k]), max(int(most[endpoint, k] - here[k]), 0))
                here[k] += more
                room[k] -= more
    return after.astype(np.int32)
