"""How many instances: the autoscaling tick, the bounds that policies set, and where a new instance comes from (paper section 5)."""

from __future__ import annotations

from sageserve_env.compile import kernel
from sageserve_env.sim.events import NEVER_S, schedule
from sageserve_env.sim.instances.vms import acquire, activate, donate, drain, enlist
from sageserve_env.sim.requests.niw import promote_old, signal
from sageserve_env.sim.requests.routing import utilization
from sageserve_env.sim.serving.batching import join_held
from sageserve_env.sim.state import ABSENT, ACTIVE, DRAINING, NONE, PROVISIONING, SPOT, Sim

NO_VM = -1.0
"""In place of a lead time: no VM was there to take."""


@kernel
def scale_tick(s: Sim) -> None:
    """The periodic tick: old non-interactive requests are promoted, every endpoint scales, idle ones ask for more work."""
    clock, settings = s.clock[0], s.settings[0]
    clock.ticks += 1
    schedule(s.event, s.transit.shape[0], (clock.ticks + 1) * settings.tick_s)
    if clock.niw_queued > 0:
        promote_old(s)
    for endpoint in range(s.endpoint.shape[0]):
        if not enforce_bounds(s, endpoint) and not settings.scale_on_arrival:
            scale_by_utilization(s, endpoint)
        if settings.release_on_tick:
            signal(s, endpoint)


@kernel
def instance_ready(s: Sim, vm: int) -> None:
    """A provisioned VM starts to serve, and takes what its endpoint held."""
    activate(s, vm)
    welcome(s, s.instance[vm].endpoint)


@kernel
def welcome(s: Sim, endpoint: int) -> None:
    """The last of an endpoint's active instances is new: it takes its place in a group, and what the endpoint held."""
    if s.settings[0].group_size > 0:
        fill_group(s, endpoint)
    join_held(s, endpoint)


@kernel
def fill_group(s: Sim, endpoint: int) -> None:
    """Move the newest instance to the end of the first group that is one short; the groups before and behind stay as they are."""
    members, size = s.member[endpoint], s.settings[0].group_size
    before = s.endpoint[endpoint].active - 1
    short = -before % size
    if before <= size or short < 2:  # one group only, none short, or the last group is
        return
    place = before - (size - 1) * (short - 1)
    newest = members[before]
    for other in range(before, place, -1):
        members[other] = members[other - 1]
    members[place] = newest


@kernel
def enforce_bounds(s: Sim, endpoint: int) -> bool:
    """Bring an endpoint within its floors and caps at once; returns whether it was outside."""
    vm_types = s.settings[0].vm_types
    spare = 1 if s.endpoint[endpoint].emergency_utilization <= 1.0 else 0
    outside = False
    for vm_type in range(vm_types):
        fleet = s.fleet[endpoint * vm_types + vm_type]
        while fleet.active + fleet.provisioning < fleet.floor:
            outside = True
            if scale_out(s, endpoint, vm_type) == NO_VM:
                break
        while fleet.active + fleet.provisioning > fleet.cap + spare:
            outside = True
            scale_in(s, endpoint, vm_type)
    return outside


@kernel
def scale_by_utilization(s: Sim, endpoint: int) -> None:
    """One instance out where the endpoint is busy, one in where it is idle, unless it is cooling down."""
    ep, now_s, settings = s.endpoint[endpoint], s.clock[0].now_s, s.settings[0]
    if now_s < ep.cool_until_s:
        return
    busy = wants_out(s, endpoint)
    lead_s = move_out(s, endpoint, busy)
    if lead_s != NO_VM:
        ep.cool_until_s = now_s + ep.cool_down_s + (lead_s if settings.lead_time_pauses else 0.0)
    elif not busy and move_in(s, endpoint):
        ep.cool_until_s = now_s + (ep.cool_down_s if settings.scale_in_cool_down_s < 0.0 else settings.scale_in_cool_down_s)


@kernel
def move_out(s: Sim, endpoint: int, busy: bool) -> float:
    """Add an instance of the first VM type with room, up to the cap where busy, one past it in an emergency; its lead time."""
    ep, vm_types = s.endpoint[endpoint], s.settings[0].vm_types
    is_emergency = ep.active > 0 and utilization(s, endpoint) > ep.emergency_utilization
    lead_s = NO_VM
    for vm_type in range(vm_types):
        fleet = s.fleet[endpoint * vm_types + vm_type]
        instances = fleet.active + fleet.provisioning
        if lead_s == NO_VM and ((busy and instances < fleet.cap) or (is_emergency and instances == fleet.cap)):
            lead_s = scale_out(s, endpoint, vm_type)
    return lead_s


