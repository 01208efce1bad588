"""Where a request goes: arrival at the global router, the choice of a region, the way there (paper section 5)."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import kernel
from sageserve_env.sim.events import NEVER_S, schedule
from sageserve_env.sim.requests import queues
from sageserve_env.sim.serving.timing import decode_alone_s, prefill_alone_s
from sageserve_env.sim.state import ABSENT, N_TIERS, NIW, NONE, Sim

MOST_LOAD = 1e6
"""The utilization that routing sees in a region of weight 0: above all others, and no threshold is above it."""


@kernel
def utilization(s: Sim, endpoint: int) -> float:
    """Effective memory utilization: the share of KV memory in use over active instances; 1 where none is active."""
    ep = s.endpoint[endpoint]
    return ep.kv_used * ep.kv_token_bytes / ep.kv_bytes if ep.active > 0 else 1.0


@kernel
def seen_utilization(s: Sim, endpoint: int) -> float:
    """The utilization that the global router sees: the present one, or that of the last time that it was told."""
    return s.endpoint[endpoint].seen_utilization if s.settings[0].router_telemetry_s > 0.0 else utilization(s, endpoint)


@kernel
def endpoint_for(s: Sim, region: int, model: int, tier: int) -> int:
    """The endpoint of a region where a tier's requests for a model enter, or spill to when that pool is busy."""
    settings = s.settings[0]
    first = (region * settings.models + model) * settings.pools
    pool = s.tier[tier].pool
    for _ in range(settings.pools):
        if s.pool[pool].spill_to == NONE or seen_utilization(s, first + pool) <= s.pool[pool].spill_utilization:
            break
        pool = s.pool[pool].spill_to
    return first + pool


@kernel
def arrival(s: Sim, row: Any) -> None:
    """A request reaches the global router: it is routed, queued if non-interactive, or rejected if it can fit nowhere."""
    clock = s.clock[0]
    origin_index = origin_of(s, row.origin, row.model, row.tier)
    origin = s.origin[origin_index]
    origin.arrived += 1
    origin.prompt_tokens += row.prompt_tokens
    origin.output_tokens += row.output_tokens
    slot = queues.take_slot(s)
    fill(s, slot, row)
    clock.arrived += 1
    if s.flight[slot].unattainable:
        origin.unattainable += 1
    if not fits_somewhere(s, slot):
        origin.rejected += 1
        clock.rejected += 1
        write_log(s, slot, True)
        queues.free_slot(s, slot)
    elif row.tier == NIW and s.settings[0].niw_managed:
        queues.append(s.flight, s.central[origin_index], slot)
        origin.queued += 1
        origin.queued_tokens += row.prompt_tokens
        clock.niw_queued += 1
    else:
        route(s, slot, row.tier)


@kernel
def origin_of(s: Sim, region: int, model: int, tier: int) -> int:
    """Index of an origin (region, model, tier)."""
    return (region * s.settings[0].models + model) * N_TIERS + tier


@kernel
def fill(s: Sim, slot: int, row: Any) -> None:
    """Write a new request into its slot."""
    request = s.flight[slot]
    request.arrival_s = row.arrival_s
    request.request = s.clock[0].arrived
    request.prompt = row.prompt_tokens
    request.output = row.output_tokens
    request.model = row.model
    request.origin = row.origin
    request.tier = row.tier
    request.preference = row.preference
    request.endpoint = NONE
    request.vm = NONE
    request.routed_s = request.prefill_start_s = request.first_token_s = request.decode_start_s = NEVER_S
    request.breached = 0
    request.unattainable = not is_attainable(s, slot)
    request.key_s = row.arrival_s + s.tier[row.tier].fcfs_offset_s
    request.deadline_s = row.arrival_s + s.tier[row.tier].slo_s


@kernel
def is_attainable(s: Sim, slot: int) -> bool:
    """Whether an idle instance of some VM type in the nearest region could keep the request's service level."""
    request, tier, vm_types = s.flight[slot], s.tier[s.flight[slot].tier], s.settings[0].vm_types
    for profile in range(request.model * vm_types, (request.model + 1) * vm_types):
        if s.profile[profile].kind == ABSENT:
            continue
        counted_s = prefill_alone_s(s, profile, request.prompt)
        decode_s = 0.0
        if request.tier == NIW or tier.tpot_s < NEVER_S:
            decode_s = decode_alone_s(s, profile, request.prompt, request.output)
        if request.tier == NIW:
            counted_s += decode_s
        if counted_s + s.region[request.origin].nearest_s <= tier.slo_s and decode_s <= tier.tpot_s * max(request.output - 1, 1):
            return True
    return False


