"""The decoding members of a batch: a binary heap keyed by the iteration that ends each, so no event costs O(batch)."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import kernel

SLOT_BITS = 31
SLOT_MASK = (1 << SLOT_BITS) - 1


@kernel
def push(heap: Any, size: int, last_iteration: int, slot: int) -> None:
    """Add a member to a heap of ``size`` members; equal iterations leave in order of slot."""
    entry = (last_iteration << SLOT_BITS) | slot
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if heap[parent] <= entry:
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = entry


@kernel
def pop(heap: Any, size: int) -> int:
    """Remove the first member of a heap of ``size`` members; returns its flight slot."""
    first = heap[0]
    entry = heap[size - 1]
    parent = 0
    child = 1
    while child < size - 1:
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if entry <= heap[child]:
            break
        heap[parent] = heap[child]
        parent = child
        child = 2 * parent + 1
    heap[parent] = entry
    return first & SLOT_MASK


@kernel
def first_iteration(heap: Any) -> int:
    """The iteration that ends the first member of a heap that is not empty."""
    return heap[0] >> SLOT_BITS
