"""The rules that a world must keep. Each broken rule is one ``InputError`` that names the field, its value and the remedy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import combinations, pairwise, product

import numpy as np

from sageserve_env.errors import shown
from sageserve_env.world.checks import (
    LARGEST,
    LONGEST_S,
    SHORTEST_TICK_S,
    is_number,
    quoted,
    require,
    require_count,
    require_distinct,
    require_known,
    require_name,
    require_not_negative,
    require_positive,
    require_share,
    require_within,
)
from sageserve_env.world.costs.check import check_costs, check_matrix
from sageserve_env.world.measured.profiles import evaluate
from sageserve_env.world.rules.faults import check_faults
from sageserve_env.world.rules.kinds import check_kinds
from sageserve_env.world.schema import TIERS, IterationModel, Model, Pool, Profile, Region, TimeTable, World

MAX_REGIONS = 15
"""A region's index and a request's preference are packed into small integers."""
MAX_MODELS = 255
"""A request's model is one byte."""
MAX_VM_TYPES = 8
"""Keeps the check of starting fleets against VM capacity exact and cheap: it looks at every subset of the types."""
MAX_POOLS = 15
MAX_BATCH = 512
MAX_VMS = 100_000
"""VMs of a world: the simulator keeps a record of each, and looks through an endpoint's when one is to go."""
MAX_KV_TOKENS = 2**31 - 1
"""KV tokens of an instance are a 32-bit number."""
LONGEST_ITERATION_S = 1e6
SHORTEST_S = 1e-6
"""Iterations and ticks must move a clock that counts days in float64."""
LARGEST_TOKENS = 1e9
MAX_RELEASED = 10**9
MAX_BUDGET_TOKENS = 2**31 - 1
KV_ADMISSION = ("two_step", "reserve")
SCALING_CHOICES = {"trigger": ("tick", "arrival"), "lead_time_holds": ("vm", "next_move"), "drains": ("least_pending", "last")}


def validate(world: World) -> World:
    """Check every rule.

    Args:
        world: The world to check.

    Returns:
        The same world.

    Raises:
        InputError: The first broken rule, or it is no world.
    """
    check_kinds(world, World, "")
    _check_names(world)
    _check_latency(world)
    _check_vm_types(world)
    _check_regions(world)
    _check_models(world)
    _check_tiers(world)
    _check_pools(world)
    for region in world.regions:
        _check_starting_fleet(world, region)
    _check_lead_times(world)
    _check_serving(world)
    _check_routing(world)
    _check_niw(world)
    _check_scaling(world)
    check_costs(world)
    check_faults(world)
    return world


def _check_names(world: World) -> None:
    require_name("name", world.name)
    limits = {"regions": MAX_REGIONS, "vm_types": MAX_VM_TYPES, "models": MAX_MODELS, "pools": MAX_POOLS}
    for section, most in limits.items():
        names = _names(getattr(world, section))
        require(len(names) > 0, section, "()", "is empty; give at least one")
        require(len(names) <= most, section, f"{len(names)} items", f"is too many; give at most {most}")
        for index, name in enumerate(names):
            require_name(f"{section}[{index}].name", name)
        require_distinct(f"{section} names", names)
    kinds = [_names(getattr(world, section)) for section in ("regions", "models", "pools")]
    if any("/" in name for names in kinds for name in names):  # tables name an endpoint region/model/pool
        require_distinct("endpoints", ["/".join(names) for names in product(*kinds)])


def _check_latency(world: World) -> None:
    check_matrix("latency_s", world.latency_s, _names(world.regions), LONGEST_S, "seconds")


def _check_vm_types(world: World) -> None:
    for vm_type in world.vm_types:
        where = f"vm_types['{vm_type.name}']"
        require_count(f"{where}.gpus", vm_type.gpus, 1, MAX_VMS)
        require_count(f"{where}.gpu_memory_bytes", vm_type.gpu_memory_bytes, 1, int(LARGEST))
        require_not_negative(f"{where}.price_usd_per_h", vm_type.price_usd_per_h, "give US dollars per VM-hour, 0 or more")


