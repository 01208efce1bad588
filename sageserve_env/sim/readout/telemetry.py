"""What a policy sees: physical, named quantities at a control instant, one row for each endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim import state as st

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Telemetry:
    """The fleet at one instant. N endpoints, K VM types, T = 3 tiers, R regions, M models.

    Counts that say "so far" grow from the start of the run: take differences for the last interval.

    Attributes:
        now_s: Seconds since the start of the workload.
        region, model, pool: Where each endpoint is, indices into the world's tuples, shape (N,).
        active, provisioning, draining: Instances of each endpoint and VM type, shape (N, K).
        spot: VMs that serve nobody, of each region and type, shape (R, K).
        spot_same_model: Of those, the ones that hold the endpoint's model, shape (N, K).
        utilization: Effective memory utilization, 0 to 1, shape (N,); 1 where no instance is active.
        waiting, waiting_tokens: Requests at the endpoint that are not admitted, and their prompt tokens, shape (N, T).
        running: Requests admitted and not completed, shape (N, T).
        routed, routed_tokens: Requests that reached the endpoint so far, and their prompt tokens, shape (N, T).
        completed, slo_met, slo_unattainable: Requests so far, shape (N, T); the last: missed, and no fleet could have met it.
        arrived, arrived_tokens, rejected: Requests at the global router so far by origin, shape (R, M, T), and prompt tokens.
        breached: Of those, the ones past their service level so far that some fleet could have served in time, shape (R, M, T).
        queued, queued_tokens: NIW in the central queue by region of origin and model, shape (R, M).
        oldest_queued_s: Age of the oldest of them, shape (R, M); 0 where none waits.
        active_s, provisioning_s, draining_s: VM-seconds so far, shape (N, K).
        spot_s: VM-seconds given to spot customers so far, shape (R, K).
        failed: VMs of each region and type that are not there: failed, evicted, or of a region that is out; shape (R, K).
        failed_s: VM-seconds of such so far, shape (R, K).
        is_out: Whether each region is out, shape (R,), bool.
        retried: Times so far that a request was lost to a fault and went back to the global router, by origin, shape (R, M, T).
    """

    now_s: float
    region: Counts
    model: Counts
    pool: Counts
    active: Counts
    provisioning: Counts
    draining: Counts
    spot: Counts
    spot_same_model: Counts
    utilization: Reals
    waiting: Counts
    waiting_tokens: Counts
    running: Counts
    routed: Counts
    routed_tokens: Counts
    completed: Counts
    slo_met: Counts
    slo_unattainable: Counts
    arrived: Counts
    arrived_tokens: Counts
    rejected: Counts
    breached: Counts
    queued: Counts
    queued_tokens: Counts
    oldest_queued_s: Reals
    active_s: Reals
    provisioning_s: Reals
    draining_s: Reals
    spot_s: Reals
    failed: Counts
    failed_s: Reals
    is_out: NDArray[np.bool_]
    retried: Counts


def read_telemetry(
    arrays: dict[str, Any], n_regions: int, n_models: int, n_types: int, overdue: NDArray[np.int64] | None = None
) -> Telemetry:
    """Copy one environment's telemetry out of its state.

    Args:
        arrays: The state of one environment, by the names in ``STATE_FIELDS``, without the environment axis.
        n_regions: R.
        n_models: M.
        n_types: K.
        overdue: Breaches by origin that the state has not booked yet (``breaches.count_overdue``), shape (R * M * T,); None: none.
    """
    clock, endpoint, fleet = arrays["clock"][0], arrays["endpoint"], arrays["fleet"]
    lane = arrays["lane"].reshape(-1, st.N_TIERS)
    origin = arrays["origin"].reshape(n_regions, n_models, st.N_TIERS)
    heads = arrays["central"]["head"].reshape(origin.shape)
    by_type = fleet.reshape(-1, n_types)
    now_s = float(clock["now_s"])
    open_s = open_vm_seconds(arrays, now_s, n_types)
    return Telemetry(
        now_s=now_s,
        region=endpoint["region"].astype(np.int64),
        model=endpoint["model"].astype(np.int64),
        pool=endpoint["pool"].astype(np.int64),
        active=by_type["active"].astype(np.int64),
        provisioning=by_type["provisioning"].astype(np.int64),
        draining=by_type["draining"].astype(np.int64),
        spot=arrays["spot"]["vms"].astype(np.int64).reshape(n_regions, n_types),
        spot_same_model=count_spot_same_model(arrays, n_models, n_types),
        utilization=utilizations(endpoint),
        **{name: lane[name].copy() for name in LANE_COUNTS},
        arrived=origin["arrived"].copy(),
        arrived_tokens=origin["prompt_tokens"].copy(),
        rejected=origin["rejected"].copy(),
        breached=origin["breached"] + (0 if overdue is None else overdue.reshape(origin.shape)),
        queued=origin["queued"][:, :, st.NIW].copy(),
        queued_tokens=origin["queued_tokens"][:, :, st.NIW].copy(),
        oldest_queued_s=oldest_ages(arrays["flight"], heads[:, :, st.NIW], now_s),
        active_s=by_type["active_s"] + open_s["active"],
        provisioning_s=by_type["provisioning_s"] + open_s["provisioning"],
        draining_s=by_type["draining_s"] + open_s["draining"],
        spot_s=arrays["spot"]["spot_s"].reshape(n_regions, n_types) + open_s["spot"],
        failed=arrays["spot"]["failed"].astype(np.int64).reshape(n_regions, n_types),
        failed_s=arrays["spot"]["failed_s"].reshape(n_regions, n_types) + open_s["failed"],
        is_out=arrays["outage"]["causes"] > 0,
        retried=origin["retried"].copy(),
    )


LANE_COUNTS = (
    "waiting",
    "waiting_tokens",
    "running",
    "routed",
    "routed_tokens",
    "completed",
    "slo_met",
    "slo_unattainable",
)


def utilizations(endpoint: Any) -> Reals:
    """Effective memory utilization of each endpoint, shape (N,), by the same arithmetic as the kernel's."""
    used_bytes = endpoint["kv_used"] * endpoint["kv_token_bytes"]
    return np.where(endpoint["active"] > 0, used_bytes / np.maximum(endpoint["kv_bytes"], 1.0), 1.0)


