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
    request = s.flight[slot]
    if elapsed_s > s.tier[request.tier].slo_s and not request.unattainable and not request.breached:
        request.breached = 1
        s.origin[origin_of(s, request.origin, request.model, request.tier)].breached += 1


@kernel
def book_overdue(s: Sim) -> None:
    """Count the requests in flight whose service level has passed. O(requests in flight): for control instants."""
    now_s = s.clock[0].now_s
    for slot in range(s.clock[0].flight_used):
        request = s.flight[slot]
        if request.tier != FREE_SLOT and (request.tier == NIW or request.first_token_s == NEVER_S):
            book_breach(s, slot, now_s - request.arrival_s)


@entry_point
def settle_breaches(*arrays: Any) -> None:
    """Bring the counts of breaches up to now; ``arrays`` are those of :class:`Sim`."""
    book_overdue(Sim(*arrays))
