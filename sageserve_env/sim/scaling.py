"""How many instances: the autoscaling tick, the bounds that policies set, and where a new instance comes from (paper section 5)."""

from __future__ import annotations

from sageserve_env.compile import kernel
from sageserve_env.sim.batching import join_held
from sageserve_env.sim.events import schedule
from sageserve_env.sim.niw import promote_old, signal
from sageserve_env.sim.routing import utilization
from sageserve_env.sim.state import ACTIVE, NONE, PROVISIONING, SPOT, Sim
from sageserve_env.sim.vms import acquire, activate, donate, drain


@kernel
def scale_tick(s: Sim) -> None:
    """The periodic tick: old non-interactive requests are promoted, every endpoint scales, idle ones ask for more work."""
    clock, settings = s.clock[0], s.settings[0]
    clock.ticks += 1
    schedule(s.event, s.transit.shape[0], (clock.ticks + 1) * settings.tick_s)
    if clock.niw_queued > 0:
        promote_old(s)
    for endpoint in range(s.endpoint.shape[0]):
        if not enforce_bounds(s, endpoint):
            scale_by_utilization(s, endpoint)
        if settings.release_on_tick:
            signal(s, endpoint)


@kernel
def instance_ready(s: Sim, vm: int) -> None:
    """A provisioned VM starts to serve, and takes what its endpoint held."""
    activate(s, vm)
    join_held(s, s.instance[vm].endpoint)


@kernel
def enforce_bounds(s: Sim, endpoint: int) -> bool:
    """Bring an endpoint within its floors and caps at once; returns whether it was outside."""
    vm_types = s.settings[0].vm_types
    outside = False
    for vm_type in range(vm_types):
        fleet = s.fleet[endpoint * vm_types + vm_type]
        while fleet.active + fleet.provisioning < fleet.floor:
            outside = True
            if not scale_out(s, endpoint, vm_type):
                break
        while fleet.active + fleet.provisioning > fleet.cap:
            outside = True
            scale_in(s, endpoint, vm_type)
    return outside


@kernel
def scale_by_utilization(s: Sim, endpoint: int) -> None:
    """One instance out above the upper threshold, one in below the lower, unless the endpoint is cooling down."""
    ep, now_s, vm_types = s.endpoint[endpoint], s.clock[0].now_s, s.settings[0].vm_types
    if now_s < ep.cool_until_s:
        return
    moved = False
    if wants_out(s, endpoint):
        for vm_type in range(vm_types):
            fleet = s.fleet[endpoint * vm_types + vm_type]
            if not moved and fleet.active + fleet.provisioning < fleet.cap:
                moved = scale_out(s, endpoint, vm_type)
    elif ep.active > 0 and utilization(s, endpoint) < ep.scale_in_utilization:
        for vm_type in range(vm_types - 1, -1, -1):
            fleet = s.fleet[endpoint * vm_types + vm_type]
            if not moved and fleet.active + fleet.provisioning > fleet.floor:
                moved = True
                scale_in(s, endpoint, vm_type)
    if moved:
        ep.cool_until_s = now_s + ep.cool_down_s


@kernel
def wants_out(s: Sim, endpoint: int) -> bool:
    """Whether an endpoint is busy; one without instances is when it holds requests and none is on its way."""
    ep = s.endpoint[endpoint]
    if ep.active == 0:
        return ep.provisioning == 0 and s.held[endpoint].head != NONE
    return utilization(s, endpoint) > ep.scale_out_utilization


@kernel
def scale_out(s: Sim, endpoint: int, vm_type: int) -> bool:
    """Provision one instance: a spot VM that holds the model, else a blank one, else the one that has been spot longest."""
    vm = best_spot(s, endpoint, vm_type)
    if vm == NONE:
        s.clock[0].blocked_scale_outs += 1
        return False
    s.fleet[endpoint * s.settings[0].vm_types + vm_type].scale_outs += 1
    if acquire(s, vm, endpoint) == 0.0:
        instance_ready(s, vm)
    return True


@kernel
def best_spot(s: Sim, endpoint: int, vm_type: int) -> int:
    """The spot VM of the endpoint's region to take; ``NONE`` when there is none, or the model does not run on that type."""
    ep = s.endpoint[endpoint]
    if s.profile[ep.model * s.settings[0].vm_types + vm_type].knots == 0:
        return NONE
    region = s.region[ep.region]
    best, best_rank = NONE, 3
    for vm in range(region.first_vm, region.first_vm + region.vms):
        inst = s.instance[vm]
        if inst.state != SPOT or inst.vm_type != vm_type:
            continue
        rank = 0 if inst.model == ep.model else (1 if inst.model == NONE else 2)
        if rank < best_rank or (rank == best_rank and inst.state_since_s < s.instance[best].state_since_s):
            best, best_rank = vm, rank
    return best


@kernel
def scale_in(s: Sim, endpoint: int, vm_type: int) -> None:
    """Release one instance: the last still provisioning, else the active one with the fewest pending tokens, which drains."""
    s.fleet[endpoint * s.settings[0].vm_types + vm_type].scale_ins += 1
    vm = last_provisioning(s, endpoint, vm_type)
    if vm != NONE:
        s.instance[vm].fetched = 0
        donate(s, vm)
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
