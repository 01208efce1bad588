"""Requests on record: replay of a trace file with any number of rows, in memory that does not grow with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_chunk_rows, check_number, check_seed
from sageserve_env.workload.generated import CHUNK_ROWS
from sageserve_env.workload.mapping import LabelTable, Mapping
from sageserve_env.workload.traces.files import BadRow, BlockFile, Position, open_blocks
from sageserve_env.workload.traces.formats import ORDER, Block, convert, find_layout
from sageserve_env.workload.traces.scan import Lookups, Scan, look_up, scan_blocks
from sageserve_env.workload.traces.stream import TraceStream
from sageserve_env.workload.transforms.compose import Composable
from sageserve_env.world.schema import World

_SCANS: dict[tuple[object, ...], Scan] = {}
"""Passes made, by the identity of the file, so that a second stream does not read it again."""


class Trace(Composable):
    """A trace file as a workload.

    CSV and JSON lines (plain or ``.gz``) and Parquet, in any layout of ``traces.formats.LAYOUTS``. The whole file is checked, in
    one streaming pass, before the first request is played. A trace whose layout has no model, region and tier (or any trace, where
    ``mapping`` is given) gets them from a :class:`Mapping`. Without a ``region_order`` column the second and third choice of region
    are drawn at random. Snapshots of compressed text go back by reading from the start: prefer plain CSV or Parquet for planning.

    Args:
        path: The file.
        mapping: Shares of models, tiers and regions; ``None`` reads them from the file, or takes ``Mapping()`` if it has none.
        duration_s: Length of the workload in seconds; ``None`` ends it with the whole second after the last request.
        name: Shown in reports; the file's name unless given.
        chunk_rows: Most requests in a chunk; changes nothing else.
        week_start_s: Seconds from Monday 00:00 to time 0, where known; only figures use it.

    Raises:
        InputError: The file cannot be read or has the wrong columns, or an argument is out of range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        mapping: Mapping | None = None,
        duration_s: float | None = None,
        name: str | None = None,
        chunk_rows: int = CHUNK_ROWS,
        week_start_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        self.name = name or self.path.name
        self.chunk_rows = check_chunk_rows(chunk_rows)
        self.week_start_s = week_start_s
        self.layout = find_layout(open_blocks(self.path).columns, str(self.path), labelled=mapping is None)
        self.mapping = None if self.layout.labels else (mapping or Mapping())
        if duration_s is not None:
            check_number("duration_s", duration_s, open_minimum=True, unit="s")
        self._duration_s = duration_s

    @property
    def duration_s(self) -> float:
        """Length in seconds; the first look reads the file once."""
        return float(np.floor(self.scan().last_s) + 1) if self._duration_s is None else self._duration_s

    def open(self) -> BlockFile:
        """The file, with the columns that are needed."""
        columns = open_blocks(self.path).columns
        wanted = [*self.layout.columns, *([ORDER] if self.layout.labels and ORDER in columns else [])]
        return open_blocks(self.path, wanted)

    def blocks(self, file: BlockFile, position: Position, row: int) -> Iterator[tuple[Block, int]]:
        """Converted blocks from a position on, each with the number of its first row (from 0)."""
        while (found := self.block(file, position, row)) is not None:
            block, position = found
            yield block, row
            row += block.size

    def block(self, file: BlockFile, position: Position, row: int) -> tuple[Block, Position] | None:
        """The block at a position, whose first row is number ``row`` (from 0), and the position after it."""
        try:
            found = file.read(position)
            return None if found is None else (convert(found[0], self.layout), found[1])
        except BadRow as error:
            raise InputError(f"{self.path} row {row + error.row + 1}: {error.problem}") from error

    def scan(self) -> Scan:
        """Check every row, apart from names that only a world can check.

        Raises:
            InputError: A row cannot be used, times go back, or there is no row.
        """
        stat = self.path.stat()
        key = (str(self.path.resolve()), stat.st_ino, stat.st_size, stat.st_mtime_ns, self.layout)
        if key not in _SCANS:
            file = self.open()
            _SCANS[key] = scan_blocks(self.blocks(file, file.start, 0), str(self.path), self.layout)
        scan = _SCANS[key]
        if self._duration_s is not None and scan.last_s >= self._duration_s:
            what = f"duration_s = {self._duration_s:g} ends before the last request, at {scan.last_s:g} s"
            raise InputError(f"{self.path}: {what}; give more, or slice the trace")
        return scan

    def validate(self, world: World) -> None:
        """Check the whole trace against a world.

        Raises:
            InputError: A row cannot be used, or names a model, region or order of regions that the world does not have.
        """
        self.scan()
        if self.mapping is None:
            self.lookups(world)
        else:
            LabelTable(self.mapping, world, str(self.path))

    def lookups(self, world: World) -> Lookups:
        """World indices of all names in the trace.

        Raises:
            InputError: A name is not in the world.
        """
        return look_up(self.scan(), world, str(self.path))

    def stream(self, world: World, seed: int) -> TraceStream:
        """Check the trace, then start playing."""
        self.validate(world)
        return TraceStream(self, world, check_seed(seed))
