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
    """Set the time of a source's pending event; ``NEVER_S`` when it has none.

    The winner so far stays in registers on the way up: read back from the node below, it would wait for its own store.
    """
    node = event.shape[0] // 2 + source
    event[node].time_s = time_s
    event[node].source = source
    while node > 1:
        other = event[node ^ 1]
        if other.time_s < time_s or (other.time_s == time_s and node & 1 == 1):
            time_s = other.time_s
            source = other.source
        node >>= 1
        event[node].time_s = time_s
        event[node].source = source