def _check_regions(world: World) -> None:
    for region in world.regions:
        where = f"regions['{region.name}']"
        for vm_type, count in region.vm_capacity.items():
            require_known(f"{where}.vm_capacity", vm_type, "VM type", _names(world.vm_types))
            require_count(f"{where}.vm_capacity['{vm_type}']", count, 0, MAX_VMS)
        for model in region.stored_models or ():
            require_known(f"{where}.stored_models", model, "model", _names(world.models))
    vms = sum(sum(region.vm_capacity.values()) for region in world.regions)
    require(vms <= MAX_VMS, "vm_capacity of all regions", vms, f"is too much; give at most {MAX_VMS} VMs")


def _check_models(world: World) -> None:
    memory = {vm_type.name: vm_type.gpu_memory_bytes for vm_type in world.vm_types}
    for model in world.models:
        where = f"models['{model.name}']"
        require_not_negative(f"{where}.weights_bytes", model.weights_bytes, "give bytes, 0 or more")
        require_positive(f"{where}.kv_bytes_per_token", model.kv_bytes_per_token, "give bytes, more than 0")
        require(len(model.profiles) > 0, f"{where}.profiles", "{}", f"is empty; give one for any of {quoted(memory)}")
        for vm_type, profile in model.profiles.items():
            require_known(f"{where}.profiles", vm_type, "VM type", list(memory))
            _check_profile(f"{where}.profiles['{vm_type}']", profile)
            _check_fits(where, model, vm_type, memory[vm_type])


def _check_fits(where: str, model: Model, vm_type: str, memory_bytes: int) -> None:
    fits = model.weights_bytes + model.kv_bytes_per_token <= memory_bytes
    remedy = f"leaves no room for a token in the {memory_bytes} bytes of VM type '{vm_type}'; drop that profile"
    require(fits, f"{where}.weights_bytes", model.weights_bytes, remedy)
    tokens = (memory_bytes - model.weights_bytes) / model.kv_bytes_per_token
    remedy = f"makes room for {tokens:.3g} tokens on VM type '{vm_type}'; give more bytes, for at most {MAX_KV_TOKENS} tokens"
    require(tokens <= MAX_KV_TOKENS, f"{where}.kv_bytes_per_token", model.kv_bytes_per_token, remedy)


def _check_profile(where: str, profile: Profile | IterationModel) -> None:
    if isinstance(profile, IterationModel):
        _check_iteration_model(where, profile)
    else:
        _check_table(f"{where}.prefill", profile.prefill)
        _check_table(f"{where}.decode", profile.decode)


def _check_iteration_model(where: str, model: IterationModel) -> None:
    require_within(f"{where}.base_s", model.base_s, SHORTEST_S, LONGEST_ITERATION_S, "seconds")
    for name in ("sequence_s", "context_token_s", "prefill_token_s", "prefill_context_s"):
        require_within(f"{where}.{name}", getattr(model, name), 0, LONGEST_ITERATION_S, "seconds")
    is_line = isinstance(model.provenance, str) and model.provenance.strip() != "" and model.provenance.isprintable()
    remedy = "is no provenance; say in a line where the numbers come from"
    require(is_line, f"{where}.provenance", shown(model.provenance), remedy)


def _check_table(where: str, table: TimeTable) -> None:
    tokens, seconds = table.tokens, table.seconds
    sizes = f"{len(tokens)} tokens and {len(seconds)} seconds"
    require(len(tokens) == len(seconds) >= 2, where, sizes, "do not pair up; give as many of each, at least 2")
    for token in tokens:
        require_within(f"{where}.tokens", token, 0, LARGEST_TOKENS, "tokens")
    for left, right in pairwise(tokens):
        require(left < right, f"{where}.tokens", f"{left}, {right}", "does not increase; sort and drop repeats")
    for second in seconds:
        require_within(f"{where}.seconds", second, SHORTEST_S, LONGEST_ITERATION_S, "seconds")
    # Outside the points the end segments go on: down to one token on the left, without end on the right.
    last_two = f"..., {seconds[-2]}, {seconds[-1]}"
    require(seconds[-1] >= seconds[-2], f"{where}.seconds", last_two, "falls at the end; add a larger last point")
    at_one = float(np.min(evaluate(table, 1.0)))
    require(at_one > 0, f"{where} at 1 token", at_one, "is not positive; add a point at 1 token")


