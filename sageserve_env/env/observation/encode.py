"""What an agent sees: physical quantities over fixed scales, clipped to fixed bounds. ``observation_features`` is the table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.compile import kernel
from sageserve_env.env.state import HISTORY
from sageserve_env.sim.requests.routing import utilization
from sageserve_env.sim.state import N_TIERS, NIW, NONE, SPOT, Sim
from sageserve_env.world.costs.carbon import has_carbon
from sageserve_env.world.costs.prices import has_hourly_prices
from sageserve_env.world.measured.profiles import prefill_seconds
from sageserve_env.world.schema import TIERS, World

HOUR_S = 3600.0
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
REQUESTS_SCALE = 1e4
TOKENS_SCALE = 1e8
QUEUE_SCALE = 1e6
"""Counts are shown as log(1 + count) / log(1 + scale)."""

CARBON_SCALE = 1000.0
"""Grams for each kWh: about that of coal."""

REFERENCE_PROMPT_TOKENS = 4096
"""Arrival rates are shared by what a region's VMs could prefill if they did nothing else, in prompts of this size."""

PER_FLEET = 5


@dataclass(frozen=True)
class Feature:
    """One entry of the observation.

    Attributes:
        name: Where and what, e.g. ``"westus/llama-2-70b/unified/utilization"``.
        unit: Unit of the physical quantity.
        formula: How the entry is computed from it.
        low: Least value.
        high: Greatest value.
        is_queue_internal: Whether partial observability without queue internals hides it.
        is_noisy: Whether noise of the telemetry blurs it.
    """

    name: str
    unit: str
    formula: str
    low: float = 0.0
    high: float = 1.0
    is_queue_internal: bool = False
    is_noisy: bool = False


def observation_features(world: World) -> list[Feature]:
    """Every entry of the flat observation, in order: endpoint by endpoint, then regions, time, and what varies by the hour."""
    features = []
    for region in world.regions:
        for model in world.models:
            for pool in world.pools:
                features += endpoint_features(f"{region.name}/{model.name}/{pool.name}", world)
    for region in world.regions:
        for vm_type in world.vm_types:
            features.append(Feature(f"{region.name}/spare[{vm_type.name}]", "VMs", "spot VMs / VMs of the type in the region"))
    for period, seconds in (("hour", "3600 s"), ("day", "86400 s"), ("week", "604800 s")):
        for wave in ("sin", "cos"):
            features.append(Feature(f"time_of_{period}/{wave}", "1", f"{wave}(2 pi seconds since Monday 00:00 / {seconds})", -1.0))
    return features + [feature for region in world.regions for feature in hourly_features(region.name, world)]


def hourly_features(region: str, world: World) -> list[Feature]:
    """Entries of a region's carbon and prices, now and in an hour; none where they do not vary by the hour."""
    features = []
    for hour in ("now", "in an hour") if has_carbon(world) else ():
        formula = f"min(1, x / {CARBON_SCALE:g}), by the hour"
        features.append(Feature(f"{region}/carbon[{hour}]", "gCO2eq/kWh", formula))
    for hour in ("now", "in an hour") if has_hourly_prices(world) else ():
        features.append(Feature(f"{region}/price[{hour}]", "1", "factor on list prices / the world's largest"))
    return features


def hourly_entries(world: World) -> int:
    """Entries of one region in ``hourly_features``."""
    return len(hourly_features("", world))


def endpoint_features(place: str, world: World) -> list[Feature]:
    """Entries of one endpoint."""
    share = "count / VMs of the type in the region"
    features = [
        Feature(f"{place}/{name}[{vm_type.name}]", "VMs", share)
        for vm_type in world.vm_types
        for name in ("target", "active", "provisioning", "draining", "spot_same_model")
    ]
    used = "KV tokens in use / KV capacity of active instances; 1 without any"
    features.append(Feature(f"{place}/utilization", "1", used, is_noisy=True))
    for name, unit, scale in (("waiting", "requests", REQUESTS_SCALE), ("pending", "prompt tokens", TOKENS_SCALE)):
        formula = f"min(1, log(1 + x) / log(1 + {scale:.0e})), not yet admitted"
        features += [Feature(f"{place}/{name}[{tier}]", unit, formula, is_queue_internal=True, is_noisy=True) for tier in TIERS]
    rate = f"min(1, x / what the region's VMs prefill in prompts of {REFERENCE_PROMPT_TOKENS} tokens), by region of origin"
    for age in range(HISTORY):
        names = [f"{place}/arrivals[{tier},{age} intervals ago]" for tier in TIERS]
        features += [Feature(name, "prompt tokens/s", rate, is_noisy=True) for name in names]
    attained = "met / (completed - unattainable) in the last interval; 1 when none"
    features += [Feature(f"{place}/attainment[{tier}]", "1", attained) for tier in TIERS]
    queued = f"min(1, log(1 + x) / log(1 + {QUEUE_SCALE:.0e})), by origin"
    features.append(Feature(f"{place}/niw_queued", "requests", queued, is_noisy=True))
    features.append(Feature(f"{place}/niw_oldest", "s", "min(1, age of the oldest queued NIW / 86400 s)", is_noisy=True))
    return features


def rate_scales(world: World) -> NDArray[np.float64]:
    """Prompt tokens/s that a region's VMs prefill for a model if they do nothing else, shape (R, M)."""
    scales = np.zeros((len(world.regions), len(world.models)))
    for r, region in enumerate(world.regions):
        for m, model in enumerate(world.models):
            for vm_type, profile in model.profiles.items():
                seconds = prefill_seconds(profile, REFERENCE_PROMPT_TOKENS) + world.serving.iteration_overhead_s
                scales[r, m] += region.vm_capacity.get(vm_type, 0) * REFERENCE_PROMPT_TOKENS / float(seconds)
    return np.maximum(scales, 1.0)


