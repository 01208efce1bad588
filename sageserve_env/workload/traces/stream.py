"""A trace being played: blocks become labelled chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sageserve_env.workload.drawn.rng import TRACE_LABELS, counter_words, generator_words, uniform
from sageserve_env.workload.mapping import LabelTable
from sageserve_env.workload.play import Mark, place_of
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, preference_orders
from sageserve_env.workload.traces.blocks import Block, Blocks
from sageserve_env.workload.traces.files.table import Position
from sageserve_env.workload.traces.layouts import ORDER
from sageserve_env.workload.traces.scan import Lookups
from sageserve_env.world.schema import TIERS, World


class Labeller:
    """Writes model, tier, origin and preference of the rows of a trace.

    Args:
        labels: World indices of the names in the file, or a table of shares to draw from.
        world: Gives the orders of regions.
    """

    def __init__(self, labels: Lookups | LabelTable, world: World) -> None:
        self._table = labels if isinstance(labels, LabelTable) else None
        self._lookups = {} if isinstance(labels, LabelTable) else labels
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
    """A trace being played, block by block. Random labels depend on (seed, row of the file) only.

    Args:
        blocks: The trace.
        labeller: Labels its rows.
        origin_s: Time of the first row.
        seed: Of the labels.
        chunk_rows: Most requests in a chunk.
        identity: Tells what is played.
    """

    def __init__(
        self, blocks: Blocks, labeller: Labeller, origin_s: float, seed: int, chunk_rows: int, identity: Callable[[], str]
    ) -> None:
        self._blocks = blocks
        self._identity = identity
        self._labeller = labeller
        self._origin_s = origin_s
        self._chunk_rows = chunk_rows
        self._key = int(generator_words(seed, TRACE_LABELS)[0])
        self._load(_Place(blocks.start, 0, 0))

    def _load(self, place: _Place) -> None:
        """Read the block at a place."""
        found = self._blocks.block(place.position, place.row)
        self._place = place
        self._next: tuple[Position, int] | None = None
        self._chunk: Chunk = np.zeros(0, REQUEST_DTYPE)
        if found is not None:
            block, position = found
            self._next = (position, place.row + block.rows)
            self._chunk = self._requests(block, place.row)

    def _requests(self, block: Block, row: int) -> Chunk:
        chunk = np.zeros(block.size, REQUEST_DTYPE)
        chunk["arrival_s"] = block.arrival_s - self._origin_s
        chunk["prompt_tokens"], chunk["output_tokens"] = block.prompt, block.output
        words = counter_words(self._key, row, block.rows)
        self._labeller.write(chunk, block, words if block.kept is None else words[block.kept])
        return chunk

    def next_chunk(self) -> Chunk:
        """The next requests, at most ``chunk_rows``; empty at the end."""
        while self._place.taken == self._chunk.size and self._next is not None:
            self._load(_Place(*self._next, 0))
        start = self._place.taken
        result = self._chunk[start : start + self._chunk_rows]
        self._place = _Place(self._place.position, self._place.row, start + result.size)
        return result

    @cached_property
    def identity(self) -> str:
        """What is played: the contents of the file, how it is read, and the seed."""
        return self._identity()

    def snapshot(self) -> Mark:
        """The place in the file."""
        return Mark(self.identity, self._place)

    def restore(self, snapshot: Mark) -> None:
        """Continue from a place; the block is read again unless it is the current one."""
        place = place_of(snapshot, self.identity)
        if place.position != self._place.position:
            self._load(place)
        self._place = place