def _check_tiers(world: World) -> None:
    names = tuple(_names(world.tiers))
    require(names == TIERS, "tiers", names, f"must be {TIERS}, in this order")
    for tier in world.tiers:
        require_within(f"tiers['{tier.name}'].slo_s", tier.slo_s, SHORTEST_S, LONGEST_S, "seconds")
        require_within(f"tiers['{tier.name}'].fcfs_offset_s", tier.fcfs_offset_s, 0, LONGEST_S, "seconds")
        if tier.tpot_s is not None:
            require_within(f"tiers['{tier.name}'].tpot_s", tier.tpot_s, SHORTEST_S, LONGEST_S, "seconds")


def _check_pools(world: World) -> None:
    pools = _names(world.pools)
    for pool in world.pools:
        where = f"pools['{pool.name}']"
        require_distinct(f"{where}.tiers", pool.tiers)
        for tier in pool.tiers:
            require_known(f"{where}.tiers", tier, "tier", TIERS)
        for model, count in pool.instances.items():
            require_known(f"{where}.instances", model, "model", _names(world.models))
            require_count(f"{where}.instances['{model}']", count, 0, MAX_VMS)
        if pool.spill_to is not None:
            require_known(f"{where}.spill_to", pool.spill_to, "pool", pools)
        require_share(f"{where}.spill_utilization", pool.spill_utilization)
    for tier in TIERS:
        require(_first_pool(world, tier) is not None, f"pool of tier '{tier}'", None, "is missing; list the tier in a pool")
    _check_spills_end(world)
    _check_pools_are_reached(world)


def _check_spills_end(world: World) -> None:
    spill_to = {pool.name: pool.spill_to for pool in world.pools}
    for start in spill_to:
        path = [start]
        while (target := spill_to[path[-1]]) is not None:
            require(
                target not in path,
                f"pools['{path[-1]}'].spill_to",
                target,
                f"closes a loop, {' -> '.join([*path, target])}; drop one",
            )
            path.append(target)


def _check_pools_are_reached(world: World) -> None:
    reached = {pool.name for tier in TIERS if (pool := _first_pool(world, tier)) is not None}
    reached |= {pool.spill_to for pool in world.pools if pool.spill_to is not None}
    for pool in world.pools:
        problem = "get no request: earlier pools list them too; reorder the pools or spill to this one"
        require(pool.name in reached, f"pools['{pool.name}'].tiers", pool.tiers, problem)


def _check_starting_fleet(world: World, region: Region) -> None:
    """By Hall's theorem the fleet fits if, for each set of VM types, the models that run on no other type fit into the set."""
    starting = {model.name: sum(pool.instances.get(model.name, 0) for pool in world.pools) for model in world.models}
    vm_types = _names(world.vm_types)
    for size in range(1, len(vm_types) + 1):
        for subset in combinations(vm_types, size):
            bound = [model.name for model in world.models if set(model.profiles) <= set(subset)]
            needed = sum(starting[name] for name in bound)
            room = sum(region.vm_capacity.get(name, 0) for name in subset)
            where = f"pools: starting instances of {quoted(bound)} in region '{region.name}'"
            remedy = f"is more than its {room} VMs of type {quoted(subset)}; raise vm_capacity or start fewer"
            require(needed <= room, where, needed, remedy)


def _check_lead_times(world: World) -> None:
    for name in ("reclaim_s", "redeploy_s", "remote_fetch_s"):
        require_within(f"lead_times.{name}", getattr(world.lead_times, name), 0, LONGEST_S, "seconds")


