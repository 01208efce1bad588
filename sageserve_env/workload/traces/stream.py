"""A trace being played: blocks become labelled chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sageserve_env.workload.mapping import LabelTable
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, preference_orders
from sageserve_env.workload.rng import TRACE_LABELS, counter_words, generator_words, uniform
from sageserve_env.workload.traces.files import Position
from sageserve_env.workload.traces.formats import ORDER, Block
from sageserve_env.world.schema import TIERS, World

if TYPE_CHECKING:
    from sageserve_env.workload.traces.trace import Trace


class Labeller:
    """Writes model, tier, origin and preference of the rows of a trace."""

    def __init__(self, trace: Trace, world: World) -> None:
        self._table = None if trace.mapping is None else LabelTable(trace.mapping, world, str(trace.path))
        self._lookups = trace.lookups(world) if trace.mapping is None else {}
        self._n_orders = preference_orders(len(world.regions)).shape[1]

    def write(self, chunk: Chunk, block: Block, words: NDArray[np.uint64]) -> None:
        """Label a chunk from its block and one random word for each row."""
        if self._table is not None:
            self._table.write(chunk, words)
            return
        model, region, tier = (block.labels[name] for name in ("model", "region", "tier"))
        # A block's dictionary may hold names that no row of it has; every name of a row was looked up beforehand.
        models, regions = self._lookups["model"], self._lookups["region"]
        chunk["model"] = np.array([models.get((name,), 0) for name in model.names])[model.codes]
        chunk["origin"] = np.array([regions.get((name,), 0) for name in region.names])[region.codes]
        chunk["tier"] = np.array([TIERS.index(name) if name in TIERS else 0 for name in tier.names])[tier.codes]
        chunk["preference"] = (uniform(words) * self._n_orders).astype(np.uint8)
        if ORDER in block.labels:
            order = block.labels[ORDER]
            table = [[self._lookups[ORDER].get((r, o), -1) for o in order.names] for r in region.names]
            chosen = np.array(table)[region.codes, order.codes]
            chunk["preference"] = np.where(chosen >= 0, chosen, chunk["preference"])


@dataclass(frozen=True)
class _Place:
    """Snapshot of a trace stream."""

    position: Position  # of the current block
    row: int  # number of its first row
    taken: int  # rows of it already returned


class TraceStream:
    """A trace being played, block by block. Random labels depend on (seed, row) only."""

    def __init__(self, trace: Trace, world: World, seed: int) -> None:
        self._trace = trace
        self._file = trace.open()
        self._labeller = Labeller(trace, world)
        self._origin_s = trace.scan().origin_s
        self._key = int(generator_words(seed, TRACE_LABELS)[0])
        self._load(_Place(self._file.start, 0, 0))

    def _load(self, place: _Place) -> None:
        """Read the block at a place."""
        found = self._trace.block(self._file, place.position, place.row)
        self._place = place
        self._next: Position | None = None
        self._chunk: Chunk = np.zeros(0, REQUEST_DTYPE)
        if found is not None:
            block, self._next = found
            self._chunk = self._requests(block, place.row)

    def _requests(self, block: Block, row: int) -> Chunk:
        chunk = np.zeros(block.size, REQUEST_DTYPE)
        chunk["arrival_s"] = block.arrival_s - self._origin_s
        chunk["prompt_tokens"], chunk["output_tokens"] = block.prompt, block.output
        self._labeller.write(chunk, block, counter_words(self._key, row, block.size))
        return chunk

    def next_chunk(self) -> Chunk:
        """The next requests, at most ``chunk_rows``; empty at the end."""
        while self._place.taken == self._chunk.size and self._next is not None:
            self._load(_Place(self._next, self._place.row + self._chunk.size, 0))
        start = self._place.taken
        result = self._chunk[start : start + self._trace.chunk_rows]
        self._place = _Place(self._place.position, self._place.row, start + result.size)
        return result

    def snapshot(self) -> _Place:
        """The place in the file."""
        return self._place

    def restore(self, snapshot: _Place) -> None:
        """Continue from a place; the block is read again unless it is the current one."""
        if snapshot.position != self._place.position:
            self._load(snapshot)
        self._place = snapshot
