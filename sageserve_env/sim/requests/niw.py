"""The queue manager of non-interactive requests: released where there is room, routed as interactive when old (paper section 5)."""

from __future__ import annotations

from sageserve_env.compile import kernel
from sageserve_env.sim.requests import queues
from sageserve_env.sim.requests.routing import origin_of, route, send, utilization
from sageserve_env.sim.state import IW_N, NIW, NONE, Sim


@kernel
def signal(s: Sim, endpoint: int) -> None:
    """An endpoint may have room: release one or two requests of its model to it, by how empty it is."""
    ep, settings = s.endpoint[endpoint], s.settings[0]
    if s.clock[0].niw_queued == 0 or ep.pool != settings.niw_pool or ep.active == 0:
        return
    load = utilization(s, endpoint)
    knobs = s.model_knobs[ep.model]
    released = 0
    if load <= knobs.release_low:
        released = settings.release_low_count
    elif load <= knobs.release_high:
        released = settings.release_high_count
    for _ in range(released):
        origin = longest_waiting(s, ep.region, ep.model)
        if origin == NONE:
            return
        send(s, take(s, origin), endpoint, ep.region)


@kernel
def longest_waiting(s: Sim, region: int, model: int) -> int:
    """The queue to release from: the region's own, else the one whose first request has waited longest."""
    own = origin_of(s, region, model, NIW)
    if s.central[own].head != NONE:
        return own
    best = NONE
    for other_region in range(s.settings[0].regions):
        other = origin_of(s, other_region, model, NIW)
        head = s.central[other].head
        if head != NONE and (best == NONE or s.flight[head].arrival_s < s.flight[s.central[best].head].arrival_s):
            best = other
    return best


@kernel
def take(s: Sim, origin: int) -> int:
    """Take the first request off a central queue."""
    slot = queues.pop(s.flight, s.central[origin])
    s.origin[origin].queued -= 1
    s.origin[origin].queued_tokens -= s.flight[slot].prompt
    s.clock[0].niw_queued -= 1
    return slot


@kernel
def promote_old(s: Sim) -> None:
    """Route requests that have grown old in a central queue like IW-N; that they go first then is for ``admission`` to see."""
    oldest_s = s.clock[0].now_s - s.settings[0].promote_after_s
    for origin in range(NIW, s.origin.shape[0], NIW + 1):
        queue = s.central[origin]
        while queue.head != NONE and s.flight[queue.head].arrival_s <= oldest_s:
            s.origin[origin].promoted += 1
            route(s, take(s, origin), IW_N)