@kernel
def fits_somewhere(s: Sim, slot: int) -> bool:
    """Whether the request's prompt and output fit into the KV memory of some VM type."""
    request, vm_types = s.flight[slot], s.settings[0].vm_types
    for vm_type in range(vm_types):
        if request.prompt + request.output <= s.profile[request.model * vm_types + vm_type].kv_tokens:
            return True
    return False


@kernel
def route(s: Sim, slot: int, tier: int) -> None:
    """Send a request to the first region in its order below the threshold, else to the least utilized; it enters as of ``tier``.

    A region's weight divides its utilization: a region of weight 0.5 looks twice as full, one of weight 0 is used last.
    """
    request = s.flight[slot]
    threshold = s.model_knobs[request.model].routing_threshold
    order = s.preference[request.origin, request.preference]
    best, best_load = NONE, NEVER_S
    for region in order:
        endpoint = endpoint_for(s, region, request.model, tier)
        load = apparent_load(s, endpoint, region, request.model, request.prompt + request.output)
        if load < threshold:
            send(s, slot, endpoint, region)
            return
        if best == NONE or load < best_load:
            best, best_load = endpoint, load
    send(s, slot, best, s.endpoint[best].region)


@kernel
def apparent_load(s: Sim, endpoint: int, region: int, model: int, tokens: int) -> float:
    """Utilization divided by the region's weight; beyond any threshold where no active instance can hold the request.

    A region that is out is not chosen: some other is up at any time.
    """
    if s.outage[region].causes > 0:
        return NEVER_S
    weight = s.region_weight[model, region]
    load = min(seen_utilization(s, endpoint) / weight, MOST_LOAD) if weight > 0.0 else MOST_LOAD
    return load if tokens <= s.endpoint[endpoint].largest_kv else load + 1e9


@kernel
def send(s: Sim, slot: int, endpoint: int, region: int) -> None:
    """Put a request on its way; ways of equal delay share a queue, so that each queue is first in, first out."""
    request, now_s = s.flight[slot], s.clock[0].now_s
    way = s.delay_class[request.origin, region]
    request.endpoint = endpoint
    request.routed_s = now_s
    request.reach_s = now_s + s.delay_s[way]
    if s.settings[0].has_egress:
        pay_egress(s, slot, request.origin, region, request.prompt)
    transit = s.transit[way]
    if transit.head == NONE:
        schedule(s.event, way, request.reach_s)
    queues.append(s.flight, transit, slot)


@kernel
def pay_egress(s: Sim, slot: int, sender: int, receiver: int, tokens: int) -> None:
    """Charge a request's origin for tokens that go from a region to another."""
    request = s.flight[slot]
    s.origin[origin_of(s, request.origin, request.model, request.tier)].egress_usd += s.egress_usd[sender, receiver] * tokens


@kernel
def write_log(s: Sim, slot: int, rejected: bool) -> None:
    """Write a finished request to the log, when one is kept."""
    if s.log.shape[0] == 0:
        return
    request, clock = s.flight[slot], s.clock[0]
    row = s.log[clock.log_rows]
    clock.log_rows += 1
    row.request = request.request
    row.arrival_s = request.arrival_s
    row.routed_s = request.routed_s
    row.prefill_start_s = request.prefill_start_s
    row.first_token_s = request.first_token_s
    row.decode_start_s = request.decode_start_s
    row.completion_s = NEVER_S if rejected else clock.now_s
    row.tpot_s = NEVER_S if rejected or request.output == 1 else (clock.now_s - request.first_token_s) / (request.output - 1)
    row.prompt_tokens = request.prompt
    row.output_tokens = request.output
    row.model = request.model
    row.origin = request.origin
    row.tier = request.tier
    row.rejected = rejected
    row.vm = request.vm
    row.instance = row.region = row.pool = NONE
    if not rejected:
        row.instance = s.instance[request.vm].serial
        row.region = s.endpoint[request.endpoint].region
        row.pool = s.endpoint[request.endpoint].pool
