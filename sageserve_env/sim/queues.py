"""Requests in flight: a pool with a free list, and the linked lists that run through it."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import kernel
from sageserve_env.sim.state import FREE_SLOT, NONE, Sim


@kernel
def has_room(s: Sim) -> bool:
    """Whether a request can enter the pool."""
    clock = s.clock[0]
    return clock.flight_free != NONE or clock.flight_used < s.flight.shape[0]


@kernel
def take_slot(s: Sim) -> int:
    """A free slot of the pool; the last one freed comes first, being in cache."""
    clock = s.clock[0]
    slot = clock.flight_free
    if slot != NONE:
        clock.flight_free = s.flight[slot].next
        return slot
    slot = clock.flight_used
    clock.flight_used = slot + 1
    return slot


@kernel
def free_slot(s: Sim, slot: int) -> None:
    """Give a slot back."""
    s.flight[slot].next = s.clock[0].flight_free
    s.flight[slot].tier = FREE_SLOT
    s.clock[0].flight_free = slot


@kernel
def append(flight: Any, queue: Any, slot: int) -> None:
    """Put a request at the end of a list; ``queue`` is a record with ``head`` and ``tail``."""
    request = flight[slot]
    request.next = NONE
    request.prev = queue.tail
    if queue.tail == NONE:
        queue.head = slot
    else:
        flight[queue.tail].next = slot
    queue.tail = slot


@kernel
def insert(flight: Any, queue: Any, slot: int) -> None:
    """Put a request into a list ordered by ``key_s``, behind its equals. From the end: arrivals are nearly in order."""
    request = flight[slot]
    before = queue.tail
    while before != NONE and flight[before].key_s > request.key_s:
        before = flight[before].prev
    if before == NONE:
        request.next = queue.head
        queue.head = slot
    else:
        request.next = flight[before].next
        flight[before].next = slot
    request.prev = before
    if request.next == NONE:
        queue.tail = slot
    else:
        flight[request.next].prev = slot


@kernel
def put_back(flight: Any, queue: Any, slot: int) -> None:
    """Put a request back into a list ordered by ``key_s``, before its equals. From the front: it was there before."""
    request = flight[slot]
    behind = queue.head
    while behind != NONE and flight[behind].key_s < request.key_s:
        behind = flight[behind].next
    request.next = behind
    request.prev = queue.tail if behind == NONE else flight[behind].prev
    if request.prev == NONE:
        queue.head = slot
    else:
        flight[request.prev].next = slot
    if behind == NONE:
        queue.tail = slot
    else:
        flight[behind].prev = slot


@kernel
def pop(flight: Any, queue: Any) -> int:
    """Take the first request off a list that is not empty."""
    slot = queue.head
    queue.head = flight[slot].next
    if queue.head == NONE:
        queue.tail = NONE
    else:
        flight[queue.head].prev = NONE
    return slot


@kernel
def pop_last(flight: Any, queue: Any) -> int:
    """Take the last request off a list that is not empty."""
    slot = queue.tail
    queue.tail = flight[slot].prev
    if queue.tail == NONE:
        queue.head = NONE
    else:
        flight[queue.tail].next = NONE
    return slot
