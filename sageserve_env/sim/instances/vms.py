"""A VM's life: spot, provisioning, active, draining, spot again (paper section 5); failed, where the world has faults."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import kernel
from sageserve_env.sim.events import NEVER_S, schedule
from sageserve_env.sim.faults.draws import lead_time_s
from sageserve_env.sim.instances.usage import book_price, draw
from sageserve_env.sim.state import ACTIVE, DRAINING, FAILED, NONE, PROVISIONING, QUARTER_S, SPOT, Sim


@kernel
def source_of(s: Sim, vm: int) -> int:
    """The event source of a VM: sources are the transit queues, the tick, the VMs, and behind the last VM all faults."""
    return s.transit.shape[0] + 1 + vm


@kernel
def change_state(s: Sim, vm: int, state: int) -> None:
    """Move a VM to another state and book the time that it spent in the one it leaves."""
    leave_state(s, vm)
    inst = s.instance[vm]
    inst.state = state
    inst.state_since_s = s.clock[0].now_s
    count(s, vm, 1)
    if s.settings[0].has_power:
        draw(s, vm)


@kernel
def leave_state(s: Sim, vm: int) -> None:
    """Book the time since the VM's last change of state and take it off the counts."""
    inst = s.instance[vm]
    elapsed_s = s.clock[0].now_s - inst.state_since_s
    vm_types = s.settings[0].vm_types
    if s.settings[0].has_hourly_prices:
        book_price(s, vm)
    if inst.state == SPOT:
        s.spot[inst.region * vm_types + inst.vm_type].spot_s += elapsed_s
    elif inst.state == FAILED:
        s.spot[inst.region * vm_types + inst.vm_type].failed_s += elapsed_s
    else:
        fleet = s.fleet[inst.endpoint * vm_types + inst.vm_type]
        if inst.state == ACTIVE:
            fleet.active_s += elapsed_s
        elif inst.state == PROVISIONING:
            fleet.provisioning_s += elapsed_s
        else:
            fleet.draining_s += elapsed_s
    count(s, vm, -1)


@kernel
def count(s: Sim, vm: int, change: int) -> None:
    """Add a VM to, or take it off, the counts of its state."""
    inst = s.instance[vm]
    vm_types = s.settings[0].vm_types
    if inst.state == SPOT:
        s.spot[inst.region * vm_types + inst.vm_type].vms += change
        return
    if inst.state == FAILED:
        s.spot[inst.region * vm_types + inst.vm_type].failed += change
        return
    fleet, endpoint = s.fleet[inst.endpoint * vm_types + inst.vm_type], s.endpoint[inst.endpoint]
    if inst.state == ACTIVE:
        book_peak(s, fleet)
        fleet.active += change
        endpoint.active += change
    elif inst.state == PROVISIONING:
        fleet.provisioning += change
        endpoint.provisioning += change
    else:
        fleet.draining += change
        endpoint.draining += change