def _check_serving(world: World) -> None:
    serving = world.serving
    require_count("serving.max_batch", serving.max_batch, 1, MAX_BATCH)
    require_within("serving.iteration_overhead_s", serving.iteration_overhead_s, 0, LONGEST_ITERATION_S, "seconds")
    require_within("serving.mixed_factor", serving.mixed_factor, 0.001, 1000, "a factor")
    require_known("serving.kv_admission", serving.kv_admission, "rule of KV admission", KV_ADMISSION)
    if serving.prefill_budget_tokens is not None:
        require_count("serving.prefill_budget_tokens", serving.prefill_budget_tokens, 1, MAX_BUDGET_TOKENS)
        remedy = f"is below max_batch = {serving.max_batch}, which may all decode; raise it or lower max_batch"
        enough = serving.prefill_budget_tokens >= serving.max_batch
        require(enough, "serving.prefill_budget_tokens", serving.prefill_budget_tokens, remedy)


def _check_routing(world: World) -> None:
    threshold = world.routing.utilization_threshold
    valid = is_number(threshold) and (0 <= threshold <= 1 or threshold == math.inf)
    remedy = "is not a utilization; give a share, 0 to 1 (infinity: requests stay in the first region)"
    require(valid, "routing.utilization_threshold", threshold, remedy)
    require_within("routing.delay_s", world.routing.delay_s, 0, LONGEST_S, "seconds")
    require_count("routing.group_size", world.routing.group_size, 0, MAX_VMS)


def _check_niw(world: World) -> None:
    niw = world.niw
    levels = niw.release_utilization
    require(len(levels) == 2, "niw.release_utilization", levels, "is the wrong length; give two levels, high then low")
    require(len(niw.release_count) == 2, "niw.release_count", niw.release_count, "is the wrong length; give one for each level")
    for level in levels:
        require_share("niw.release_utilization", level)
    require(levels[0] >= levels[1], "niw.release_utilization", levels, "rises; give two levels, high then low")
    for count in niw.release_count:
        require_count("niw.release_count", count, 0, MAX_RELEASED)
    age = niw.promote_after_s
    valid = is_number(age) and age >= 0
    require(valid, "niw.promote_after_s", age, "is not a time; give seconds, 0 or more (infinity: never)")


def _check_scaling(world: World) -> None:
    scaling, dpa = world.scaling, world.dpa
    require_within("scaling.tick_s", scaling.tick_s, SHORTEST_TICK_S, LONGEST_S, "seconds")
    require_share("scaling.scale_out_utilization", scaling.scale_out_utilization)
    require_share("scaling.scale_in_utilization", scaling.scale_in_utilization)
    ordered = scaling.scale_in_utilization <= scaling.scale_out_utilization
    remedy = f"is above scale_out_utilization = {scaling.scale_out_utilization}; an endpoint would go out and in at once"
    require(ordered, "scaling.scale_in_utilization", scaling.scale_in_utilization, remedy)
    require_within("scaling.cool_down_s", scaling.cool_down_s, 0, LONGEST_S, "seconds")
    require_count("scaling.min_instances", scaling.min_instances, 0, MAX_VMS)
    for field, choices in SCALING_CHOICES.items():
        require_known(f"scaling.{field}", getattr(scaling, field), f"rule of {field}", choices)
    if scaling.scale_in_cool_down_s is not None:
        require_within("scaling.scale_in_cool_down_s", scaling.scale_in_cool_down_s, 0, LONGEST_S, "seconds")
    emergency = scaling.emergency_utilization
    valid = is_number(emergency) and (0 <= emergency <= 1 or emergency == math.inf)
    require(valid, "scaling.emergency_utilization", emergency, "is not a utilization; give a share, 0 to 1 (infinity: never)")
    require_within("dpa.urgent_s", dpa.urgent_s, 0, LONGEST_S, "seconds")
    require_within("dpa.severe_s", dpa.severe_s, 0, LONGEST_S, "seconds")


def _first_pool(world: World, tier: str) -> Pool | None:
    return next((pool for pool in world.pools if tier in pool.tiers), None)


def _names(items: Iterable[object]) -> list[str]:
    return [item.name for item in items]  # type: ignore[attr-defined]
