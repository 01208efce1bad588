"""Which event is next: a tournament tree over sources that each have one pending time.

Leaf i of a tree with L leaves is node L + i; node 1 holds the winner. At equal times the lower source wins, so order is fixed.
"""

from __future__ import annotations

import math
from typing import Any

from sageserve_env.compile import kernel

NEVER_S = math.inf


@kernel
def schedule(event: Any, source: int, time_s: float) -> None:
    """Set the time of a source's pending event; ``NEVER_S`` when it has none."""
    node = event.shape[0] // 2 + source
    event[node].time_s = time_s
    event[node].source = source
    while node > 1:
        left = node & ~1
        winner = event[left] if event[left].time_s <= event[left + 1].time_s else event[left + 1]
        node >>= 1
        event[node].time_s = winner.time_s
        event[node].source = winner.source
