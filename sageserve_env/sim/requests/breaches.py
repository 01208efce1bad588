"""Avoidable breaches of service levels, each booked once: when the first or the last token is late, or is overdue."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import entry_point, kernel
from sageserve_env.sim.events import NEVER_S
from sageserve_env.sim.requests.routing import origin_of
from sageserve_env.sim.state import FREE_SLOT, NIW, Sim


@kernel
def book_breach(s: Sim, slot: int) -> None:
    """Count a request as breached whose service level is missed, unless it is booked or no fleet could have met it."""
    request = s.flight[slot]
    if not request.unattainable and not request.breached:
        request.breached = 1
        s.origin[origin_of(s, request.origin, request.model, request.tier)].breached += 1


@kernel
def is_overdue(s: Sim, slot: int) -> bool:
    """Whether a slot holds a request that has missed its service level for want of its first token, or of its last."""
    request, now_s = s.flight[slot], s.clock[0].now_s
    if request.tier == FREE_SLOT:
        return False
    if request.first_token_s != NEVER_S and decodes_late(s, slot):
        return True
    is_open = request.tier == NIW or request.first_token_s == NEVER_S
    return is_open and now_s - request.arrival_s > s.tier[request.tier].slo_s


@kernel
def decodes_late(s: Sim, slot: int) -> bool:
    """Whether a request with its first token, complete now or not, exceeds its tier's time for each further token."""
    request = s.flight[slot]
    allowed_s = s.tier[request.tier].tpot_s * max(request.output - 1, 1)
    return s.clock[0].now_s - request.first_token_s > allowed_s


@kernel
def book_overdue(s: Sim) -> None:
    """Count the requests in flight whose service level has passed. O(requests in flight): for control instants."""
    for slot in range(s.clock[0].flight_used):
        if not s.flight[slot].breached and is_overdue(s, slot):  # most of a long queue is booked already
            book_breach(s, slot)


@kernel
def book_unfinished(s: Sim, grace_s: float) -> None:
    """At the end of an episode: NIW in the system for longer than ``grace_s`` is late, as nothing will serve it. O(in flight)."""
    for slot in range(s.clock[0].flight_used):
        request = s.flight[slot]
        if request.tier == NIW and s.clock[0].now_s - request.arrival_s > grace_s:
            book_breach(s, slot)


@entry_point
def count_overdue(counts: Any, *arrays: Any) -> None:
    """Add what :func:`book_overdue` would book to ``counts``, shape (R * M * T,); changes nothing of the state.

    ``arrays`` are those of :class:`Sim`.
    """
    s = Sim(*arrays)
    for slot in range(s.clock[0].flight_used):
        request = s.flight[slot]
        if is_overdue(s, slot) and not request.unattainable and not request.breached:
            counts[origin_of(s, request.origin, request.model, request.tier)] += 1
