"""Metrics read out of the simulator's state: merge what is alike, then describe it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim import state as st
from sageserve_env.sim.readout.metrics import ALL, FleetRow, Metrics, ServiceRow, SpotRow
from sageserve_env.sim.readout.spending import Spending
from sageserve_env.sim.readout.telemetry import read_telemetry
from sageserve_env.sim.serving.latency import percentiles
from sageserve_env.world.schema import World

Cells = dict[str, NDArray[Any]]
"""Arrays whose first three axes are (region, model, tier), or (region, model, VM type)."""

HOUR_S = 3600.0
SHARES = np.array([0.50, 0.75, 0.90, 0.95, 0.99])
SERVICE_SCOPES = {
    "total": (0, 1, 2),
    "tier": (0, 1),
    "model": (0, 2),
    "model-tier": (0,),
    "region": (1, 2),
    "model-region-tier": (),
}
"""The axes over which each scope merges."""

FLEET_SCOPES = {"total": (0, 1, 2), "model": (0, 2), "region": (1, 2), "model-region-vm_type": ()}

LANE_SUMS = (
    "completed",
    "waiting",
    "running",
    "prompt_tokens",
    "output_tokens",
    "slo_met",
    "ttft_sum_s",
    "e2e_sum_s",
    "tpot_sum_s",
)
ORIGIN_SUMS = ("arrived", "rejected", "queued", "promoted", "retried")
FLEET_SUMS = ("active", "provisioning", "draining", "scale_outs", "scale_ins")
FREED_TIER = 255


@dataclass(frozen=True)
class RunningSums:
    """Sums that grow from the start of a run; what two of them differ by describes the time between. N endpoints, T tiers.

    Attributes:
        ttft_counts: Completed requests by time to first token, in the bins of ``sim.serving.latency``, shape (T, N_BINS).
        tpot_counts: Those of two output tokens or more by time for each token after the first, likewise.
        kv_used, kv_capacity: KV token-seconds in use, and had, by each endpoint's active instances, shape (N,).
        spending: Dollars, energy, carbon.
    """

    ttft_counts: NDArray[np.int64]
    tpot_counts: NDArray[np.int64]
    kv_used: NDArray[np.float64]
    kv_capacity: NDArray[np.float64]
    spending: Spending


def read_running_sums(arrays: dict[str, Any], spending: Spending) -> RunningSums:
    """The running sums of one environment's state, as for :func:`read_metrics`."""
    hist = arrays["hist"].reshape(-1, st.N_TIERS, st.N_LATENCIES, st.N_BINS)
    ttft, tpot = (hist[:, :, kind].sum(axis=0, dtype=np.int64) for kind in (st.TTFT, st.TPOT))
    return RunningSums(ttft, tpot, *kv_token_seconds(arrays), spending)


