"""Whole instances for regions: as few moves as make the total, each where it is wanted most."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from agents.inference.shared.facts import Facts

Reals = NDArray[np.float64]
Bools = NDArray[np.bool_]


def settle(facts: Facts, held: Reals, want: Reals, total: Reals, is_short: Bools) -> Reals:
    """Targets of each region and stream.

    Falls come before rises, as in the environment: a VM that one model gives up, another can have.

    Args:
        facts: VMs and streams.
        held: Targets so far, shape (E, R, S), whole numbers.
        want: Instances wanted, not whole, shape (E, R, S).
        total: Instances of each stream in all, shape (E, S), whole numbers.
        is_short: Where a target waits for VMs that are not there, shape (E, R, S); nothing is added there.

    Returns:
        Shape (E, R, S), within each region's VMs.
    """
    target, kinds = held.copy(), facts.streams[1]
    change = total - held.sum(axis=1)
    for stream in np.flatnonzero((change < 0).any(axis=0)).tolist():
        column = target[:, :, stream]
        _move(column, want[:, :, stream], -change[:, stream], -1.0, partial(np.greater, column, 0.0))
    for stream in np.flatnonzero((change > 0).any(axis=0)).tolist():
        same = kinds == kinds[stream]

        def has_room(stream: int = stream, same: Bools = same) -> Bools:
            used = target[:, :, same].sum(axis=2)
            return (used < facts.vms[None, :, kinds[stream]]) & ~is_short[:, :, stream]

        _move(target[:, :, stream], want[:, :, stream], change[:, stream], 1.0, has_room)
    return target


def _move(column: Reals, want: Reals, count: Reals, step: float, is_free: Callable[[], Bools]) -> None:
    """Change one stream's targets (E, R) in place, instance by instance, ``count`` (E,) of them where that is above 0."""
    left = count.copy()
    while (left > 0).any():
        free = is_free()
        gap = np.where(free, step * (want - column), -np.inf)
        region = gap.argmax(axis=1)
        rows = np.flatnonzero((left > 0) & free.any(axis=1))
        if not len(rows):
            return
        column[rows, region[rows]] += step
        left[rows] -= 1
