"""The invariants of the state, verified at any instant: see docs/invariants.md, whose numbers these are."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import entry_point, kernel
from sageserve_env.sim.faults.outages import is_outage
from sageserve_env.sim.serving.heap import SLOT_BITS, SLOT_MASK
from sageserve_env.sim.state import (
    ACTIVE,
    DECODE_QUEUE,
    DOWN,
    DRAINING,
    FAILED,
    N_QUEUES,
    N_TIERS,
    NONE,
    PROVISIONING,
    SPOT,
    Sim,
)

INVARIANTS = {
    1: "requests: arrived = rejected + completed + in flight",
    2: "requests: everything in flight is in exactly one place, and the counts by endpoint, tier and origin say so",
    3: "KV: an instance's memory in use is that of its members and within its capacity",
    4: "KV: an endpoint's memory is the sum over its active instances",
    5: "VMs: every VM is in one state, and the counts by endpoint and region say so",
    6: "clock: no pending event lies in the past",
    7: "queues: an instance's pending tokens, context tokens and waiting requests are those of its lists and its batch",
    8: "work: an instance with members runs, one without has nothing waiting",
    9: "faults: a VM is down exactly while some fault keeps it down, and nothing is at, or on its way to, a region that is out",
}
"""What each number verifies."""


@entry_point
def first_broken(*arrays: Any) -> int:
    """The number of the first invariant that does not hold; 0 where all do. O(state): for tests and debugging.

    ``arrays`` are those of :class:`Sim`.
    """
    s = Sim(*arrays)
    in_flight = count_in_flight(s)
    clock = s.clock[0]
    if clock.arrived != clock.rejected + clock.completed + in_flight:
        return 1
    if placed(s) != in_flight or not lanes_agree(s) or not origins_agree(s):
        return 2
    for vm in range(s.instance.shape[0]):
        if not memory_agrees(s, vm):
            return 3
        if not queues_agree(s, vm):
            return 7
        if not is_at_work(s, vm):
            return 8
    for endpoint in range(s.endpoint.shape[0]):
        if not endpoint_memory_agrees(s, endpoint):
            return 4
    if not vms_agree(s):
        return 5
    if not faults_agree(s) or not outages_are_empty(s):
        return 9
    return 0 if s.event[1].time_s >= clock.now_s else 6


@kernel
def count_in_flight(s: Sim) -> int:
    """Slots of the pool in use."""
    free = 0
    slot = s.clock[0].flight_free
    while slot != NONE:
        free += 1
        slot = s.flight[slot].next
    return s.clock[0].flight_used - free


@kernel
def length(flight: Any, head: int) -> int:
    """Length of a linked list."""
    n = 0
    while head != NONE:
        n += 1
        head = flight[head].next
    return n


@kernel
def placed(s: Sim) -> int:
    """Requests found by walking every list and batch."""
    n = 0
    for way in range(s.transit.shape[0]):
        n += length(s.flight, s.transit[way].head)
    for origin in range(s.origin.shape[0]):
        n += length(s.flight, s.central[origin].head)
    for endpoint in range(s.endpoint.shape[0]):
        n += length(s.flight, s.held[endpoint].head)
    for vm in range(s.instance.shape[0]):
        n += s.instance[vm].prefills + s.instance[vm].decodes
        for queue in range(N_QUEUES):
            n += length(s.flight, s.queue[vm, queue].head)
    return n


@kernel
def lanes_agree(s: Sim) -> bool:
    """Whether each lane's waiting, running, completed and lost requests are all that reached it, and its lists' sums."""
    running = 0
    waiting = 0
    for lane in range(s.lane.shape[0]):
        row = s.lane[lane]
        if row.waiting < 0 or row.running < 0 or row.routed != row.waiting + row.running + row.completed + row.lost:
            return False
        running += row.running
        waiting += row.waiting
    for endpoint in range(s.endpoint.shape[0]):
        waiting -= length(s.flight, s.held[endpoint].head)
    for vm in range(s.instance.shape[0]):
        inst = s.instance[vm]
        waiting -= inst.waiting
        running -= inst.prefills + inst.decodes + length(s.flight, s.queue[vm, DECODE_QUEUE].head)
    return running == 0 and waiting == 0


@kernel
def origins_agree(s: Sim) -> bool:
    """Whether arrivals by origin add up, and the central queues are as long as they say."""
    arrived = rejected = queued = 0
    for origin in range(s.origin.shape[0]):
        row = s.origin[origin]
        arrived += row.arrived
        rejected += row.rejected
        queued += row.queued
        if row.queued != length(s.flight, s.central[origin].head):
            return False
    clock = s.clock[0]
    return arrived == clock.arrived and rejected == clock.rejected and queued == clock.niw_queued


@kernel
def memory_agrees(s: Sim, vm: int) -> bool:
    """Whether an instance's KV memory is that of its members."""
    inst, two_step = s.instance[vm], s.settings[0].two_step
    used = 0
    slot = inst.prefill_head
    while slot != NONE:
        request = s.flight[slot]
        used += request.prompt + 1 if two_step else request.prompt + request.output
        slot = request.next
    slot = s.queue[vm, DECODE_QUEUE].head
    while slot != NONE:
        request = s.flight[slot]
        used += request.prompt + 1 if two_step else request.prompt + request.output
        slot = request.next
    for place in range(inst.decodes):
        request = s.flight[s.batch[vm, place] & SLOT_MASK]
        used += request.prompt + request.output
    return used == inst.kv_used and inst.kv_used <= inst.kv_capacity