def kv_token_seconds(arrays: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """KV token-seconds in use and had by each endpoint up to now, shapes (N,)."""
    endpoint = arrays["endpoint"]
    since_s = arrays["clock"][0]["now_s"] - endpoint["kv_since_s"]
    used = endpoint["kv_used_integral"] + endpoint["kv_used"] * since_s
    return used, endpoint["kv_capacity_integral"] + endpoint["kv_capacity"] * since_s


def read_metrics(world: World, arrays: dict[str, Any], spending: Spending) -> Metrics:
    """The metrics of one environment's state.

    Args:
        world: The world that the state belongs to.
        arrays: The state of one environment, by the names in ``STATE_FIELDS``, without the environment axis.
        spending: What that state has spent.
    """
    clock = arrays["clock"][0]
    service, fleet = service_cells(world, arrays), fleet_cells(world, arrays, spending)
    return Metrics(
        now_s=float(clock["now_s"]),
        events=int(clock["events"]),
        preempted=int(clock["preempted"]),
        blocked_scale_outs=int(clock["blocked_scale_outs"]),
        failures=int(clock["failures"]),
        evictions=int(clock["evictions"]),
        outages=int(arrays["outage"]["outages"].sum()),
        outage_s=outage_s(arrays),
        service=tuple(row for scope in SERVICE_SCOPES for row in service_rows(world, scope, service)),
        fleet=tuple(row for scope in FLEET_SCOPES for row in fleet_rows(world, scope, fleet)),
        spot=spot_rows(world, arrays),
        egress_usd=float(spending.egress_usd.sum()),
    )


def outage_s(arrays: dict[str, Any]) -> float:
    """Seconds that regions were out up to now, summed over regions."""
    outage, now_s = arrays["outage"], arrays["clock"][0]["now_s"]
    return float((outage["out_s"] + np.where(outage["causes"] > 0, now_s - outage["since_s"], 0.0)).sum())


def service_cells(world: World, arrays: dict[str, Any]) -> Cells:
    """Counts, sums and histograms by (region, model, tier), pools merged."""
    n_regions, n_models = len(world.regions), len(world.models)
    lane = arrays["lane"].reshape(n_regions, n_models, len(world.pools), st.N_TIERS)
    origin = arrays["origin"].reshape(n_regions, n_models, st.N_TIERS)
    hist = arrays["hist"].reshape(*lane.shape, st.N_LATENCIES, st.N_BINS)
    unfinished = unfinished_cells(world, arrays)
    return {
        **{name: lane[name].sum(axis=2) for name in LANE_SUMS},
        **{name: origin[name] for name in ORIGIN_SUMS},
        "arrived_prompt_tokens": origin["prompt_tokens"],
        "hist": hist.sum(axis=2, dtype=np.int64),
        "overdue": unfinished["overdue"],
        "unattainable": lane["slo_unattainable"].sum(axis=2) + unfinished["hopeless"] + origin["rejected"],
        "travelling": unfinished["sent"] - lane["waiting"].sum(axis=2) - lane["running"].sum(axis=2),
        "oldest_queued_s": unfinished["oldest_queued_s"],
        "oldest_unfinished_s": unfinished["oldest_unfinished_s"],
    }


def unfinished_cells(world: World, arrays: dict[str, Any]) -> Cells:
    """Of the requests in flight: those sent to an endpoint, those overdue, of these the hopeless, and the greatest ages."""
    now_s, used = float(arrays["clock"][0]["now_s"]), int(arrays["clock"][0]["flight_used"])
    slots = arrays["flight"][:used]
    requests = slots[slots["tier"] != FREED_TIER]
    tier = requests["tier"].astype(np.int64)
    is_sent = requests["endpoint"] != st.NONE
    region = np.where(is_sent, arrays["endpoint"]["region"][requests["endpoint"]], requests["origin"])
    shape = (len(world.regions), len(world.models), st.N_TIERS)
    place = np.ravel_multi_index((region, requests["model"].astype(np.int64), tier), shape)
    first_s = np.where(tier == st.NIW, now_s, np.minimum(requests["first_token_s"], now_s))
    is_overdue = first_s - requests["arrival_s"] > np.array([level.slo_s for level in world.tiers])[tier]
    tpot_s = np.array([level.tpot_s or np.inf for level in world.tiers])[tier]
    is_overdue |= now_s - requests["first_token_s"] > tpot_s * np.maximum(requests["output"] - 1, 1)
    is_overdue |= requests["breached"] != 0  # late before a fault took it
    age_s = now_s - requests["arrival_s"]
    return {
        "sent": tally(place[is_sent], shape),
        "overdue": tally(place[is_overdue], shape),
        "hopeless": tally(place[is_overdue & (requests["unattainable"] != 0)], shape),
        "oldest_queued_s": greatest(age_s[~is_sent], place[~is_sent], shape),
        "oldest_unfinished_s": greatest(age_s, place, shape),
    }


def tally(place: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """How often each flat index occurs."""
    return np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)


def greatest(values: NDArray[np.float64], place: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The greatest value at each flat index; 0 where none is."""
    result = np.zeros(int(np.prod(shape)))
    np.maximum.at(result, place, values)
    return result.reshape(shape)


def merge(cells: Cells, axes: tuple[int, ...]) -> Cells:
    """Cells merged over axes, which stay with length 1: ages by their maximum, everything else by its sum."""
    return {
        name: values.max(axis=axes, keepdims=True) if name.startswith("oldest") else values.sum(axis=axes, keepdims=True)
        for name, values in cells.items()
    }


def service_rows(world: World, scope: str, cells: Cells) -> list[ServiceRow]:
    """The rows of one scope, in the order of the world's tuples."""
    merged = merge(cells, SERVICE_SCOPES[scope])
    hist = merged.pop("hist")
    merged["timed"] = hist[..., st.TPOT, :].sum(axis=-1)
    values = {**merged, **derived(merged)}
    for index, name in ((st.TTFT, "ttft"), (st.E2E, "e2e"), (st.TPOT, "tpot")):
        values |= latencies(hist[..., index, :], name)
        del values[f"{name}_sum_s"]
    del values["timed"]
    regions, models = [region.name for region in world.regions], [model.name for model in world.models]
    rows = []
    for place in np.ndindex(merged["completed"].shape):
        region, model, tier = named(SERVICE_SCOPES[scope], place, regions, models, [tier.name for tier in world.tiers])
        rows.append(ServiceRow(scope, model, region, tier, **{name: array[place].item() for name, array in values.items()}))
    return rows


def derived(cells: Cells) -> Cells:
    """What follows from merged sums: misses, shares and means; NaN where nothing was counted."""
    missed = cells["completed"] - cells["slo_met"] + cells["overdue"] + cells["rejected"]
    decided = cells["slo_met"] + missed
    return {
        "slo_missed": missed,
        "slo_attainment": ratio(cells["slo_met"], decided),
        "slo_attainment_of_attainable": ratio(cells["slo_met"], decided - cells["unattainable"]),
        "ttft_mean_s": ratio(cells["ttft_sum_s"], cells["completed"]),
        "e2e_mean_s": ratio(cells["e2e_sum_s"], cells["completed"]),
        "tpot_mean_s": ratio(cells["tpot_sum_s"], cells["timed"]),
    }


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """A quotient; NaN where the denominator is 0."""
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), np.nan)


