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
    """Put a request into a list ordered by ``key_s``, behind its equals."""
    link(flight, queue, last_before(flight, queue, flight[slot].key_s, True), slot)


@kernel
def put_back(flight: Any, queue: Any, slot: int) -> None:
    """Put a request back into a list ordered by ``key_s``, before its equals."""
    link(flight, queue, last_before(flight, queue, flight[slot].key_s, False), slot)


@kernel
def last_before(flight: Any, queue: Any, key_s: float, or_equal: bool) -> int:
    """The last request of an ordered list whose key is less than ``key_s``, or equal to it; ``NONE`` where there is none.

    Two searches take turns, one from the tail, as arrivals are nearly in order, and one from where a request was put last, as what
    a fault takes comes back in order: thousands of requests, each of which may belong thousands of places before the tail.
    """
    late = queue.tail
    if late == NONE or goes_before(flight, late, key_s, or_equal):
        return late
    near = queue.head if queue.put == NONE else queue.put
    if goes_before(flight, near, key_s, or_equal):
        while not goes_before(flight, late, key_s, or_equal):
            following = flight[near].next
            if not goes_before(flight, following, key_s, or_equal):
                return near
            near, late = following, flight[late].prev
        return late
    while near != NONE and not goes_before(flight, near, key_s, or_equal):
        if goes_before(flight, late, key_s, or_equal):
            return late
        near, late = flight[near].prev, flight[late].prev
    return near


@kernel
def goes_before(flight: Any, slot: int, key_s: float, or_equal: bool) -> bool:
    """Whether a request's key is less than another, or equal to it."""
    return flight[slot].key_s < key_s or (or_equal and flight[slot].key_s == key_s)


@kernel
def link(flight: Any, queue: Any, before: int, slot: int) -> None:
    """Put a request behind another of a list, or at its head where that is ``NONE``."""
    request = flight[slot]
    request.prev = before
    if before == NONE:
        request.next = queue.head
        queue.head = slot
    else:
        request.next = flight[before].next
        flight[before].next = slot
    if request.next == NONE:
        queue.tail = slot
    else:
        flight[request.next].prev = slot
    queue.put = slot


@kernel
def pop(flight: Any, queue: Any) -> int:
    """Take the first request off a list that is not empty."""
    slot = queue.head
    if queue.put == slot:
        queue.put = NONE
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
    if queue.put == slot:
        queue.put = NONE
    queue.tail = flight[slot].prev
    if queue.tail == NONE:
        queue.head = NONE
    else:
        flight[queue.tail].next = NONE
    return slot
