"""Faults as events: a VM or a region goes down and comes back, a VM is about to be evicted, the router's view is renewed.

Each source of faults alternates between up and down by times of its own, drawn an interval ahead or planned, whatever a policy
does. What takes a VM down is counted, and the VM is there again when nothing keeps it down any more.
"""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import entry_point, kernel, rare
from sageserve_env.sim.events import NEVER_S, schedule
from sageserve_env.sim.faults.draws import exponential_at, log_normal_at
from sageserve_env.sim.faults.outages import is_outage, leaves_a_region
from sageserve_env.sim.faults.retry import lose_held, lose_requests, lose_travelling, send_again
from sageserve_env.sim.instances.vms import change_state, donate, drain, leave_endpoint, source_of
from sageserve_env.sim.requests.routing import utilization
from sageserve_env.sim.state import (
    ACTIVE,
    DOWN,
    EVICTION,
    FAILED,
    FAILURE_PLANNED,
    NONE,
    NOTICE,
    OUTAGE_DRAWN,
    PROVISIONING,
    REFRESH,
    SPOT,
    UP,
    Sim,
)
from sageserve_env.workload.drawn.rng import FAILURES


@entry_point
def begin_faults(seed: int, *arrays: Any) -> None:
    """Draw and schedule the first fault of every source, at time zero; ``arrays`` are those of :class:`Sim`."""
    begin(Sim(*arrays), seed)


@kernel
def begin(s: Sim, seed: int) -> None:
    """The work of :func:`begin_faults`."""
    s.clock[0].fault_seed = seed
    for vm in range(s.instance.shape[0]):
        s.instance[vm].taken = 0
    for place in range(s.fault.shape[0]):
        source = s.fault[place]
        if source.kind == REFRESH:
            refresh(s, place)
        elif source.kind <= OUTAGE_DRAWN:
            draw_next(s, place, 0.0)
        else:
            schedule(s.fault_event, place, source.start_s)
    if s.fault.shape[0] > 0:
        schedule_next(s)


@kernel
def schedule_next(s: Sim) -> None:
    """The first of all pending faults is one event of the simulator, the source behind the VMs."""
    schedule(s.event, source_of(s, s.instance.shape[0]), s.fault_event[1].time_s)


@rare
def fault(s: Sim) -> None:
    """The next source of faults acts."""
    place = s.fault_event[1].source
    source = s.fault[place]
    if source.kind == REFRESH:
        refresh(s, place)
    elif source.phase == DOWN:
        come_back(s, place)
    elif source.kind == EVICTION and source.phase == UP:
        give_notice(s, place)
    elif source.kind == OUTAGE_DRAWN and not leaves_a_region(s, place):
        draw_next(s, place, s.clock[0].now_s)
    else:
        go_down(s, place)
    schedule_next(s)


@kernel
def draw_next(s: Sim, place: int, from_s: float) -> None:
    """Draw when a source that is up from ``from_s`` on takes its VM or region down, and for how long."""
    source, law = s.fault[place], s.fault_law[s.fault[place].kind]
    purpose, draw = FAILURES + source.kind, 2 * source.drawn
    index = source.region if source.vm == NONE else source.vm
    if law.rate > 0.0:
        up_s = exponential_at(s, purpose, index, draw, law.rate)
    else:
        up_s = log_normal_at(s, purpose, index, draw, law.up_mu, law.up_sigma)
    source.up_s = from_s
    source.start_s = from_s + up_s
    source.end_s = source.start_s + log_normal_at(s, purpose, index, draw + 1, law.down_mu, law.down_sigma)
    source.drawn += 1
    source.phase = UP
    notice_s = s.settings[0].eviction_notice_s if source.kind == EVICTION else 0.0
    schedule(s.fault_event, place, max(source.start_s - notice_s, from_s))


@kernel
def give_notice(s: Sim, place: int) -> None:
    """A VM is about to be evicted: nobody takes it any more, and it stops to provision or to take requests."""
    source, inst = s.fault[place], s.instance[s.fault[place].vm]
    source.phase = NOTICE
    inst.noticed = 1
    if inst.state == ACTIVE:
        drain(s, source.vm)
    elif inst.state == PROVISIONING:
        inst.fetched = 0
        donate(s, source.vm)
    schedule(s.fault_event, place, source.start_s)


