"""From a world to the simulator's arrays: the read-only tables, and the state at time zero."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim import state as st
from sageserve_env.sim.faults.sources import fault_laws, fault_sources, spot_leave
from sageserve_env.workload.request import preference_orders
from sageserve_env.world.costs.carbon import carbon_intensity, has_carbon
from sageserve_env.world.costs.prices import egress_usd_per_token, has_hourly_prices, price_factors
from sageserve_env.world.schema import IterationModel, Model, World

Array = NDArray[Any]


def world_tables(world: World) -> dict[str, Array]:
    """A validated world as read-only arrays, by the names in ``WORLD_FIELDS``."""
    delay_s, delay_class = delays(world)
    profile, knot, decode_s = profiles(world)
    tables = {
        "settings": settings(world),
        "tier": tiers(world),
        "pool": pools(world),
        "region": regions(world),
        "profile": profile,
        "knot": knot,
        "decode_s": decode_s,
        "delay_s": delay_s,
        "delay_class": delay_class,
        "preference": preference_orders(len(world.regions)),
        "egress_usd": egress_usd_per_token(world),
        "carbon": carbon_intensity(world),
        "price_factor": price_factors(world),
        "fault_law": fault_laws(world.faults),
    }
    for table in tables.values():
        table.flags.writeable = False
    return tables


NO_BUDGET = 1 << 62
"""Tokens of an iteration where prompts are prefilled whole."""


def settings(world: World) -> Array:
    """Scalars of the world, shape (1,)."""
    row = np.zeros(1, st.SETTINGS)
    values = {
        "tick_s": world.scaling.tick_s,
        "scale_in_cool_down_s": -1.0 if world.scaling.scale_in_cool_down_s is None else world.scaling.scale_in_cool_down_s,
        "overhead_s": world.serving.iteration_overhead_s,
        "mixed_factor": world.serving.mixed_factor,
        "promote_after_s": world.niw.promote_after_s,
        "urgent_s": world.dpa.urgent_s,
        "severe_s": world.dpa.severe_s,
        "reclaim_s": world.lead_times.reclaim_s,
        "redeploy_s": world.lead_times.redeploy_s,
        "remote_fetch_s": world.lead_times.remote_fetch_s,
        "lead_time_sigma": world.faults.lead_time_sigma,
        **spot_leave(world.faults),
        "eviction_notice_s": world.faults.eviction_notice_s,
        "router_telemetry_s": world.faults.router_telemetry_s,
        "budget_tokens": world.serving.prefill_budget_tokens or NO_BUDGET,
        "max_batch": world.serving.max_batch,
        "two_step": world.serving.kv_admission == "two_step",
        "niw_managed": world.niw.managed,
        "release_on_tick": world.niw.release_on_tick,
        "release_high_count": world.niw.release_count[0],
        "release_low_count": world.niw.release_count[1],
        "models": len(world.models),
        "pools": len(world.pools),
        "vm_types": len(world.vm_types),
        "regions": len(world.regions),
        "niw_pool": first_pool(world, "NIW"),
        "group_size": world.routing.group_size,
        "scale_on_arrival": world.scaling.trigger == "arrival",
        "lead_time_pauses": world.scaling.lead_time_holds == "next_move",
        "drain_last": world.scaling.drains == "last",
        "reclaim_draining": world.scaling.reclaims_draining,
        "top_price_factor": price_factors(world).max() or 1.0,
        "has_power": any(model.power for model in world.models),
        "has_carbon": has_carbon(world),
        "has_egress": world.egress_usd_per_gb is not None,
        "has_hourly_prices": has_hourly_prices(world),
    }
    for name, value in values.items():
        row[name] = value
    return row


def first_pool(world: World, tier: str) -> int:
    """Index of the pool where a tier's requests enter."""
    return next(index for index, pool in enumerate(world.pools) if tier in pool.tiers)


def tiers(world: World) -> Array:
    """Service levels and entry pools, shape (T,)."""
    tpot_s = [np.inf if tier.tpot_s is None else tier.tpot_s for tier in world.tiers]
    rows = [
        (tier.slo_s, tpot, tier.fcfs_offset_s, first_pool(world, tier.name)) for tier, tpot in zip(world.tiers, tpot_s, strict=True)
    ]
    return np.array(rows, st.TIER)


