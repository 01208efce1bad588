"""How an action becomes knobs: four modes over one mechanism, and the mask of what is possible."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from sageserve_env.compile import kernel
from sageserve_env.errors import InputError
from sageserve_env.sim.state import Sim
from sageserve_env.world.schema import World

ACTION_MODES = ("delta", "target", "knobs", "multi_timescale")
"""Modes by integer code."""

DELTA, TARGET, KNOBS, MULTI_TIMESCALE = range(4)

MAX_DELTA = 2
"""Most instances that one ``delta`` action adds to, or takes off, an endpoint."""


def action_space(mode: str, world: World, max_delta: int) -> spaces.Space[Any]:
    """The space of one environment's actions. N endpoints, K VM types, M models.

    * ``delta``: MultiDiscrete, N * K choices of 2 * max_delta + 1: choice c changes the target by c - max_delta.
    * ``target``: Box in [0, 1], N * K: the target as a share of the way from the least to the most instances.
    * ``knobs``: Box in [0, 1]: floors (N * K), caps (N * K), scale-out utilizations (N), scale-in utilizations (N), routing
      thresholds (M), NIW release levels, high (M) and low (M).
    * ``multi_timescale``: Box in [0, 1]: targets (N * K), read at the first step of each hour, scale-out and scale-in
      utilizations (N each), read at every step; between hours the tick moves towards the target and never past it.

    Raises:
        InputError: The mode is unknown.
    """
    n = len(world.regions) * len(world.models) * len(world.pools)
    fleets = n * len(world.vm_types)
    if mode == "delta":
        return spaces.MultiDiscrete(np.full(fleets, 2 * max_delta + 1))
    sizes = {"target": fleets, "knobs": 2 * fleets + 2 * n + 3 * len(world.models), "multi_timescale": fleets + 2 * n}
    if mode not in sizes:
        raise InputError(f"action_mode = {mode!r}; choose one of {', '.join(ACTION_MODES)}")
    return spaces.Box(0.0, 1.0, (sizes[mode],), np.float32)


@kernel
def decode(s: Sim, codec: Any, step: int, action: Any, target: Any) -> None:
    """Set the knobs that an action stands for; ``target`` holds the instances wanted, shape (N * K,), and is brought up to date."""
    if codec.mode == DELTA:
        for place in range(target.shape[0]):
            settle_target(s, codec, place, target[place] + int(action[place]) - codec.max_delta, target, False)
        for place in range(target.shape[0]):
            settle_target(s, codec, place, target[place] + int(action[place]) - codec.max_delta, target, True)
        hold_targets(s, target)
    elif codec.mode == TARGET:
        targets_from_shares(s, codec, action, target)
        hold_targets(s, target)
    elif codec.mode == KNOBS:
        targets_from_shares(s, codec, action, target)
        bounds_from_shares(s, codec, action, target)
        thresholds_from_shares(s, action, 2 * target.shape[0])
        model_knobs_from_shares(s, action, 2 * target.shape[0] + 2 * s.endpoint.shape[0])
    else:
        if step % codec.is_hour == 0:
            targets_from_shares(s, codec, action, target)
        approach_targets(s, target)
        thresholds_from_shares(s, action, target.shape[0])


@kernel
def most_instances(s: Sim, place: int) -> int:
    """VMs of a fleet's type in its region."""
    vm_types = s.settings[0].vm_types
    region = s.endpoint[place // vm_types].region
    most = 0
    for vm in range(s.region[region].first_vm, s.region[region].first_vm + s.region[region].vms):
        most += s.instance[vm].vm_type == place % vm_types
    return most


@kernel
def unclaimed(s: Sim, place: int, target: Any) -> int:
    """VMs of a fleet's type in its region that no target claims."""
    vm_types = s.settings[0].vm_types
    region = s.endpoint[place // vm_types].region
    left = most_instances(s, place)
    for other in range(target.shape[0]):
        if s.endpoint[other // vm_types].region == region and other % vm_types == place % vm_types:
            left -= target[other]
    return left


@kernel
def settle_target(s: Sim, codec: Any, place: int, wanted: int, target: Any, is_rise: bool) -> None:
    """Move a target to ``wanted``, as far as the least instances and the VMs left in the region allow (the documented clip).

    Falls are settled for all fleets before rises, and rises in the order of the fleets.
    """
    wanted = max(wanted, codec.min_instances)
    if is_rise and wanted > target[place]:
        target[place] += min(wanted - target[place], max(unclaimed(s, place, target), 0))
    elif not is_rise and wanted < target[place]:
        target[place] = wanted


@kernel
def targets_from_shares(s: Sim, codec: Any, action: Any, target: Any) -> None:
    """Targets from shares of the way between the least and the most instances."""
    for rises in (False, True):
        for place in range(target.shape[0]):
            most = most_instances(s, place)
            wanted = codec.min_instances + round(action[place] * (most - codec.min_instances))
            settle_target(s, codec, place, wanted, target, rises)


@kernel
def hold_targets(s: Sim, target: Any) -> None:
    """Floor = cap = target."""
    for place in range(target.shape[0]):
        s.fleet[place].floor = target[place]
        s.fleet[place].cap = target[place]


@kernel
def approach_targets(s: Sim, target: Any) -> None:
    """Let the tick move between where an endpoint is and its target, not past it (the paper's LT-U)."""
    for place in range(target.shape[0]):
        fleet = s.fleet[place]
        now = fleet.active + fleet.provisioning
        fleet.floor = min(now, target[place])
        fleet.cap = max(now, target[place])


@kernel
def bounds_from_shares(s: Sim, codec: Any, action: Any, target: Any) -> None:
    """Floor = target; a cap below its floor is raised to it (the documented clip)."""
    fleets = target.shape[0]
    for place in range(fleets):
        most = most_instances(s, place)
        s.fleet[place].floor = target[place]
        s.fleet[place].cap = max(target[place], codec.min_instances + round(action[fleets + place] * (most - codec.min_instances)))


@kernel
def thresholds_from_shares(s: Sim, action: Any, first: int) -> None:
    """Scale-out utilizations, then scale-in utilizations; one in above its out is lowered to it (the documented clip)."""
    endpoints = s.endpoint.shape[0]
    for endpoint in range(endpoints):
        ep = s.endpoint[endpoint]
        ep.scale_out_utilization = action[first + endpoint]
        ep.scale_in_utilization = min(action[first + endpoints + endpoint], action[first + endpoint])


@kernel
def model_knobs_from_shares(s: Sim, action: Any, first: int) -> None:
    """Routing thresholds, then high and low NIW release levels; a low above its high is lowered to it (the documented clip)."""
    models = s.model_knobs.shape[0]
    for model in range(models):
        knobs = s.model_knobs[model]
        knobs.routing_threshold = action[first + model]
        knobs.release_high = action[first + models + model]
        knobs.release_low = min(action[first + 2 * models + model], action[first + models + model])


@kernel
def write_mask(s: Sim, codec: Any, target: Any, mask: Any) -> None:
    """Which single changes of a target can be made in full: within the least instances and the VMs left in the region."""
    if codec.mode != DELTA:
        return
    choices = 2 * codec.max_delta + 1
    for place in range(target.shape[0]):
        left = unclaimed(s, place, target)
        for choice in range(choices):
            change = choice - codec.max_delta
            allowed = (
                change == 0 or (change < 0 and target[place] + change >= codec.min_instances) or (change > 0 and change <= left)
            )
            mask[place * choices + choice] = allowed
