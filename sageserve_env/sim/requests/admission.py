"""Which waiting request is admitted next: FCFS, EDF, PF or DPA (paper section 4).

Each tier's waiting requests form a list ordered by arrival, hence by deadline, so every order is a rule over the lists' heads.
Before every order stands age: a non-interactive request that has grown old is admitted before all that wait (paper section 5).
"""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import kernel
from sageserve_env.sim.events import NEVER_S
from sageserve_env.sim.requests import queues
from sageserve_env.sim.state import DECODE_QUEUE, DPA, EDF, FCFS, IW_F, IW_N, N_TIERS, NIW, NONE, Sim


@kernel
def next_queue(s: Sim, vm: int) -> int:
    """The list of an instance whose head is admitted next; ``NONE`` when nothing waits.

    A request that is prefilled goes before all others, whatever the order: it holds memory until it decodes.
    """
    lists = s.queue[vm]
    if lists[DECODE_QUEUE].head != NONE:
        return DECODE_QUEUE
    if s.instance[vm].waiting == 0:
        return NONE
    old = old_queue(s, lists)
    if old != NONE:
        return old
    order = s.clock[0].order
    if order == FCFS:
        return earliest_arrival(s.flight, lists)
    if order == EDF:
        return earliest_deadline(s.flight, lists, 0, N_TIERS, NEVER_S)
    if order == DPA:
        return by_bucket(s, lists)
    return first_tier(lists)


@kernel
def old_queue(s: Sim, lists: Any) -> int:
    """The list whose head is an old non-interactive request; ``NONE`` when none is old. The expired are the older ones."""
    for queue in (N_TIERS + NIW, NIW):
        if lists[queue].head != NONE and is_old(s, lists[queue].head):
            return queue
    return NONE


@kernel
def is_old(s: Sim, slot: int) -> bool:
    """Whether a request is non-interactive and so old that it goes before all others: else it might never, under overload."""
    request = s.flight[slot]
    return request.tier == NIW and request.arrival_s <= s.clock[0].now_s - s.settings[0].promote_after_s


@kernel
def earliest_arrival(flight: Any, lists: Any) -> int:
    """First come, first served; equal times in order of tier."""
    best, best_s = NONE, NEVER_S
    for tier in range(N_TIERS):
        head = lists[tier].head
        if head != NONE and flight[head].key_s < best_s:
            best, best_s = tier, flight[head].key_s
    return best


@kernel
def earliest_deadline(flight: Any, lists: Any, first: int, end: int, before_s: float) -> int:
    """The list in ``first <= list < end`` whose head's deadline is the earliest and earlier than ``before_s``."""
    best, best_s = NONE, before_s
    for queue in range(first, end):
        head = lists[queue].head
        if head != NONE and flight[head].deadline_s < best_s:
            best, best_s = queue, flight[head].deadline_s
    return best


@kernel
def first_tier(lists: Any) -> int:
    """Priority first: the most urgent tier that waits."""
    for tier in range(N_TIERS):
        if lists[tier].head != NONE:
            return tier
    return NONE


@kernel
def by_bucket(s: Sim, lists: Any) -> int:
    """Deadline- and priority-aware buckets; NIW that has not expired comes last (assumption: the paper does not place it)."""
    now_s, settings = s.clock[0].now_s, s.settings[0]
    move_expired(s.flight, lists, now_s)
    severe = earliest_deadline(s.flight, lists, N_TIERS, 2 * N_TIERS, now_s - settings.severe_s)
    if severe != NONE:
        return severe
    for tier in (IW_F, IW_N):
        head = lists[tier].head
        if head != NONE and s.flight[head].deadline_s < now_s + settings.urgent_s:
            return tier
    for tier in (IW_F, IW_N):
        if lists[tier].head != NONE:
            return tier
    recent = earliest_deadline(s.flight, lists, N_TIERS, 2 * N_TIERS, NEVER_S)
    return recent if recent != NONE else (NIW if lists[NIW].head != NONE else NONE)


@kernel
def move_expired(flight: Any, lists: Any, now_s: float) -> None:
    """Move requests past their deadline to their tier's expired list: once each, so the cost per request is constant."""
    for tier in range(N_TIERS):
        while lists[tier].head != NONE and flight[lists[tier].head].deadline_s < now_s:
            queues.append(flight, lists[N_TIERS + tier], queues.pop(flight, lists[tier]))


@kernel
def rejoin_expired(flight: Any, lists: Any) -> None:
    """Undo :func:`move_expired` when another order takes over: the expired are the older part of each tier's list."""
    for tier in range(N_TIERS):
        expired, live = lists[N_TIERS + tier], lists[tier]
        if expired.head == NONE:
            continue
        flight[expired.tail].next = live.head
        if live.head == NONE:
            live.tail = expired.tail
        else:
            flight[live.head].prev = expired.tail
        live.head = expired.head
        expired.head = expired.tail = NONE