def open_vm_seconds(arrays: dict[str, Any], now_s: float, n_types: int) -> dict[str, Reals]:
    """VM-seconds of every VM in its present state, which the state's sums do not hold: (N, K), spot and failed (R, K)."""
    inst = arrays["instance"]
    since_s = now_s - inst["state_since_s"]
    place = inst["endpoint"] * n_types + inst["vm_type"]

    def sums(state: int, where: NDArray[Any], n_places: int) -> Reals:
        chosen = inst["state"] == state
        return np.bincount(where[chosen], since_s[chosen], n_places).astype(np.float64).reshape(-1, n_types)

    n_fleets, region_type = len(arrays["fleet"]), inst["region"] * n_types + inst["vm_type"]
    return {
        "active": sums(st.ACTIVE, place, n_fleets),
        "provisioning": sums(st.PROVISIONING, place, n_fleets),
        "draining": sums(st.DRAINING, place, n_fleets),
        "spot": sums(st.SPOT, region_type, len(arrays["spot"])),
        "failed": sums(st.FAILED, region_type, len(arrays["spot"])),
    }


def count_spot_same_model(arrays: dict[str, Any], n_models: int, n_types: int) -> Counts:
    """Spot VMs of each endpoint's region that hold its model, shape (N, K)."""
    inst, endpoint = arrays["instance"], arrays["endpoint"]
    chosen = (inst["state"] == st.SPOT) & (inst["model"] != st.NONE)
    place = (inst["region"] * n_models + inst["model"]) * n_types + inst["vm_type"]
    n_places = (int(endpoint["region"].max()) + 1) * n_models * n_types
    held = np.bincount(place[chosen], minlength=n_places).reshape(-1, n_types)
    return held[endpoint["region"] * n_models + endpoint["model"]]


def oldest_ages(flight: Any, heads: NDArray[np.int32], now_s: float) -> Reals:
    """Age in seconds of the first request of each queue; 0 where a queue is empty."""
    return np.where(heads == st.NONE, 0.0, now_s - flight["arrival_s"][heads])
