"""Avoidable breaches of service levels, each booked once: when the first token or the completion is late, or is overdue."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import entry_point, kernel
from sageserve_env.sim.events import NEVER_S
from sageserve_env.sim.routing import origin_of
from sageserve_env.sim.state import FREE_SLOT, NIW, Sim


@kernel
def book_breach(s: Sim, slot: int, elapsed_s: float) -> None:
    """Count a request as breached if ``elapsed_s`` exceeds its service level and some fleet could have met it."""
    if is_breach(s, slot, elapsed_s):
        request = s.flight[slot]
        request.breached = 1
        s.origin[origin_of(s, request.origin, request.model, request.tier)].breached += 1


@kernel
def is_breach(s: Sim, slot: int, elapsed_s: float) -> bool:
    """Whether ``elapsed_s`` makes a breach of a request that is not booked."""
    request = s.flight[slot]
    return elapsed_s > s.tier[request.tier].slo_s and not request.unattainable and not request.breached


@kernel
def open_s(s: Sim, slot: int) -> float:
    """How long a request in flight has been without what its service level is about; 0 if it has that, or the slot is free."""
    request = s.flight[slot]
    if request.tier != FREE_SLOT and (request.tier == NIW or request.first_token_s == NEVER_S):
        return s.clock[0].now_s - request.arrival_s
    return 0.0


@kernel
def book_overdue(s: Sim) -> None:
    """Count the requests in flight whose service level has passed. O(requests in flight): for control instants."""
    for slot in range(s.clock[0].flight_used):
        elapsed_s = open_s(s, slot)
        if elapsed_s > 0.0:
            book_breach(s, slot, elapsed_s)


@entry_point
def count_overdue(counts: Any, *arrays: Any) -> None:
    """Add what :func:`book_overdue` would book to ``counts``, shape (R * M * T,); changes nothing of the state.

    ``arrays`` are those of :class:`Sim`.
    """
    s = Sim(*arrays)
    for slot in range(s.clock[0].flight_used):
        elapsed_s = open_s(s, slot)
        if elapsed_s > 0.0 and is_breach(s, slot, elapsed_s):
            request = s.flight[slot]
            counts[origin_of(s, request.origin, request.model, request.tier)] += 1
