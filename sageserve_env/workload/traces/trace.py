"""Requests on record: replay of a trace file with any number of rows, in memory that does not grow with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping as Names
from functools import lru_cache
from pathlib import Path

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.identity import digest
from sageserve_env.workload.checks import check_choice, check_chunk_rows, check_number, check_seed
from sageserve_env.workload.drawn.generated import CHUNK_ROWS
from sageserve_env.workload.mapping import LabelTable, Mapping
from sageserve_env.workload.traces.blocks import Reading, open_trace
from sageserve_env.workload.traces.columns import INVALID_ROWS
from sageserve_env.workload.traces.files.opening import open_blocks
from sageserve_env.workload.traces.files.table import shown
from sageserve_env.workload.traces.layouts import find_layout, map_layout
from sageserve_env.workload.traces.scan import Lookups, Scan, look_up, scan_blocks
from sageserve_env.workload.traces.stream import Labeller, TraceStream
from sageserve_env.workload.traces.times import CALENDAR, EPOCH_S, SINCE_START, UNITS
from sageserve_env.workload.transforms.compose import Composable
from sageserve_env.world.schema import World

_SCANS: dict[tuple[object, ...], Scan] = {}
"""Passes made, by the identity of the file and how it is read, so that a second stream does not read it again."""


class Trace(Composable):
    """A trace file as a workload.

    CSV, JSON lines or a JSON array (plain or compressed) and Parquet, in any layout of ``traces.layouts.LAYOUTS``, or under a
    mapping of columns. The whole file is checked, in one streaming pass, before the first request is played. A trace whose layout
    has no model, region and tier (or any trace, where ``mapping`` is given) gets them from a :class:`Mapping`. Without an order of
    regions the second and third choice of region are drawn at random. Snapshots of compressed text go back by reading from the
    start: prefer plain CSV or Parquet for planning.

    Args:
        path: The file.
        mapping: Shares of models, tiers and regions; ``None`` reads them from the file, or takes ``Mapping()`` if it has none.
        duration_s: Length of the workload in seconds; ``None`` ends it with the whole second after the last request.
        name: Shown in reports; the file's name unless given.
        chunk_rows: Most requests in a chunk; changes nothing else.
        week_start_s: Seconds from Monday 00:00 to time 0, where known; only figures use it.
        time_unit: Unit of numbers in the time column (``s``, ``ms``, ``us`` or ``ns``); ``None`` takes the layout's, and tells
            Unix stamps of any unit by their magnitude.
        columns: Columns of the file by what they hold (``t_s``, ``prompt_tokens``, ``output_tokens``, and ``model``, ``region``,
            ``tier``, ``region_order``); ``None`` tells the layout by the columns' names.
        invalid_rows: What becomes of rows that cannot be served: ``error``; ``skip`` leaves them out; ``clamp`` moves token counts
            into their range, and all else is an error.
        sort: Sort the rows by time, in memory, up to ``blocks.MAX_SORTED_ROWS`` of them.

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
        time_unit: str | None = None,
        columns: Names[str, str] | None = None,
        invalid_rows: str = "error",
        sort: bool = False,
    ) -> None:
        self.path = Path(path)
        self.name = name or self.path.name
        self.chunk_rows = check_chunk_rows(chunk_rows)
        self.week_start_s = week_start_s
        check_choice("time_unit", time_unit, (None, *UNITS))
        check_choice("invalid_rows", invalid_rows, INVALID_ROWS)
        check_choice("sort", sort, (True, False))
        there, labelled = open_blocks(self.path).columns, mapping is None
        if columns is None:
            self.layout = find_layout(there, self._where, labelled)
        else:
            self.layout = map_layout(columns, there, self._where, labelled)
        self._reading = Reading(self.layout, time_unit, invalid_rows, sort)
        self.mapping = None if self.layout.labels else (mapping or Mapping())
        if duration_s is not None:
            check_number("duration_s", duration_s, open_minimum=True, unit="s")
        self._duration_s = duration_s

    @property
    def duration_s(self) -> float:
        """Length in seconds; the first look reads the file once."""
        return float(np.floor(self.scan().last_s) + 1) if self._duration_s is None else self._duration_s

    @property
    def _where(self) -> str:
        return shown(self.path)

    def scan(self) -> Scan:
        """Check every row, apart from names that only a world can check.

        Raises:
            InputError: A row cannot be used, times go back, or there is no row.
        """
        try:
            stat = self.path.stat()
        except OSError as error:
            raise InputError(f"{self._where}: cannot be read ({error.strerror}); it was there when the trace was made") from error
        key = (str(self.path.resolve()), stat.st_ino, stat.st_size, stat.st_mtime_ns, repr(self._reading))
        if key not in _SCANS:
            _SCANS[key] = scan_blocks(open_trace(self.path, self._reading), self._where, self.layout)
        scan = _SCANS[key]
        if self._duration_s is not None and scan.last_s >= self._duration_s:
            what = f"duration_s = {self._duration_s:g} ends before the last request, at {scan.last_s:g} s"
            raise InputError(f"{self._where}: {what}; give more, or slice the trace")
        return scan

    def facts(self) -> dict[str, str]:
        """How the file was read, for reports: layout, times, and rows that were left out, clamped or sorted."""
        scan = self.scan()
        unit = "" if scan.clock.kind == CALENDAR else f" in {scan.clock.unit}"
        facts = {"layout": self.layout.name, "times": f"{self.layout.time}, {scan.clock.kind}{unit}"}
        if scan.clock.kind != SINCE_START:
            facts["counted from"] = str(np.datetime64(round((EPOCH_S + scan.origin_s) * 1e6), "us")) + " UTC"
        facts["rows"] = f"{scan.rows:,} played, {scan.skipped:,} skipped, {scan.clamped:,} clamped"
        return facts | ({"order": "sorted by time"} if self._reading.sort else {})

    def validate(self, world: World) -> None:
        """Check the whole trace against a world.

        Raises:
            InputError: A row cannot be used, or names a model, region or order of regions that the world does not have.
        """
        self.scan()
        self._labels(world)

    def lookups(self, world: World) -> Lookups:
        """World indices of all names in the trace.

        Raises:
            InputError: A name is not in the world.
        """
        return look_up(self.scan(), world, self._where)

    def _labels(self, world: World) -> Lookups | LabelTable:
        return self.lookups(world) if self.mapping is None else LabelTable(self.mapping, world, self._where)

    def stream(self, world: World, seed: int) -> TraceStream:
        """Check the trace, then start playing."""
        scan, labels = self.scan(), self._labels(world)
        blocks = open_trace(self.path, self._reading, scan.clock)
        labeller, seed = Labeller(labels, world), check_seed(seed)
        return TraceStream(blocks, labeller, scan.origin_s, seed, self.chunk_rows, lambda: self._identity(world, seed))

    def _identity(self, world: World, seed: int) -> str:
        """What a stream plays: the file's contents, wherever it lies, how it is read, and the seed."""
        stat = self.path.stat()
        contents = file_digest(self.path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        names = [[item.name for item in kind] for kind in (world.models, world.regions)]
        return digest("trace", contents, repr(self._reading), self.mapping, names, seed)


@lru_cache(maxsize=64)
def file_digest(path: Path, *_version: int) -> str:
    """A digest of a file's contents; ``_version`` changes where the file does. Read when a snapshot first needs it."""
    hashed = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()