@kernel
def go_down(s: Sim, place: int) -> None:
    """A source takes its VM or region down, and what ran there goes back to the router."""
    source, clock = s.fault[place], s.clock[0]
    source.phase = DOWN
    if is_outage(source):
        end_outages(s)
        take_region_down(s, source.region)
    elif source.kind == EVICTION:
        clock.evictions += 1
        s.instance[source.vm].noticed = 0
        take_down(s, source.vm)
    else:
        if source.kind == FAILURE_PLANNED:
            source.vm = next_to_fail(s, source.region, source.vm_type)
        if source.vm != NONE:
            clock.failures += 1
            take_down(s, source.vm)
    send_again(s)
    schedule(s.fault_event, place, source.end_s)


@kernel
def come_back(s: Sim, place: int) -> None:
    """A source lets its VM or region come back; a planned one is done."""
    source = s.fault[place]
    if is_outage(source):
        bring_region_back(s, source.region)
    elif source.vm != NONE:
        bring_back(s, source.vm)
    if source.kind <= OUTAGE_DRAWN:
        draw_next(s, place, source.end_s)
    else:
        source.phase = UP
        schedule(s.fault_event, place, NEVER_S)


@kernel
def end_outages(s: Sim) -> None:
    """Outages that end now end before another begins, so that a region stays up."""
    for place in range(s.fault.shape[0]):
        source = s.fault[place]
        if is_outage(source) and source.phase == DOWN and source.end_s <= s.clock[0].now_s:
            come_back(s, place)


@kernel
def next_to_fail(s: Sim, region: int, vm_type: int) -> int:
    """The first VM of a type that serves, else the first that is up; ``NONE`` where all are down."""
    first = NONE
    for vm in range(s.region[region].first_vm, s.region[region].first_vm + s.region[region].vms):
        inst = s.instance[vm]
        if inst.vm_type != vm_type or inst.state == FAILED:
            continue
        if inst.state == ACTIVE:
            return vm
        if first == NONE:
            first = vm
    return first


@kernel
def take_down(s: Sim, vm: int) -> None:
    """One more cause keeps a VM down; the first makes it fail, with all that it runs and the weights that it holds."""
    inst = s.instance[vm]
    inst.causes += 1
    if inst.causes > 1:
        return
    if inst.state == ACTIVE:
        leave_endpoint(s, vm)
    lose_requests(s, vm)
    change_state(s, vm, FAILED)
    inst.endpoint = inst.model = NONE
    inst.fetched = 0
    schedule(s.event, source_of(s, vm), NEVER_S)


@kernel
def bring_back(s: Sim, vm: int) -> None:
    """One cause less keeps a VM down; after the last it is spot, and blank."""
    inst = s.instance[vm]
    inst.causes -= 1
    if inst.causes == 0:
        change_state(s, vm, SPOT)
        inst.released_s = inst.state_since_s


@kernel
def take_region_down(s: Sim, region: int) -> None:
    """One more cause keeps a region out; the first takes its VMs, what its endpoints hold, and what is on its way there."""
    outage = s.outage[region]
    outage.causes += 1
    outage.outages += 1
    if outage.causes > 1:
        return
    outage.since_s = s.clock[0].now_s
    for vm in range(s.region[region].first_vm, s.region[region].first_vm + s.region[region].vms):
        take_down(s, vm)
    lose_held(s, region)
    lose_travelling(s, region)


@kernel
def bring_region_back(s: Sim, region: int) -> None:
    """One cause less keeps a region out; after the last its VMs come back."""
    outage = s.outage[region]
    outage.causes -= 1
    if outage.causes > 0:
        return
    outage.out_s += s.clock[0].now_s - outage.since_s
    for vm in range(s.region[region].first_vm, s.region[region].first_vm + s.region[region].vms):
        bring_back(s, vm)


@kernel
def refresh(s: Sim, place: int) -> None:
    """The global router reads every utilization, and sees it until the next time."""
    source = s.fault[place]
    for endpoint in range(s.endpoint.shape[0]):
        s.endpoint[endpoint].seen_utilization = utilization(s, endpoint)
    source.drawn += 1
    schedule(s.fault_event, place, source.drawn * s.settings[0].router_telemetry_s)