def pools(world: World) -> Array:
    """Spill rules, shape (P,)."""
    names = [pool.name for pool in world.pools]
    spill = [st.NONE if pool.spill_to is None else names.index(pool.spill_to) for pool in world.pools]
    return np.array([(pool.spill_utilization, to) for pool, to in zip(world.pools, spill, strict=True)], st.POOL)


def regions(world: World) -> Array:
    """Where each region's VMs lie, and how near any region is, shape (R,)."""
    vms = [sum(region.vm_capacity.values()) for region in world.regions]
    first = [0, *itertools.accumulate(vms)][: len(vms)]
    nearest = [min(row) + world.routing.delay_s for row in world.latency_s]
    return np.array(list(zip(first, vms, nearest, strict=True)), st.REGION)


def delays(world: World) -> tuple[Array, Array]:
    """Distinct network delays in seconds, shape (Q,), and which of them each (origin, destination) has, shape (R, R)."""
    delay = np.array(world.latency_s, dtype=np.float64) + world.routing.delay_s
    distinct, inverse = np.unique(delay, return_inverse=True)
    return distinct, inverse.reshape(delay.shape).astype(np.int32)


def profiles(world: World) -> tuple[Array, Array, Array]:
    """Times and power: profiles (M * K,), all prefill knots, and decode seconds by batch size (M * K, BATCH_LIMIT + 1)."""
    n = len(world.models) * len(world.vm_types)
    rows = np.zeros(n, st.PROFILE)
    decode_s = np.zeros((n, st.BATCH_LIMIT + 1))
    knots: list[tuple[float, float]] = []
    batches = np.arange(st.BATCH_LIMIT + 1.0)
    for index, (model, vm_type) in enumerate(itertools.product(world.models, world.vm_types)):
        profile = model.profiles.get(vm_type.name)
        if profile is None:
            continue
        row = rows[index]
        row["kv_tokens"] = kv_capacity_tokens(model, vm_type.gpu_memory_bytes)
        row["kv_token_bytes"] = model.kv_bytes_per_token
        row["kv_bytes"] = vm_type.gpu_memory_bytes - model.weights_bytes
        if isinstance(profile, IterationModel):
            row["kind"] = st.MODELLED
            for name in ("context_token_s", "prefill_token_s", "prefill_context_s"):
                row[name] = getattr(profile, name)
            decode_s[index] = profile.base_s + profile.sequence_s * batches
        else:
            row["kind"], row["knots"], row["first_knot"] = st.TABLES, len(profile.prefill.tokens), len(knots)
            knots.extend(zip(profile.prefill.tokens, profile.prefill.seconds, strict=True))
            decode_s[index] = extended(profile.decode.tokens, profile.decode.seconds, batches)
        power = model.power.get(vm_type.name)
        if power is not None:
            for name in ("idle_w", "base_w", "span_w"):
                row[name] = world.pue * getattr(power, name)
            row["half_batch"] = power.half_batch
    return rows, np.array(knots, st.KNOT), decode_s