@kernel
def queues_agree(s: Sim, vm: int) -> bool:
    """Whether an instance's tokens pending, yet to prefill and of context, and its waiting requests, are those of its members."""
    inst = s.instance[vm]
    if yet_to_prefill(s, vm) != inst.prefill_tokens or context(s, vm) != inst.context_tokens:
        return False
    waiting = 0
    pending = inst.prefill_tokens + inst.prefills + inst.decodes + length(s.flight, s.queue[vm, DECODE_QUEUE].head)
    for queue in range(2 * N_TIERS):
        slot = s.queue[vm, queue].head
        while slot != NONE:
            waiting += 1
            pending += s.flight[slot].prompt + 1
            slot = s.flight[slot].next
    return waiting == inst.waiting and pending == inst.pending_tokens


@kernel
def yet_to_prefill(s: Sim, vm: int) -> int:
    """Prompt tokens of an instance's members that are not prefilled; -1 where the first of them cannot be prefilled so far."""
    inst = s.instance[vm]
    if inst.prefill_head == NONE:
        return 0 if inst.prefilled == 0 and inst.prefills == 0 else -1
    if not 0 <= inst.prefilled < s.flight[inst.prefill_head].prompt:
        return -1
    tokens = -inst.prefilled
    slot = inst.prefill_head
    while slot != NONE:
        tokens += s.flight[slot].prompt
        slot = s.flight[slot].next
    return tokens


@kernel
def context(s: Sim, vm: int) -> int:
    """Context tokens of an instance's decoding members at the start of its run."""
    inst = s.instance[vm]
    tokens = 0
    for place in range(inst.decodes):
        entry = s.batch[vm, place]
        request = s.flight[entry & SLOT_MASK]
        tokens += request.prompt + request.output - ((entry >> SLOT_BITS) - inst.iteration)
    return tokens


