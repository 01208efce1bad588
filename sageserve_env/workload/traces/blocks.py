"""Checked rows of a trace: from a file as it goes, or from all of it, sorted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.traces.columns import Rows, labels, tokens
from sageserve_env.workload.traces.files.opening import open_blocks
from sageserve_env.workload.traces.files.table import BadRow, Names, Position, Table, shown
from sageserve_env.workload.traces.layouts import Layout
from sageserve_env.workload.traces.times import SINCE_START, Clock, find_clock

MAX_SORTED_ROWS = 5_000_000
"""A trace that is sorted is held in memory, some 120 bytes for each row; larger ones are refused."""


@dataclass(frozen=True)
class Reading:
    """How a trace file is read.

    Attributes:
        layout: Its columns.
        time_unit: Of numbers in the time column; None tells it by layout and magnitude.
        invalid_rows: One of ``columns.INVALID_ROWS``.
        sort: Sort rows by time, in memory.
    """

    layout: Layout
    time_unit: str | None = None
    invalid_rows: str = "error"
    sort: bool = False


@dataclass(frozen=True)
class Block:
    """Checked columns of the rows of a block that are kept, n of them.

    Attributes:
        arrival_s: Seconds from the start, or from ``times.EPOCH_S``, shape (n,).
        prompt: Prompt tokens, shape (n,).
        output: Output tokens, shape (n,).
        labels: Names by label, where the layout has them.
        rows: Rows of the file that the block is made of, n at least.
        kept: Which of those rows each is, shape (n,); None where all are kept in order.
        clamped: Number of rows with clamped tokens.
    """

    arrival_s: NDArray[np.float64]
    prompt: NDArray[np.int32]
    output: NDArray[np.int32]
    labels: dict[str, Names]
    rows: int
    kept: NDArray[np.int64] | None = None
    clamped: int = 0

    @property
    def size(self) -> int:
        """Number of rows that are kept."""
        return int(self.arrival_s.size)

    def file_row(self, row: int) -> int:
        """Which row of the block's part of the file a kept row is, from 0."""
        return row if self.kept is None else int(self.kept[row])

    def take(self, kept: NDArray[np.int64]) -> Block:
        """Some of the rows of a block of which all are kept."""
        names = {name: Names(column.codes[kept], column.names) for name, column in self.labels.items()}
        return replace(
            self, arrival_s=self.arrival_s[kept], prompt=self.prompt[kept], output=self.output[kept], labels=names, kept=kept
        )


class Blocks(Protocol):
    """A trace as a sequence of blocks.

    Attributes:
        start: Position of the first.
        clock: How times are read.
    """

    start: Position
    clock: Clock

    def block(self, position: Position, row: int) -> tuple[Block, Position] | None:
        """The block at a position, whose first row is number ``row`` of the file (from 0), and the position after it; or None.

        Raises:
            InputError: A row cannot be used.
        """
        ...


def open_trace(path: Path, reading: Reading, clock: Clock | None = None) -> Blocks:
    """Open a trace for reading.

    Args:
        path: The file.
        reading: How it is read.
        clock: How its times are read, if that is known.

    Raises:
        InputError: The file cannot be read, or its times may mean two things.
    """
    blocks = FileBlocks(path, reading, clock)
    return SortedBlocks(blocks, shown(path)) if reading.sort else blocks


