"""Which regions are out and when: a drawn outage never takes the last one."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import kernel
from sageserve_env.sim.events import NEVER_S
from sageserve_env.sim.state import DOWN, OUTAGE_DRAWN, OUTAGE_PLANNED, Sim


@kernel
def is_outage(source: Any) -> bool:
    """Whether a source of faults takes a whole region down."""
    return source.kind == OUTAGE_DRAWN or source.kind == OUTAGE_PLANNED


@kernel
def leaves_a_region(s: Sim, place: int) -> bool:
    """Whether some region is up at every instant of a drawn outage: at its start, and where planned ones begin meanwhile."""
    drawn = s.fault[place]
    at_s = drawn.start_s
    while at_s < drawn.end_s and others_up(s, drawn.region, at_s) > 0:
        at_s = next_planned_s(s, at_s)
    return at_s >= drawn.end_s


@kernel
def next_planned_s(s: Sim, after_s: float) -> float:
    """When the next planned outage after an instant begins."""
    first_s = NEVER_S
    for place in range(s.fault.shape[0]):
        source = s.fault[place]
        if source.kind == OUTAGE_PLANNED and after_s < source.start_s < first_s:
            first_s = source.start_s
    return first_s


@kernel
def others_up(s: Sim, region: int, at_s: float) -> int:
    """Regions beside one that are up at an instant, as far as is known."""
    count = 0
    for other in range(s.region.shape[0]):
        count += other != region and is_up(s, other, at_s)
    return count


@kernel
def is_up(s: Sim, region: int, at_s: float) -> bool:
    """Whether no planned outage and none that has begun covers a region at an instant."""
    for place in range(s.fault.shape[0]):
        source = s.fault[place]
        is_known = source.kind == OUTAGE_PLANNED or (source.kind == OUTAGE_DRAWN and source.phase == DOWN)
        if is_known and source.region == region and source.start_s <= at_s < source.end_s:
            return False
    return True