@kernel
def move_in(s: Sim, endpoint: int) -> bool:
    """Release an instance of the last VM type that is above its floor, where the endpoint is idle; whether one was."""
    ep, vm_types = s.endpoint[endpoint], s.settings[0].vm_types
    if ep.active == 0 or utilization(s, endpoint) >= ep.scale_in_utilization:
        return False
    for vm_type in range(vm_types - 1, -1, -1):
        fleet = s.fleet[endpoint * vm_types + vm_type]
        if fleet.active + fleet.provisioning > fleet.floor:
            scale_in(s, endpoint, vm_type)
            return True
    return False


@kernel
def wants_out(s: Sim, endpoint: int) -> bool:
    """Whether an endpoint is busy; one without instances is when it holds requests and none is on its way."""
    ep = s.endpoint[endpoint]
    if ep.active == 0:
        return ep.provisioning == 0 and s.held[endpoint].head != NONE
    return utilization(s, endpoint) > ep.scale_out_utilization


@kernel
def scale_out(s: Sim, endpoint: int, vm_type: int) -> float:
    """Add one instance, by default a spot VM that begins to provision; returns its lead time in seconds, or ``NO_VM``."""
    vm, settings = best_spot(s, endpoint, vm_type), s.settings[0]
    if vm == NONE:
        s.clock[0].blocked_scale_outs += 1
        return NO_VM
    s.fleet[endpoint * settings.vm_types + vm_type].scale_outs += 1
    if s.instance[vm].state == DRAINING:
        enlist(s, vm)
        welcome(s, endpoint)
        return settings.reclaim_s
    lead_s = acquire(s, vm, endpoint)
    if lead_s == 0.0 or settings.lead_time_pauses:
        instance_ready(s, vm)
    return lead_s


@kernel
def best_spot(s: Sim, endpoint: int, vm_type: int) -> int:
    """The VM of the endpoint's region to take; ``NONE`` when there is none, or the model does not run on that type.

    A spot VM that holds the model, else a blank one, else any; among equals the one that has been spot longest. Where draining
    instances may be taken back, they are among the first, and the one released longest ago goes first.
    """
    ep = s.endpoint[endpoint]
    if s.profile[ep.model * s.settings[0].vm_types + vm_type].kind == ABSENT:
        return NONE
    region, reclaims = s.region[ep.region], s.settings[0].reclaim_draining
    best, best_rank, best_since_s = NONE, 3, NEVER_S
    for vm in range(region.first_vm, region.first_vm + region.vms):
        inst = s.instance[vm]
        is_own = reclaims and inst.state == DRAINING and inst.endpoint == endpoint
        if inst.vm_type != vm_type or inst.noticed or (inst.state != SPOT and not is_own):
            continue
        rank = 0 if inst.model == ep.model else (1 if inst.model == NONE else 2)
        since_s = inst.released_s if reclaims else inst.state_since_s
        if rank < best_rank or (rank == best_rank and since_s < best_since_s):
            best, best_rank, best_since_s = vm, rank, since_s
    return best


@kernel
def scale_in(s: Sim, endpoint: int, vm_type: int) -> None:
    """Release one instance: the last still provisioning, else an active one, which drains."""
    s.fleet[endpoint * s.settings[0].vm_types + vm_type].scale_ins += 1
    vm = last_provisioning(s, endpoint, vm_type)
    if vm != NONE:
        s.instance[vm].fetched = 0
        donate(s, vm)
    elif s.settings[0].drain_last:
        drain(s, last_member(s, endpoint, vm_type))
    else:
        drain(s, least_pending(s, endpoint, vm_type))


@kernel
def last_provisioning(s: Sim, endpoint: int, vm_type: int) -> int:
    """The VM of a type that began last to provision for an endpoint; ``NONE`` when none does."""
    region = s.region[s.endpoint[endpoint].region]
    best = NONE
    for vm in range(region.first_vm, region.first_vm + region.vms):
        inst = s.instance[vm]
        if inst.state != PROVISIONING or inst.endpoint != endpoint or inst.vm_type != vm_type:
            continue
        if best == NONE or inst.state_since_s >= s.instance[best].state_since_s:
            best = vm
    return best


@kernel
def least_pending(s: Sim, endpoint: int, vm_type: int) -> int:
    """The active instance of a type with the fewest pending tokens; the last to join wins ties."""
    best, fewest = NONE, 1 << 62
    for place in range(s.endpoint[endpoint].active):
        vm = s.member[endpoint, place]
        inst = s.instance[vm]
        if inst.vm_type == vm_type and inst.state == ACTIVE and inst.pending_tokens <= fewest:
            best, fewest = vm, inst.pending_tokens
    return best


@kernel
def last_member(s: Sim, endpoint: int, vm_type: int) -> int:
    """The last active instance of a type; with groups, the last of the last whole group, so that all others stay as they are."""
    n, size = s.endpoint[endpoint].active, s.settings[0].group_size
    last = n - 1
    if size > 0 and n > size and 0 < -n % size < size - 1:
        last -= (size - 1) * (-n % size)
    for back in range(n):
        vm = s.member[endpoint, (last - back) % n]
        if s.instance[vm].vm_type == vm_type:
            return vm
    return NONE
