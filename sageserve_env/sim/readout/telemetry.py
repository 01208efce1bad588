"""What a policy sees: physical, named quantities at a control instant, one row for each endpoint."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sageserve_env.compile import entry_point, kernel
from sageserve_env.sim.state import ACTIVE, DRAINING, FAILED, N_TIERS, NIW, NONE, PROVISIONING, SPOT
from sageserve_env.world.schema import World

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


AXES = {
    "now_s": "",
    **dict.fromkeys(("region", "model", "pool", "utilization"), "N"),
    **dict.fromkeys(("active", "provisioning", "draining", "spot_same_model", "active_s", "provisioning_s", "draining_s"), "NK"),
    **dict.fromkeys(("waiting", "waiting_tokens", "running", "routed", "routed_tokens"), "NT"),
    **dict.fromkeys(("completed", "slo_met", "slo_unattainable"), "NT"),
    **dict.fromkeys(("spot", "spot_s", "failed", "failed_s"), "RK"),
    **dict.fromkeys(("arrived", "arrived_tokens", "rejected", "breached", "retried"), "RMT"),
    **dict.fromkeys(("queued", "queued_tokens", "oldest_queued_s"), "RM"),
    "is_out": "R",
}
"""Axes of each field."""

DTYPES = {
    each.name: np.bool_ if each.name == "is_out" else np.int64 if each.type == "Counts" else np.float64
    for each in fields(Telemetry)
}
"""Of each field, in their order."""

Seen = namedtuple("Seen", DTYPES)  # type: ignore[misc]  # the fields are those of Telemetry
"""Where telemetry is written, inside the kernel."""


class Source(NamedTuple):
    """What telemetry is read from, inside the kernel: arrays of the state, see :class:`~sageserve_env.sim.state.Sim`."""

    clock: Any
    endpoint: Any
    lane: Any
    fleet: Any
    spot: Any
    origin: Any
    central: Any
    instance: Any
    flight: Any
    outage: Any


N_PLACES = len(DTYPES)

Places = dict[str, NDArray[Any]]
"""Where telemetry is written: an array for each field, in their order; ``now_s`` has shape ()."""


def read_telemetry(world: World, arrays: dict[str, Any]) -> Telemetry:
    """Copy one environment's telemetry out of its state.

    Args:
        world: The world that the state belongs to.
        arrays: The state of one environment, by the names in ``STATE_FIELDS``, without the environment axis.
    """
    places = new_places(len(arrays["endpoint"]), len(world.vm_types), len(world.regions), len(world.models))
    write_telemetry(places, arrays)
    values: dict[str, Any] = {**places, "now_s": float(places["now_s"])}
    return Telemetry(**values)


def new_places(n_endpoints: int, n_types: int, n_regions: int, n_models: int) -> Places:
    """Arrays to write telemetry into."""
    return {name: np.empty(shape, dtype) for name, shape, dtype in kinds(n_endpoints, n_types, n_regions, n_models)}


@lru_cache
def kinds(n_endpoints: int, n_types: int, n_regions: int, n_models: int) -> tuple[tuple[str, tuple[int, ...], np.dtype[Any]], ...]:
    """Name, shape and dtype of each field."""
    sizes = {"N": n_endpoints, "K": n_types, "T": N_TIERS, "R": n_regions, "M": n_models}
    return tuple((name, tuple(sizes[axis] for axis in AXES[name]), np.dtype(dtype)) for name, dtype in DTYPES.items())


def write_telemetry(places: Places, arrays: dict[str, Any]) -> None:
    """Write one environment's telemetry into arrays of the shapes and dtypes of :class:`Telemetry`'s.

    Args:
        places: The arrays.
        arrays: The state, as of :func:`read_telemetry`.
    """
    write(*places.values(), *(arrays[name] for name in Source._fields))


@entry_point
def write(*arrays: Any) -> None:
    """The work of :func:`write_telemetry`: arrays of :class:`Seen`, then of :class:`Source`."""
    seen: Any = Seen(*arrays[:N_PLACES])
    s = Source(*arrays[N_PLACES:])
    seen.now_s[()] = s.clock[0].now_s
    write_fleet(seen, s)
    write_requests(seen, s)
    write_instances(seen, s)


@kernel
def write_fleet(seen: Any, s: Any) -> None:
    """Endpoints, regions, and their VMs by type."""
    n_types = seen.active.shape[1]
    for n in range(s.endpoint.shape[0]):
        endpoint = s.endpoint[n]
        seen.region[n], seen.model[n], seen.pool[n] = endpoint.region, endpoint.model, endpoint.pool
        used_bytes = endpoint.kv_used * endpoint.kv_token_bytes
        seen.utilization[n] = used_bytes / max(endpoint.kv_bytes, 1.0) if endpoint.active > 0 else 1.0
        for k in range(n_types):
            fleet = s.fleet[n * n_types + k]
            seen.active[n, k], seen.provisioning[n, k], seen.draining[n, k] = fleet.active, fleet.provisioning, fleet.draining
            seen.spot_same_model[n, k] = 0
    for r in range(s.outage.shape[0]):
        seen.is_out[r] = s.outage[r].causes > 0
        for k in range(n_types):
            spot = s.spot[r * n_types + k]
            seen.spot[r, k], seen.failed[r, k] = spot.vms, spot.failed


@kernel
def write_requests(seen: Any, s: Any) -> None:
    """Requests by endpoint and tier, and by origin."""
    for n in range(seen.waiting.shape[0]):
        for tier in range(N_TIERS):
            lane = s.lane[n * N_TIERS + tier]
            seen.waiting[n, tier], seen.waiting_tokens[n, tier] = lane.waiting, lane.waiting_tokens
            seen.running[n, tier] = lane.running
            seen.routed[n, tier], seen.routed_tokens[n, tier] = lane.routed, lane.routed_tokens
            seen.completed[n, tier], seen.slo_met[n, tier] = lane.completed, lane.slo_met
            seen.slo_unattainable[n, tier] = lane.slo_unattainable
    for r in range(seen.queued.shape[0]):
        for m in range(seen.queued.shape[1]):
            first = (r * seen.queued.shape[1] + m) * N_TIERS
            for tier in range(N_TIERS):
                origin = s.origin[first + tier]
                seen.arrived[r, m, tier], seen.arrived_tokens[r, m, tier] = origin.arrived, origin.prompt_tokens
                seen.rejected[r, m, tier], seen.breached[r, m, tier] = origin.rejected, origin.breached
                seen.retried[r, m, tier] = origin.retried
            niw, head = s.origin[first + NIW], s.central[first + NIW].head
            seen.queued[r, m], seen.queued_tokens[r, m] = niw.queued, niw.queued_tokens
            seen.oldest_queued_s[r, m] = s.clock[0].now_s - s.flight[head].arrival_s if head != NONE else 0.0


@kernel
def write_instances(seen: Any, s: Any) -> None:
    """What is counted from one VM to the next: VM-seconds by state, and spot VMs that hold a model."""
    n_types, n_models = seen.active.shape[1], seen.queued.shape[1]
    n_pools = seen.active.shape[0] // (seen.queued.shape[0] * n_models)
    seen.active_s[:], seen.provisioning_s[:], seen.draining_s[:], seen.spot_s[:], seen.failed_s[:] = 0.0, 0.0, 0.0, 0.0, 0.0
    for vm in range(s.instance.shape[0]):
        inst = s.instance[vm]
        n, r, k, since_s = inst.endpoint, inst.region, inst.vm_type, s.clock[0].now_s - inst.state_since_s
        if inst.state == ACTIVE:
            seen.active_s[n, k] += since_s
        elif inst.state == PROVISIONING:
            seen.provisioning_s[n, k] += since_s
        elif inst.state == DRAINING:
            seen.draining_s[n, k] += since_s
        elif inst.state == FAILED:
            seen.failed_s[r, k] += since_s
        elif inst.state == SPOT:
            seen.spot_s[r, k] += since_s
            if inst.model != NONE:
                first = (r * n_models + inst.model) * n_pools
                for n in range(first, first + n_pools):
                    seen.spot_same_model[n, k] += 1
    for n in range(seen.active.shape[0]):
        for k in range(n_types):
            fleet = s.fleet[n * n_types + k]
            seen.active_s[n, k] += fleet.active_s
            seen.provisioning_s[n, k] += fleet.provisioning_s
            seen.draining_s[n, k] += fleet.draining_s
    for r in range(seen.spot.shape[0]):
        for k in range(n_types):
            seen.spot_s[r, k] += s.spot[r * n_types + k].spot_s
            seen.failed_s[r, k] += s.spot[r * n_types + k].failed_s