@kernel
def is_at_work(s: Sim, vm: int) -> bool:
    """Whether an instance runs exactly when it has members, has none waiting when idle, and serves only if active or draining."""
    inst = s.instance[vm]
    members = inst.prefills + inst.decodes
    has_event = s.event[s.event.shape[0] // 2 + s.transit.shape[0] + 1 + vm].time_s < 1e300
    if inst.state == ACTIVE or inst.state == DRAINING:
        return has_event == (members > 0) and (members > 0 or (inst.waiting == 0 and s.queue[vm, DECODE_QUEUE].head == NONE))
    return members == 0 and inst.waiting == 0 and inst.kv_used == 0 and has_event == (inst.state == PROVISIONING)


@kernel
def endpoint_memory_agrees(s: Sim, endpoint: int) -> bool:
    """Whether an endpoint's KV sums are those of its active instances."""
    ep = s.endpoint[endpoint]
    used = capacity = 0
    for place in range(ep.active):
        inst = s.instance[s.member[endpoint, place]]
        if inst.endpoint != endpoint or inst.state != ACTIVE:
            return False
        used += inst.kv_used
        capacity += inst.kv_capacity
    return used == ep.kv_used and capacity == ep.kv_capacity


@kernel
def vms_agree(s: Sim) -> bool:
    """Whether the counts of VMs by state are those of the VMs."""
    vm_types = s.settings[0].vm_types
    for endpoint in range(s.endpoint.shape[0]):
        ep = s.endpoint[endpoint]
        active = provisioning = draining = 0
        for vm_type in range(vm_types):
            fleet = s.fleet[endpoint * vm_types + vm_type]
            active += fleet.active
            provisioning += fleet.provisioning
            draining += fleet.draining
            if fleet.active != count_vms(s, endpoint, vm_type, ACTIVE) or fleet.draining != count_vms(
                s, endpoint, vm_type, DRAINING
            ):
                return False
            if fleet.provisioning != count_vms(s, endpoint, vm_type, PROVISIONING):
                return False
        if active != ep.active or provisioning != ep.provisioning or draining != ep.draining:
            return False
    for place in range(s.spot.shape[0]):
        vms = failed = 0
        for vm in range(s.instance.shape[0]):
            inst = s.instance[vm]
            if inst.region * vm_types + inst.vm_type == place:
                vms += inst.state == SPOT
                failed += inst.state == FAILED
        if vms != s.spot[place].vms or failed != s.spot[place].failed:
            return False
    return True


@kernel
def count_vms(s: Sim, endpoint: int, vm_type: int, state: int) -> int:
    """VMs of an endpoint and type in a state."""
    n = 0
    for vm in range(s.instance.shape[0]):
        inst = s.instance[vm]
        n += inst.endpoint == endpoint and inst.vm_type == vm_type and inst.state == state
    return n


@kernel
def faults_agree(s: Sim) -> bool:
    """Whether what keeps VMs and regions down is what the sources of faults say, and the first of these is the next event."""
    for region in range(s.region.shape[0]):
        if s.outage[region].causes != causes(s, region, NONE):
            return False
    for vm in range(s.instance.shape[0]):
        inst = s.instance[vm]
        is_out = s.outage[inst.region].causes > 0
        if inst.causes != causes(s, inst.region, vm) + is_out or (inst.state == FAILED) != (inst.causes > 0):
            return False
    return s.fault.shape[0] == 0 or s.event[fault_leaf(s)].time_s == s.fault_event[1].time_s


@kernel
def fault_leaf(s: Sim) -> int:
    """The node of the tournament tree where faults are, behind the VMs."""
    return s.event.shape[0] // 2 + s.transit.shape[0] + 1 + s.instance.shape[0]


@kernel
def causes(s: Sim, region: int, vm: int) -> int:
    """Sources of faults that keep a VM down, or its region where ``vm`` is ``NONE``."""
    n = 0
    for place in range(s.fault.shape[0]):
        source = s.fault[place]
        is_own = source.region == region and source.vm == vm and (vm != NONE or is_outage(source))
        n += source.phase == DOWN and is_own
    return n


@kernel
def outages_are_empty(s: Sim) -> bool:
    """Whether no request is on its way to a region that is out, or held there, and none is lost; some region is up."""
    up = 0
    for region in range(s.region.shape[0]):
        up += s.outage[region].causes == 0
    for way in range(s.transit.shape[0]):
        slot = s.transit[way].head
        while slot != NONE:
            if s.outage[s.endpoint[s.flight[slot].endpoint].region].causes > 0:
                return False
            slot = s.flight[slot].next
    for endpoint in range(s.endpoint.shape[0]):
        if s.held[endpoint].head != NONE and s.outage[s.endpoint[endpoint].region].causes > 0:
            return False
    return up > 0 and s.lost[0].head == NONE
