"""How an action becomes knobs: five modes over one mechanism, and the mask of what is possible."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sageserve_env.compile import kernel
from sageserve_env.sim.state import ABSENT, Sim
from sageserve_env.world.schema import World

ACTION_MODES = ("delta", "target", "knobs", "multi_timescale", "discrete")
"""Modes by integer code."""

DELTA, TARGET, KNOBS, MULTI_TIMESCALE, DISCRETE = range(5)

MASKED_MODES = ("delta", "discrete")
"""Modes whose choices a mask can forbid."""

MAX_DELTA = 2
"""Most instances that one ``delta`` or ``discrete`` action adds to, or takes off, an endpoint."""


def action_space(mode: str, world: World, max_delta: int) -> spaces.Space[Any]:
    """The space of one environment's actions. N endpoints, K VM types, M models.

    * ``delta``: MultiDiscrete, N * K choices of 2 * max_delta + 1: choice c changes the target by c - max_delta.
    * ``discrete``: Discrete, 1 + N * K * 2 * max_delta: choice 0 holds; any other changes one target, see :func:`change_of`.
    * ``target``: Box in [-1, 1], N * K: the target as a share of the way from the least to the most instances.
    * ``knobs``: Box in [-1, 1]: floors (N * K), caps (N * K), scale-out utilizations (N), scale-in utilizations (N), routing
      thresholds (M), NIW release levels, high (M) and low (M).
    * ``multi_timescale``: Box in [-1, 1]: targets (N * K), read at the first step of each hour, scale-out and scale-in
      utilizations (N each), read at every step; between hours the tick moves towards the target and never past it.

    An entry a of a Box stands for the share (a + 1) / 2; what lies outside is taken for the nearest end.
    """
    n = world.n_endpoints
    fleets = n * len(world.vm_types)
    if mode == "delta":
        return spaces.MultiDiscrete(np.full(fleets, 2 * max_delta + 1))
    if mode == "discrete":
        return spaces.Discrete(1 + fleets * 2 * max_delta)
    sizes = {"target": fleets, "knobs": 2 * fleets + 2 * n + 3 * len(world.models), "multi_timescale": fleets + 2 * n}
    return spaces.Box(-1.0, 1.0, (sizes[mode],), np.float32)


def mask_shape(space: spaces.Space[Any]) -> tuple[int, ...]:
    """Shape of an action mask: (fleets, choices) of ``delta``, (choices,) of ``discrete``, (0,) of a Box, which has none."""
    if isinstance(space, spaces.MultiDiscrete):
        return len(space.nvec), int(space.nvec[0])
    return (int(space.n),) if isinstance(space, spaces.Discrete) else (0,)


@kernel
def change_of(choice: int, max_delta: int) -> tuple[int, int]:
    """The fleet that a ``discrete`` choice changes, and by how many instances.

    Choice 0 holds. Then come, fleet by fleet, -max_delta to -1 and +1 to +max_delta.
    """
    if choice == 0:
        return 0, 0
    place, step = divmod(choice - 1, 2 * max_delta)
    return place, step - max_delta + (step >= max_delta)


def delta_of(choice: int, n_fleets: int, max_delta: int) -> NDArray[np.int64]:
    """The ``delta`` action that does what a ``discrete`` choice does, shape (n_fleets,)."""
    place, change = change_of.py_func(choice, max_delta)  # type: ignore[attr-defined]  # of a Numba function
    action = np.full(n_fleets, max_delta)
    action[place] += change
    return action


def choice_mask(mask: NDArray[np.int8]) -> NDArray[np.int8]:
    """The ``discrete`` mask, shape (choices,), of fleets whose ``delta`` mask has shape (fleets, 2 * max_delta + 1)."""
    changes = np.delete(mask, mask.shape[1] // 2, axis=1)
    return np.concatenate([np.ones(1, mask.dtype), changes.ravel()])


@kernel
def wanted_change(codec: Any, action: Any, place: int) -> int:
    """What an action of mode ``delta`` or ``discrete`` adds to the target of one fleet."""
    if codec.mode == DELTA:
        return int(action[place]) - codec.max_delta
    chosen, change = change_of(int(action[0]), codec.max_delta)
    return change if place == chosen else 0


@kernel
def share(value: float) -> float:
    """The share from 0 to 1 that an entry of a Box stands for; one outside is taken for the nearest end (the documented clip)."""
    return (min(max(value, -1.0), 1.0) + 1.0) / 2.0


@kernel
def decode(s: Sim, codec: Any, step: int, action: Any, target: Any) -> None:
    """Set the knobs that an action stands for; ``target`` holds the instances wanted, shape (N * K,), and is brought up to date."""
    if codec.mode == DELTA or codec.mode == DISCRETE:
        for place in range(target.shape[0]):
            settle_target(s, codec, place, target[place] + wanted_change(codec, action, place), target, False)
        for place in range(target.shape[0]):
            settle_target(s, codec, place, target[place] + wanted_change(codec, action, place), target, True)
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
def can_run(s: Sim, place: int) -> bool:
    """Whether a fleet's model runs on its VM type."""
    vm_types = s.settings[0].vm_types
    return s.profile[s.endpoint[place // vm_types].model * vm_types + place % vm_types].kind != ABSENT


@kernel
def least_instances(s: Sim, codec: Any, place: int) -> int:
    """Least instances of a fleet: an endpoint keeps its least on the first VM type that its model runs on."""
    first = place - place % s.settings[0].vm_types
    for other in range(first, place):
        if can_run(s, other):
            return 0
    return min(codec.min_instances, most_instances(s, place))


@kernel
def most_instances(s: Sim, place: int) -> int:
    """VMs of a fleet's type in its region; none where its model does not run on them."""
    vm_types = s.settings[0].vm_types
    region = s.endpoint[place // vm_types].region
    most = 0
    if not can_run(s, place):
        return most
    for vm in range(s.region[region].first_vm, s.region[region].first_vm + s.region[region].vms):
        most += s.instance[vm].vm_type == place % vm_types
    return most


@kernel
def unclaimed(s: Sim, place: int, target: Any) -> int:
    """VMs of a fleet's type in its region that are there and that no target claims; below 0 where targets wait for failed ones."""
    vm_types = s.settings[0].vm_types
    region = s.endpoint[place // vm_types].region
    most = most_instances(s, place)
    if most == 0:
        return 0
    left = most - s.spot[region * vm_types + place % vm_types].failed
    for other in range(target.shape[0]):
        if s.endpoint[other // vm_types].region == region and other % vm_types == place % vm_types:
            left -= target[other]
    return left


@kernel
def settle_target(s: Sim, codec: Any, place: int, wanted: int, target: Any, is_rise: bool) -> None:
    """Move a target to ``wanted``, as far as the least instances and the VMs left in the region allow (the documented clip).

    Falls are settled for all fleets before rises, and rises in the order of the fleets.
    """
    wanted = max(wanted, least_instances(s, codec, place))
    if is_rise and wanted > target[place]:
        target[place] += min(wanted - target[place], max(unclaimed(s, place, target), 0))
    elif not is_rise and wanted < target[place]:
        target[place] = wanted


@kernel
def targets_from_shares(s: Sim, codec: Any, action: Any, target: Any) -> None:
    """Targets from shares of the way between the least and the most instances."""
    for rises in (False, True):
        for place in range(target.shape[0]):
            least, most = least_instances(s, codec, place), most_instances(s, place)
            wanted = least + round(share(action[place]) * (most - least))
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
        least, most = least_instances(s, codec, place), most_instances(s, place)
        s.fleet[place].floor = target[place]
        cap = least + round(share(action[fleets + place]) * (most - least))
        s.fleet[place].cap = max(target[place], cap)


@kernel
def clip_bounds(s: Sim, codec: Any, target: Any) -> None:
    """Bring floors and caps that a policy set within what actions can reach; ``target`` becomes the floors."""
    for place in range(target.shape[0]):
        fleet, least, most = s.fleet[place], least_instances(s, codec, place), most_instances(s, place)
        fleet.floor = min(max(fleet.floor, least), most)
        fleet.cap = min(max(fleet.cap, fleet.floor), most)
        target[place] = fleet.floor


@kernel
def thresholds_from_shares(s: Sim, action: Any, first: int) -> None:
    """Scale-out utilizations, then scale-in utilizations; one in above its out is lowered to it (the documented clip)."""
    endpoints = s.endpoint.shape[0]
    for endpoint in range(endpoints):
        ep = s.endpoint[endpoint]
        ep.scale_out_utilization = share(action[first + endpoint])
        ep.scale_in_utilization = min(share(action[first + endpoints + endpoint]), ep.scale_out_utilization)


@kernel
def model_knobs_from_shares(s: Sim, action: Any, first: int) -> None:
    """Routing thresholds, then high and low NIW release levels; a low above its high is lowered to it (the documented clip)."""
    models = s.model_knobs.shape[0]
    for model in range(models):
        knobs = s.model_knobs[model]
        knobs.routing_threshold = share(action[first + model])
        knobs.release_high = share(action[first + models + model])
        knobs.release_low = min(share(action[first + 2 * models + model]), knobs.release_high)


@kernel
def write_mask(s: Sim, codec: Any, target: Any, mask: Any) -> None:
    """Which single changes of a target can be made in full: within the least instances and the VMs left in the region."""
    if codec.mode != DELTA and codec.mode != DISCRETE:
        return
    choice = 0
    if codec.mode == DISCRETE:
        mask[0] = True
        choice = 1
    for place in range(target.shape[0]):
        left, least = unclaimed(s, place, target), least_instances(s, codec, place)
        for change in range(-codec.max_delta, codec.max_delta + 1):
            if change == 0 and codec.mode == DISCRETE:
                continue
            is_fall = change < 0 and target[place] + change >= least
            mask[choice] = change == 0 or is_fall or (change > 0 and change <= left)
            choice += 1
