"""Non-interactive requests that are known ahead of their time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sageserve_env.identity import digest
from sageserve_env.workload.play import Mark, PlayedStream, place_of
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk
from sageserve_env.world.schema import TIERS

NIW = TIERS.index("NIW")


@dataclass(frozen=True)
class _Position:
    """Snapshot of a stream."""

    base: Any
    waiting: Chunk  # never written to
    ended: bool


class EarlyNiwStream:
    """Reads ahead as far as a request may move, and holds back what one of the base's next requests may overtake."""

    def __init__(self, base: PlayedStream, by_s: float) -> None:
        self._base, self._by_s = base, by_s
        self._waiting: Chunk = np.empty(0, REQUEST_DTYPE)
        self._ended = False

    @cached_property
    def identity(self) -> str:
        """What is played: the base, and how much earlier."""
        return digest(self._base.identity, "early", self._by_s)

    def next_chunk(self) -> Chunk:
        """The next requests in order; empty at the end."""
        while not self._ended:
            chunk = self._base.next_chunk()
            self._ended = chunk.size == 0
            ready = np.concatenate([self._waiting, self._moved(chunk)])
            ready = ready[np.argsort(ready["arrival_s"], kind="stable")]
            # Strictly before: of requests of one time the base's order holds, however it cuts its chunks.
            safe = ready.size if self._ended else int(np.searchsorted(ready["arrival_s"], chunk["arrival_s"][-1] - self._by_s))
            self._waiting = ready[safe:]
            if safe:
                return ready[:safe]
        return np.empty(0, REQUEST_DTYPE)

    def _moved(self, chunk: Chunk) -> Chunk:
        moved = chunk.copy()
        moved["arrival_s"] = np.where(chunk["tier"] == NIW, np.maximum(chunk["arrival_s"] - self._by_s, 0.0), chunk["arrival_s"])
        return moved

    def snapshot(self) -> Mark:
        """The base's position and what waits."""
        return Mark(self.identity, _Position(self._base.snapshot(), self._waiting, self._ended))

    def restore(self, snapshot: Mark) -> None:
        """Continue from a snapshot."""
        place = place_of(snapshot, self.identity)
        self._base.restore(place.base)
        self._waiting, self._ended = place.waiting, place.ended
