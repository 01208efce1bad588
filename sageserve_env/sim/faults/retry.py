"""Requests that a fault takes: they leave where they were, and go back to the global router as of their arrival."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import kernel
from sageserve_env.sim.events import NEVER_S, schedule
from sageserve_env.sim.requests import queues
from sageserve_env.sim.requests.breaches import book_breach, decodes_late
from sageserve_env.sim.requests.routing import origin_of, route
from sageserve_env.sim.serving import heap
from sageserve_env.sim.state import DECODE_QUEUE, N_TIERS, NIW, NONE, Sim


@kernel
def lose_requests(s: Sim, vm: int) -> None:
    """Everything that an instance runs or has waiting is lost, with its KV memory."""
    inst, lists = s.instance[vm], s.queue[vm]
    while inst.decodes > 0:
        lose_running(s, heap.pop(s.batch[vm], inst.decodes))
        inst.decodes -= 1
    while lists[DECODE_QUEUE].head != NONE:
        lose_running(s, queues.pop(s.flight, lists[DECODE_QUEUE]))
    while inst.prefill_head != NONE:
        slot = inst.prefill_head
        inst.prefill_head = s.flight[slot].next
        lose_running(s, slot)
    for queue in range(DECODE_QUEUE):
        lose_waiting(s, lists[queue])
    inst.prefill_tail = NONE
    inst.prefills = inst.prefilled = inst.waiting = inst.is_cut = 0
    inst.kv_used = inst.prefill_tokens = inst.context_tokens = inst.pending_tokens = 0


@kernel
def lose_held(s: Sim, region: int) -> None:
    """What the endpoints of a region hold is lost."""
    endpoints = s.settings[0].models * s.settings[0].pools
    for endpoint in range(region * endpoints, (region + 1) * endpoints):
        lose_waiting(s, s.held[endpoint])


@kernel
def lose_travelling(s: Sim, region: int) -> None:
    """What is on its way to a region is lost; other regions' requests on the same ways keep their order."""
    for way in range(s.transit.shape[0]):
        transit = s.transit[way]
        last = transit.tail
        slot = NONE
        while slot != last:
            slot = queues.pop(s.flight, transit)
            if s.endpoint[s.flight[slot].endpoint].region == region:
                lose(s, slot)
            else:
                queues.append(s.flight, transit, slot)
        schedule(s.event, way, NEVER_S if transit.head == NONE else s.flight[transit.head].reach_s)


@kernel
def lose_running(s: Sim, slot: int) -> None:
    """A request that was admitted is lost."""
    lane = s.lane[s.flight[slot].endpoint * N_TIERS + s.flight[slot].tier]
    lane.running -= 1
    lane.lost += 1
    lose(s, slot)


@kernel
def lose_waiting(s: Sim, waiting: Any) -> None:
    """All requests of a list that waited at an endpoint are lost."""
    while waiting.head != NONE:
        slot = queues.pop(s.flight, waiting)
        request = s.flight[slot]
        lane = s.lane[request.endpoint * N_TIERS + request.tier]
        lane.waiting -= 1
        lane.waiting_tokens -= request.prompt
        lane.lost += 1
        lose(s, slot)


@kernel
def lose(s: Sim, slot: int) -> None:
    """Count the loss and forget how far the request was served, but not that its tokens were late already."""
    request = s.flight[slot]
    if request.first_token_s != NEVER_S and decodes_late(s, slot):
        book_breach(s, slot)
    s.origin[origin_of(s, request.origin, request.model, request.tier)].retried += 1
    request.endpoint = request.vm = NONE
    request.routed_s = request.prefill_start_s = request.first_token_s = request.decode_start_s = NEVER_S
    queues.append(s.flight, s.lost[0], slot)


@kernel
def send_again(s: Sim) -> None:
    """The global router gets all that was lost, in order: it routes them, or has them wait among the non-interactive ones."""
    lost = s.lost[0]
    while lost.head != NONE:
        slot = queues.pop(s.flight, lost)
        request = s.flight[slot]
        if request.tier != NIW or not s.settings[0].niw_managed:
            route(s, slot, request.tier)
            continue
        origin_index = origin_of(s, request.origin, request.model, NIW)
        origin = s.origin[origin_index]
        queues.put_back(s.flight, s.central[origin_index], slot)
        origin.queued += 1
        origin.queued_tokens += request.prompt
        s.clock[0].niw_queued += 1
