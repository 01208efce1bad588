"""The event loop: pop what happens next, set the clock, call its handler."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import entry_point, kernel
from sageserve_env.sim.events import schedule
from sageserve_env.sim.faults.events import fault
from sageserve_env.sim.instances.scaling import best_spot, enforce_bounds, instance_ready, scale_by_utilization, scale_tick
from sageserve_env.sim.instances.vms import acquire, activate
from sageserve_env.sim.requests.admission import rejoin_expired
from sageserve_env.sim.requests.queues import has_room
from sageserve_env.sim.requests.routing import arrival
from sageserve_env.sim.serving.batching import iteration_end, reach_region
from sageserve_env.sim.state import BATCH_LIMIT, PROVISIONING, Sim

REACHED, CHUNK_USED, FLIGHT_FULL, LOG_FULL, EVENTS_DONE = 0, 1, 2, 3, 4
"""Why :func:`advance` returned."""


@entry_point
def advance(until_s: float, is_last_chunk: bool, max_events: int, *arrays: Any) -> int:
    """Simulate every event before ``until_s``, or stop early when Python must act. ``arrays`` are those of :class:`Sim`.

    An arrival goes before an event of the same time; events of the same time go in the order of their sources.
    """
    return run(Sim(*arrays), until_s, is_last_chunk, max_events)


@kernel
def run(s: Sim, until_s: float, is_last_chunk: bool, max_events: int) -> int:
    """The loop of :func:`advance`."""
    clock, first = s.clock[0], s.event[1]
    last_event = clock.events + max_events
    log_limit = s.log.shape[0] - BATCH_LIMIT if s.log.shape[0] > 0 else 1 << 62
    while clock.events < last_event:
        if clock.log_rows > log_limit:
            return LOG_FULL
        if clock.cursor < s.requests.shape[0]:
            row = s.requests[clock.cursor]
            if row.arrival_s <= first.time_s and row.arrival_s < until_s:
                if not has_room(s):
                    return FLIGHT_FULL
                clock.now_s = row.arrival_s
                clock.cursor += 1
                arrival(s, row)
                clock.events += 1
                continue
        elif not is_last_chunk:
            return CHUNK_USED
        if first.time_s >= until_s:
            clock.now_s = until_s
            return REACHED
        clock.now_s = first.time_s
        handle(s, first.source)
        clock.events += 1
    return EVENTS_DONE


@kernel
def handle(s: Sim, source: int) -> None:
    """Call the handler of what happened: sources are the ways between regions, the tick, the VMs, then faults."""
    ways = s.transit.shape[0]
    if source > ways:
        vm = source - ways - 1
        if vm == s.instance.shape[0]:
            fault(s)
        elif s.instance[vm].state == PROVISIONING:
            instance_ready(s, vm)
        else:
            iteration_end(s, vm)
    elif source < ways:
        if s.settings[0].scale_on_arrival:
            scale_by_utilization(s, s.flight[s.transit[source].head].endpoint)
        reach_region(s, source)
    else:
        scale_tick(s)


@entry_point
def settle(order: int, *arrays: Any) -> None:
    """Put new knobs into force: bounds move endpoints at once, and waiting requests fall in with a new admission order."""
    put_in_force(Sim(*arrays), order)


@kernel
def put_in_force(s: Sim, order: int) -> None:
    """The work of :func:`settle`."""
    if order != s.clock[0].order:
        s.clock[0].order = order
        for vm in range(s.instance.shape[0]):
            rejoin_expired(s.flight, s.queue[vm])
    for endpoint in range(s.endpoint.shape[0]):
        enforce_bounds(s, endpoint)


@entry_point
def deploy(instances: Any, *arrays: Any) -> None:
    """Start the clock with a fleet in place: ``instances`` (N, K) of each endpoint and VM type, active at once."""
    s = Sim(*arrays)
    for endpoint in range(s.endpoint.shape[0]):
        for vm_type in range(s.settings[0].vm_types):
            for _ in range(instances[endpoint, vm_type]):
                vm = best_spot(s, endpoint, vm_type)
                acquire(s, vm, endpoint)
                activate(s, vm)
    schedule(s.event, s.transit.shape[0], s.settings[0].tick_s)
