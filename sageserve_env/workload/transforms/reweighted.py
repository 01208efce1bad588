"""The one stream behind every transform of requests on record: thinned, repeated and moved by a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.workload.drawn.rng import counter_words, uniform
from sageserve_env.workload.play import Mark, place_of
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, Stream
from sageserve_env.workload.transforms.operations import Plan

COPY_JITTER_S = 1.0
"""Assumption: further copies of a request arrive up to this much after it, uniformly."""


@dataclass(frozen=True)
class _Position:
    """Snapshot of a reweighted stream."""

    base: Any
    seen: int  # requests taken from the base
    waiting: Chunk  # copies that may still be overtaken by the base's next request; never written to
    ended: bool


class ReweightedStream:
    """A stream under a plan. The copies of the base's k-th request depend on (key, k) only, so chunk sizes change nothing.

    Args:
        base: The stream.
        plan: What is done to it.
        duration_s: Length of the result in seconds.
        key: Of the random numbers.
        identity: Tells what is played.
    """

    def __init__(self, base: Stream, plan: Plan, duration_s: float, key: int, identity: Callable[[], str]) -> None:
        self._base, self._plan, self._duration_s, self._key, self._identity = base, plan, duration_s, key, identity
        self._seen = 0
        self._waiting: Chunk = np.empty(0, REQUEST_DTYPE)
        self._ended = False

    @cached_property
    def identity(self) -> str:
        """What is played: the base, and the transform."""
        return self._identity()

    def next_chunk(self) -> Chunk:
        """The next requests that nothing can overtake; empty at the end."""
        while not self._ended:
            chunk = self._base.next_chunk()
            self._ended = chunk.size == 0 or bool(chunk["arrival_s"][-1] >= self._plan.stop_s)
            # Stable: among equal times the order of the base, then of the copies.
            ready = np.concatenate([self._waiting, self._copies(chunk)])
            ready = ready[np.argsort(ready["arrival_s"], kind="stable")]
            safe = ready.size
            if not self._ended:
                safe = int(np.searchsorted(ready["arrival_s"], chunk["arrival_s"][-1] + self._plan.offset_s, side="right"))
            self._waiting = ready[safe:]
            if safe:
                return ready[:safe]
        return np.empty(0, REQUEST_DTYPE)

    def _copies(self, chunk: Chunk) -> Chunk:
        """The requests that a chunk of the base gives rise to."""
        plan, first = self._plan, self._seen
        self._seen += chunk.size
        inside = (chunk["arrival_s"] >= plan.start_s) & (chunk["arrival_s"] < plan.stop_s)
        copies = inside.astype(np.int64)
        if plan.weight is not None:
            weight = plan.weight(chunk) * inside
            copies = np.floor(weight).astype(np.int64)
            copies += uniform(counter_words(self._key, first, chunk.size)) < weight - copies
        result = np.repeat(chunk, copies)
        times = result["arrival_s"] + plan.offset_s
        result["arrival_s"] = times + self._jitter(copies, first)
        late = result["arrival_s"] >= self._duration_s
        result["arrival_s"][late] = times[late]
        return result[result["arrival_s"] < self._duration_s]

    def _jitter(self, copies: NDArray[np.int64], first: int) -> NDArray[np.float64]:
        """Delay of each copy in seconds, 0 for the first of each request. Shape (copies.sum(),)."""
        owner = np.repeat(np.arange(copies.size), copies)
        number = np.arange(owner.size) - np.repeat(np.cumsum(copies) - copies, copies)
        # A word of its own for each (request, copy): the request's word from another key, stepped by the copy's number.
        words = counter_words(self._key ^ 0xA5A5A5A5A5A5A5A5, first, copies.size)[owner]
        z = words + number.astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
        z = (z ^ (z >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        z = (z ^ (z >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        return np.where(number == 0, 0.0, uniform(z ^ (z >> np.uint64(33))) * COPY_JITTER_S)

    def snapshot(self) -> Mark:
        """The base's position and the copies that wait."""
        return Mark(self.identity, _Position(self._base.snapshot(), self._seen, self._waiting, self._ended))

    def restore(self, snapshot: Mark) -> None:
        """Continue from a snapshot."""
        place = place_of(snapshot, self.identity)
        self._base.restore(place.base)
        self._seen, self._waiting, self._ended = place.seen, place.waiting, place.ended