class FileBlocks:
    """Blocks of a file, one after the other. See :class:`Blocks`."""

    def __init__(self, path: Path, reading: Reading, clock: Clock | None = None) -> None:
        self._file = open_blocks(path)
        self._where = shown(path)
        self._reading = reading
        self.start = self._file.start
        self.clock = clock or self._find_clock()

    def block(self, position: Position, row: int) -> tuple[Block, Position] | None:
        """See :class:`Blocks`."""
        try:
            found = self._file.read(position, self._reading.layout.columns)
            return None if found is None else (self._convert(found[0]), found[1])
        except BadRow as error:
            raise InputError(f"{self._where} row {row + error.row + 1}: {error.problem}") from error

    def _find_clock(self) -> Clock:
        """Look for the first time that says how times are to be read."""
        layout, position, row = self._reading.layout, self.start, 0
        try:
            while (found := self._file.read(position, [layout.time])) is not None:
                table, position = found
                clock = find_clock(table.columns[layout.time], layout, self._reading.time_unit)
                if clock is not None:
                    return clock
                row += table.rows
        except BadRow as error:
            raise InputError(f"{self._where} row {row + error.row + 1}: {error.problem}") from error
        return Clock(SINCE_START, self._reading.time_unit or self._reading.layout.unit)

    def _convert(self, table: Table) -> Block:
        """Columns as numbers and codes."""
        layout = self._reading.layout
        rows = Rows(table.rows, self._reading.invalid_rows)
        time = self.clock.read(table.columns[layout.time], layout.time, rows)
        prompt, output = (tokens(table.columns[name], name, rows) for name in (layout.prompt, layout.output))
        names = {
            name: labels([table.columns[column] for column in label.columns], label, name, rows)
            for name, label in layout.labels.items()
        }
        block = Block(time, prompt, output, names, table.rows, clamped=int(np.count_nonzero(rows.clamped)))
        return block.take(np.flatnonzero(~rows.unusable)) if rows.unusable.any() else block


class SortedBlocks:
    """All rows of a trace as one block, in order of time; rows of one time stay in the order of the file. See :class:`Blocks`."""

    END: Position = (-1, 0)

    def __init__(self, blocks: Blocks, where: str) -> None:
        self.start = blocks.start
        self.clock = blocks.clock
        self._all = _sorted(_joined(_limited(blocks, where)))

    def block(self, position: Position, row: int) -> tuple[Block, Position] | None:
        """See :class:`Blocks`."""
        return None if position == self.END else (self._all, self.END)


def every_block(blocks: Blocks) -> Iterator[tuple[Block, int]]:
    """All blocks, each with the number of its first row in the file, from 0."""
    position, row = blocks.start, 0
    while (found := blocks.block(position, row)) is not None:
        block, position = found
        yield block, row
        row += block.rows


def _limited(blocks: Blocks, where: str) -> Iterator[Block]:
    """All blocks of a trace that may be sorted."""
    for block, row in every_block(blocks):
        if row + block.rows > MAX_SORTED_ROWS:
            raise InputError(f"{where}: has more than {MAX_SORTED_ROWS:,} rows; sort it by time yourself, then leave --sort out")
        yield block


def _joined(blocks: Iterator[Block]) -> Block:
    """Blocks as one."""
    parts = list(blocks)
    if not parts:
        return Block(np.zeros(0), np.zeros(0, np.int32), np.zeros(0, np.int32), {}, 0)
    starts = np.cumsum([0, *(part.rows for part in parts)])
    kept = [start + (np.arange(part.size) if part.kept is None else part.kept) for start, part in zip(starts, parts, strict=False)]
    return Block(
        np.concatenate([part.arrival_s for part in parts]),
        np.concatenate([part.prompt for part in parts]),
        np.concatenate([part.output for part in parts]),
        {name: _joined_names([part.labels[name] for part in parts]) for name in parts[0].labels},
        int(starts[-1]),
        np.concatenate(kept),
        sum(part.clamped for part in parts),
    )


def _joined_names(parts: list[Names]) -> Names:
    """Codes of several blocks under one list of names."""
    index: dict[str, int] = {}
    codes = [np.array([index.setdefault(name, len(index)) for name in part.names])[part.codes] for part in parts]
    return Names(np.concatenate(codes), list(index))


def _sorted(block: Block) -> Block:
    """A block in order of time."""
    order = np.argsort(block.arrival_s, kind="stable")
    kept = order if block.kept is None else block.kept[order]
    return replace(block.take(order), kept=kept)