@kernel
def log_share(count: float, scale: float) -> float:
    """A count on a logarithmic scale, 0 to 1."""
    return min(1.0, math.log1p(count) / math.log1p(scale))


@kernel
def encode(s: Sim, row: Any, target: Any, history: Any, served: Any, rate_scale: Any, vms: Any, out: Any) -> None:
    """Write the observation of an environment at a control instant.

    Args:
        s: The simulator's arrays.
        row: The environment's record, dtype ``ROW``.
        target: Instances wanted, shape (N * K,).
        history: Arrival tokens/s by interval, shape (HISTORY, R * M * T).
        served: Completed, met and unattainable at the start of the interval, shape (N * T, 3).
        rate_scale: Of :func:`rate_scales`, shape (R, M).
        vms: VMs by region and type, shape (R * K,).
        out: Written, shape (O,), float32.
    """
    place = 0
    for endpoint in range(s.endpoint.shape[0]):
        place = encode_fleet(s, endpoint, target, vms, out, place)
        place = encode_service(s, endpoint, history, served, rate_scale, out, place)
        place = encode_central_queue(s, endpoint, out, place)
    for spot in range(s.spot.shape[0]):
        out[place] = s.spot[spot].vms / max(vms[spot], 1)
        place += 1
    since_monday_s = row.week_start_s + s.clock[0].now_s
    for period_s in (HOUR_S, DAY_S, WEEK_S):
        angle = 2.0 * math.pi * (since_monday_s / period_s)
        out[place] = math.sin(angle)
        out[place + 1] = math.cos(angle)
        place += 2
    if s.settings[0].has_carbon or s.settings[0].has_hourly_prices:
        encode_hours(s, out, place)


@kernel
def encode_hours(s: Sim, out: Any, place: int) -> None:
    """Carbon and prices of each region, now and in an hour."""
    hour = math.floor((s.clock[0].week_start_s + s.clock[0].now_s) / 3600.0)
    for region in range(s.region.shape[0]):
        for ahead in range(2 if s.settings[0].has_carbon else 0):
            out[place] = min(1.0, s.carbon[region, (hour + ahead) % s.carbon.shape[1]] / CARBON_SCALE)
            place += 1
        for ahead in range(2 if s.settings[0].has_hourly_prices else 0):
            out[place] = s.price_factor[region, (hour + ahead) % s.price_factor.shape[1]] / s.settings[0].top_price_factor
            place += 1


@kernel
def encode_fleet(s: Sim, endpoint: int, target: Any, vms: Any, out: Any, place: int) -> int:
    """Instances of an endpoint by VM type and state, then its utilization."""
    ep, vm_types = s.endpoint[endpoint], s.settings[0].vm_types
    for vm_type in range(vm_types):
        fleet = s.fleet[endpoint * vm_types + vm_type]
        most = max(vms[ep.region * vm_types + vm_type], 1)
        out[place] = target[endpoint * vm_types + vm_type] / most
        out[place + 1] = fleet.active / most
        out[place + 2] = fleet.provisioning / most
        out[place + 3] = fleet.draining / most
        out[place + 4] = spot_holding(s, ep.region, vm_type, ep.model) / most
        place += PER_FLEET
    out[place] = utilization(s, endpoint)
    return place + 1


@kernel
def spot_holding(s: Sim, region: int, vm_type: int, model: int) -> int:
    """Spot VMs of a region and type that hold a model."""
    count = 0
    for vm in range(s.region[region].first_vm, s.region[region].first_vm + s.region[region].vms):
        inst = s.instance[vm]
        count += inst.state == SPOT and inst.vm_type == vm_type and inst.model == model
    return count


@kernel
def encode_service(s: Sim, endpoint: int, history: Any, served: Any, rate_scale: Any, out: Any, place: int) -> int:
    """What waits at an endpoint, what arrived in its region, and how well it served, by tier."""
    ep = s.endpoint[endpoint]
    origin = (ep.region * s.settings[0].models + ep.model) * N_TIERS
    for tier in range(N_TIERS):
        lane = s.lane[endpoint * N_TIERS + tier]
        out[place + tier] = log_share(lane.waiting, REQUESTS_SCALE)
        out[place + N_TIERS + tier] = log_share(lane.waiting_tokens, TOKENS_SCALE)
    place += 2 * N_TIERS
    for age in range(HISTORY):
        for tier in range(N_TIERS):
            out[place] = min(1.0, history[age, origin + tier] / rate_scale[ep.region, ep.model])
            place += 1
    for tier in range(N_TIERS):
        lane, before = s.lane[endpoint * N_TIERS + tier], served[endpoint * N_TIERS + tier]
        due = (lane.completed - before[0]) - (lane.slo_unattainable - before[2])
        out[place] = (lane.slo_met - before[1]) / due if due > 0 else 1.0
        place += 1
    return place


@kernel
def encode_central_queue(s: Sim, endpoint: int, out: Any, place: int) -> int:
    """NIW of the endpoint's model and region that waits centrally."""
    ep = s.endpoint[endpoint]
    origin = (ep.region * s.settings[0].models + ep.model) * N_TIERS + NIW
    head = s.central[origin].head
    out[place] = log_share(s.origin[origin].queued, QUEUE_SCALE)
    out[place + 1] = 0.0 if head == NONE else min(1.0, (s.clock[0].now_s - s.flight[head].arrival_s) / DAY_S)
    return place + 2