@kernel
def book_peak(s: Sim, fleet: Any) -> None:
    """Book the most active instances of each quarter of an hour up to now, before their number changes."""
    now_s = s.clock[0].now_s
    if now_s > fleet.changed_s:  # what lasts no time is no peak
        fleet.quarter_peak = max(fleet.quarter_peak, fleet.active)
    quarter = int(now_s // QUARTER_S)
    if quarter > fleet.quarter:
        fleet.peaks += fleet.quarter_peak + (quarter - fleet.quarter - 1) * fleet.active
        fleet.quarter = quarter
        fleet.quarter_peak = fleet.active if now_s > quarter * QUARTER_S else 0
    fleet.changed_s = now_s


@kernel
def integrate_kv(s: Sim, endpoint: int) -> None:
    """Bring an endpoint's KV integrals up to now, before its memory in use or its capacity changes."""
    ep = s.endpoint[endpoint]
    elapsed_s = s.clock[0].now_s - ep.kv_since_s
    ep.kv_used_integral += ep.kv_used * elapsed_s
    ep.kv_capacity_integral += ep.kv_capacity * elapsed_s
    ep.kv_since_s = s.clock[0].now_s


@kernel
def take_kv(s: Sim, vm: int, tokens: int) -> None:
    """Take KV memory on an instance, or give it back (``tokens < 0``). A draining instance is not in its endpoint's sums."""
    inst = s.instance[vm]
    inst.kv_used += tokens
    if inst.state == ACTIVE:
        integrate_kv(s, inst.endpoint)
        s.endpoint[inst.endpoint].kv_used += tokens


@kernel
def activate(s: Sim, vm: int) -> None:
    """A VM starts to serve its endpoint."""
    inst = s.instance[vm]
    ep = s.endpoint[inst.endpoint]
    inst.model = ep.model
    if inst.fetched:
        s.stored[inst.region * s.settings[0].models + ep.model] = 1
        inst.fetched = 0
    inst.serial = ep.created
    ep.created += 1
    inst.kv_capacity = s.profile[inst.profile].kv_tokens
    ep.kv_token_bytes = s.profile[inst.profile].kv_token_bytes
    enlist(s, vm)
    schedule(s.event, source_of(s, vm), NEVER_S)


@kernel
def enlist(s: Sim, vm: int) -> None:
    """Put a VM behind the active instances of its endpoint; what it runs counts there from now on."""
    inst = s.instance[vm]
    ep = s.endpoint[inst.endpoint]
    integrate_kv(s, inst.endpoint)
    ep.kv_capacity += inst.kv_capacity
    ep.kv_bytes += s.profile[inst.profile].kv_bytes
    ep.kv_used += inst.kv_used
    ep.largest_kv = max(ep.largest_kv, inst.kv_capacity)
    s.member[inst.endpoint, ep.active] = vm
    change_state(s, vm, ACTIVE)


@kernel
def drain(s: Sim, vm: int) -> None:
    """An instance takes no new request; once it has finished those it has, :func:`donate` follows."""
    inst = s.instance[vm]
    leave_endpoint(s, vm)
    change_state(s, vm, DRAINING)
    inst.released_s = inst.state_since_s
    if inst.prefills + inst.decodes == 0:
        donate(s, vm)


@kernel
def leave_endpoint(s: Sim, vm: int) -> None:
    """Take an active instance off its endpoint's members and sums; a change of state follows."""
    inst = s.instance[vm]
    ep = s.endpoint[inst.endpoint]
    integrate_kv(s, inst.endpoint)
    ep.kv_capacity -= inst.kv_capacity
    ep.kv_bytes -= s.profile[inst.profile].kv_bytes
    ep.kv_used -= inst.kv_used
    ep.largest_kv = 0
    kept = 0
    for place in range(ep.active):
        other = s.member[inst.endpoint, place]
        if other != vm:
            s.member[inst.endpoint, kept] = other
            ep.largest_kv = max(ep.largest_kv, s.instance[other].kv_capacity)
            kept += 1


@kernel
def donate(s: Sim, vm: int) -> None:
    """A VM becomes spot, still holding whatever model it holds."""
    change_state(s, vm, SPOT)
    s.instance[vm].endpoint = NONE
    schedule(s.event, source_of(s, vm), NEVER_S)


@kernel
def acquire(s: Sim, vm: int, endpoint: int) -> float:
    """A spot VM begins to provision for an endpoint; returns the lead time in seconds."""
    inst, settings, model = s.instance[vm], s.settings[0], s.endpoint[endpoint].model
    lead_s = settings.reclaim_s
    if inst.model != model:
        inst.model = NONE
        lead_s = settings.redeploy_s
        if not s.stored[inst.region * settings.models + model]:
            inst.fetched = 1
            lead_s = settings.remote_fetch_s
    lead_s = lead_time_s(s, vm, lead_s)
    inst.taken += 1
    leave_state(s, vm)
    inst.endpoint = endpoint
    inst.profile = model * settings.vm_types + inst.vm_type
    inst.state = PROVISIONING
    inst.state_since_s = s.clock[0].now_s
    count(s, vm, 1)
    if settings.has_power:
        draw(s, vm)
    schedule(s.event, source_of(s, vm), s.clock[0].now_s + lead_s)
    return lead_s
