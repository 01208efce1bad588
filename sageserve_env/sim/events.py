"""Which event is next: a tournament tree over sources that each have one pending time.

Leaf i of a tree with L leaves is node L + i; node 1 holds the winner. At equal times the lower source wins, so order is fixed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sageserve_env.compile import kernel

NEVER_S = math.inf


@kernel
def schedule(event: Any, source: int, time_s: float) -> None:
    """Set the time of a source's pending event; ``NEVER_S`` when it has none.

    The winner so far stays in registers on the way up: read back from the node below, it would wait for its own store. Matches are
    decided by chance, so they have no branch to be guessed wrongly: times are compared by their bits.
    """
    node = event.shape[0] // 2 + source
    time = bits_of(time_s)
    event[node].time_s = time_s
    event[node].source = source
    while node > 1:
        rival = event[node ^ 1]
        rival_time = bits_of(rival.time_s)
        lost = rival_time - (node & 1) < time  # a right node loses at equal times
        time = rival_time if lost else time
        source = rival.source if lost else source
        node >>= 1
        event[node].time_s = np.int64(time).view(np.float64)
        event[node].source = source


@kernel
def bits_of(time_s: float) -> Any:
    """The bits of a time as an integer: for numbers from 0 on, which times are, the order is the same."""
    return np.float64(time_s).view(np.int64)