def latencies(hist: NDArray[np.int64], name: str) -> Cells:
    """Percentiles of histograms, one array for each share, in seconds."""
    seconds = percentiles(hist, SHARES)
    return {f"{name}_p{share * 100:.0f}_s": seconds[..., index] for index, share in enumerate(SHARES)}


def named(axes: tuple[int, ...], place: tuple[int, ...], *names: list[str]) -> list[str]:
    """Names of a place along each axis; ``"all"`` along merged axes."""
    return [ALL if axis in axes else names[axis][index] for axis, index in enumerate(place)]


def fleet_cells(world: World, arrays: dict[str, Any], spending: Spending) -> Cells:
    """Instances, hours, costs and memory byte-seconds by (region, model, VM type), pools merged; memory over all types."""
    places = (len(world.regions), len(world.models), len(world.pools))
    fleet = arrays["fleet"].reshape(*places, len(world.vm_types))
    seen = read_telemetry(world, arrays)
    seconds = {"active": seen.active_s, "provisioning": seen.provisioning_s, "draining": seen.draining_s}
    hours = {f"{name}_h": vm_s.reshape(fleet.shape).sum(axis=2) / HOUR_S for name, vm_s in seconds.items()}
    token_bytes = np.array([model.kv_bytes_per_token for model in world.models])[:, None]
    used, capacity = (token_s.reshape(places) for token_s in kv_token_seconds(arrays))
    return {
        **{name: fleet[name].sum(axis=2, dtype=np.int64) for name in FLEET_SUMS},
        **hours,
        "peak_15min_h": quarter_peaks_s(arrays).reshape(fleet.shape).sum(axis=2) / HOUR_S,
        "waste_by_moves_h": fleet["scale_outs"].sum(axis=2) * world.lead_times.redeploy_s / HOUR_S,
        "dollars": spending.vm_usd.reshape(fleet.shape).sum(axis=2),
        "energy_kwh": spending.energy_kwh.reshape(fleet.shape).sum(axis=2),
        "carbon_kg": spending.carbon_kg.reshape(fleet.shape).sum(axis=2),
        "kv_used": used.sum(axis=2, keepdims=True) * token_bytes,
        "kv_capacity": capacity.sum(axis=2, keepdims=True) * token_bytes,
    }


def quarter_peaks_s(arrays: dict[str, Any]) -> NDArray[np.float64]:
    """Seconds up to now times the most active instances of each quarter of an hour, by (endpoint, VM type), shape (N * K,)."""
    fleet, now_s = arrays["fleet"], float(arrays["clock"][0]["now_s"])
    quarter = int(now_s // st.QUARTER_S)
    since = quarter - fleet["quarter"]
    peak = np.where(now_s > fleet["changed_s"], np.maximum(fleet["quarter_peak"], fleet["active"]), fleet["quarter_peak"])
    closed = fleet["peaks"] + np.where(since > 0, peak + (since - 1) * fleet["active"], 0)
    open_peak = np.where(since > 0, fleet["active"], peak)
    seconds: NDArray[np.float64] = st.QUARTER_S * closed + (now_s - st.QUARTER_S * quarter) * open_peak
    return seconds


def fleet_rows(world: World, scope: str, cells: Cells) -> list[FleetRow]:
    """The rows of one scope, in the order of the world's tuples."""
    values = merge(cells, FLEET_SCOPES[scope])
    shape = values["active"].shape
    values["mean_utilization"] = np.broadcast_to(ratio(values.pop("kv_used"), values.pop("kv_capacity")), shape)
    regions, models = [region.name for region in world.regions], [model.name for model in world.models]
    rows = []
    for place in np.ndindex(shape):
        region, model, vm_type = named(FLEET_SCOPES[scope], place, regions, models, [kind.name for kind in world.vm_types])
        rows.append(FleetRow(scope, model, region, vm_type, **{name: array[place].item() for name, array in values.items()}))
    return rows


def spot_rows(world: World, arrays: dict[str, Any]) -> tuple[SpotRow, ...]:
    """One row for each region and VM type."""
    seen = read_telemetry(world, arrays)
    donated_h, failed_h = seen.spot_s.ravel() / HOUR_S, seen.failed_s.ravel() / HOUR_S
    vms, failed = seen.spot.ravel().tolist(), seen.failed.ravel().tolist()
    places = itertools.product(world.regions, world.vm_types)
    return tuple(
        SpotRow(region.name, vm_type.name, vms[index], float(donated_h[index]), failed[index], float(failed_h[index]))
        for index, (region, vm_type) in enumerate(places)
    )