def kv_capacity_tokens(model: Model, memory_bytes: int) -> int:
    """KV tokens that fit beside a model's weights."""
    return int((memory_bytes - model.weights_bytes) // model.kv_bytes_per_token)


def extended(x: tuple[float, ...], y: tuple[float, ...], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """A piecewise-linear table with its first and last segments extended both ways; its magnitude, as the kernel takes it."""
    knots, values = np.array(x), np.array(y)
    low = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    slope = (values[low + 1] - values[low]) / (knots[low + 1] - knots[low])
    return np.abs(values[low] + slope * (at - knots[low]))


def initial_state(world: World, *, n_envs: int = 1, max_in_flight: int = 1024) -> dict[str, Array]:
    """The state at time zero, no VM serving yet, by the names in ``STATE_FIELDS``, the environment on the first axis.

    Args:
        world: A validated world.
        n_envs: Environments.
        max_in_flight: Slots of the pool of requests in flight.
    """
    n_regions, n_models, n_types, n_endpoints = len(world.regions), len(world.models), len(world.vm_types), world.n_endpoints
    vms = [sum(region.vm_capacity.values()) for region in world.regions]
    n_ways = len(delays(world)[0])
    places = vm_places(world)
    faults = fault_sources(world, places)
    leaves = leaves_of(n_ways + 1 + len(places) + (len(faults) > 0))
    shapes = {
        "clock": ((1,), st.CLOCK),
        "event": ((2 * leaves,), st.EVENT),
        "transit": ((n_ways,), st.QUEUE),
        "endpoint": ((n_endpoints,), st.ENDPOINT),
        "held": ((n_endpoints,), st.QUEUE),
        "member": ((n_endpoints, max(vms)), np.dtype(np.int32)),
        "lane": ((n_endpoints * st.N_TIERS,), st.LANE),
        "fleet": ((n_endpoints * n_types,), st.FLEET),
        "spot": ((n_regions * n_types,), st.SPOT_VMS),
        "origin": ((n_regions * n_models * st.N_TIERS,), st.ORIGIN),
        "central": ((n_regions * n_models * st.N_TIERS,), st.QUEUE),
        "instance": ((sum(vms),), st.INSTANCE),
        "queue": ((sum(vms), st.N_QUEUES), st.QUEUE),
        "batch": ((sum(vms), world.serving.max_batch), np.dtype(np.int64)),
        "flight": ((max_in_flight,), st.FLIGHT),
        "hist": ((n_endpoints * st.N_TIERS, st.N_LATENCIES, st.N_BINS), np.dtype(np.uint32)),
        "stored": ((n_regions * n_models,), np.dtype(np.uint8)),
        "model_knobs": ((n_models,), st.MODEL_KNOBS),
        "region_weight": ((n_models, n_regions), np.dtype(np.float64)),
        "outage": ((n_regions,), st.OUTAGE),
        "lost": ((1,), st.QUEUE),
        "fault": (faults.shape, st.FAULT),
        "fault_event": ((2 * leaves_of(len(faults)),), st.EVENT),
    }
    arrays: dict[str, Array] = {name: np.zeros((n_envs, *shape), dtype) for name, (shape, dtype) in shapes.items()}
    fill_empty_lists(arrays)
    fill_places(arrays, world, places)
    arrays["fault"][...] = faults
    return arrays


def leaves_of(sources: int) -> int:
    """Leaves of a tournament tree over so many sources: a power of two."""
    return 1 << max(sources - 1, 0).bit_length()


def fill_empty_lists(arrays: dict[str, Array]) -> None:
    """Mark every list as empty and every event source as having no event."""
    for name in ("transit", "held", "central", "queue", "lost"):
        arrays[name]["head"] = arrays[name]["tail"] = arrays[name]["put"] = st.NONE
    arrays["clock"]["flight_free"] = st.NONE
    arrays["instance"]["prefill_head"] = arrays["instance"]["prefill_tail"] = st.NONE
    arrays["event"]["time_s"] = arrays["fault_event"]["time_s"] = np.inf


def vm_places(world: World) -> list[tuple[int, int]]:
    """Region and VM type of each VM, in the order of the world's regions, then of its types."""
    types = list(enumerate(world.vm_types))
    return [
        (r, k) for r, region in enumerate(world.regions) for k, kind in types for _ in range(region.vm_capacity.get(kind.name, 0))
    ]


def fill_places(arrays: dict[str, Array], world: World, places: list[tuple[int, int]]) -> None:
    """Write where each endpoint and VM is; every VM begins as spot and blank, and every region stores the models it lists."""
    n_models, n_types = len(world.models), len(world.vm_types)
    index = list(itertools.product(range(len(world.regions)), range(n_models), range(len(world.pools))))
    for column, name in enumerate(("region", "model", "pool")):
        arrays["endpoint"][name] = [row[column] for row in index]
    arrays["instance"]["region"] = [place[0] for place in places]
    arrays["instance"]["vm_type"] = [place[1] for place in places]
    arrays["instance"]["model"] = arrays["instance"]["endpoint"] = st.NONE
    for place in places:
        arrays["spot"]["vms"][:, place[0] * n_types + place[1]] += 1
    for r, region in enumerate(world.regions):
        for m, model in enumerate(world.models):
            arrays["stored"][:, r * n_models + m] = region.stored_models is None or model.name in region.stored_models
