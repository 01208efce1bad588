"""Reading trace files block by block from any position: CSV and JSON lines (plain or gzip) and Parquet.

A position is a small tuple that a later call can come back to. Memory is that of one block, however long the file.
"""

from __future__ import annotations

import gzip
import io
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import json as arrow_json
from pyarrow import parquet

from sageserve_env.errors import InputError

BLOCK_BYTES = 1 << 20
BLOCK_ROWS = 1 << 15

NAME_COLUMNS = ("model", "region", "tier", "region_order")
"""Columns of few different names: read as dictionaries, at half the cost of strings."""

Position = tuple[int, int]
"""Byte offset and 0 in a text file; row group and batch in a Parquet file."""


_NAMES = pa.dictionary(pa.int32(), pa.string())


class BlockFile(Protocol):
    """A trace file as a sequence of tables."""

    columns: list[str]
    start: Position

    def read(self, position: Position) -> tuple[pa.Table, Position] | None:
        """The block at a position and the position after it, or None at the end. Text files give columns of strings."""
        ...


def open_blocks(path: Path, wanted: list[str] | None = None) -> BlockFile:
    """Open a trace file by its suffix.

    Args:
        path: A ``.csv``, ``.jsonl`` (either may end in ``.gz``) or ``.parquet`` file.
        wanted: Columns to read; ``None`` reads all.

    Raises:
        InputError: Not a file, empty, not readable, or of another kind.
    """
    if not path.is_file():
        problem = "is a directory" if path.is_dir() else "does not exist"
        raise InputError(f"{path}: {problem}; give a trace file (.csv, .jsonl, .parquet)")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; give a trace with a header line and at least one request")
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        return ParquetBlocks(path, wanted)
    if name.endswith(".csv"):
        return CsvBlocks(path, wanted)
    if name.endswith((".jsonl", ".ndjson")):
        return JsonBlocks(path, wanted)
    raise InputError(f"{path}: suffix {path.suffix!r} is not a trace's; use .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet")


class _TextFile:
    """Whole lines from any offset of a text file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            opened: Any = gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # noqa: SIM115 (the finalizer's)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened ({error.strerror}); check its permissions") from error
        self._file: IO[bytes] = opened
        # Positions stay open for the life of a stream, and a stream has no end that anybody announces.
        weakref.finalize(self, opened.close)

    def lines(self, offset: int, size: int) -> bytes:
        """At least ``size`` bytes from ``offset``, up to a line's end; fewer at the end of the file."""
        try:
            if self._file.tell() != offset:
                self._file.seek(offset)
            block = self._file.read(size)
            return block + self._file.readline() if block and not block.endswith(b"\n") else block
        except (OSError, EOFError) as error:
            raise InputError(f"{self.path}: cannot be read at byte {offset} ({error}); write or fetch it again") from error


class CsvBlocks:
    """A CSV file with a header line; values are left as strings."""

    def __init__(self, path: Path, wanted: list[str] | None) -> None:
        self.path = path
        self._text = _TextFile(path)
        header = self._text.lines(0, 1)
        self.start: Position = (len(header), 0)
        try:
            names = header.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: the header is not UTF-8 text; give a CSV file with a header line") from error
        self.columns = [name.strip().strip('"') for name in names.split(",")]
        self._wanted = wanted

    def read(self, position: Position) -> tuple[pa.Table, Position] | None:
        """See :class:`BlockFile`."""
        block = self._text.lines(position[0], BLOCK_BYTES)
        if not block:
            return None
        bad: list[Any] = []

        def skip(row: Any) -> str:
            bad.append(row)
            return "skip"

        try:
            table = arrow_csv.read_csv(
                io.BytesIO(block),
                arrow_csv.ReadOptions(use_threads=False, column_names=self.columns, block_size=max(len(block), 1)),
                arrow_csv.ParseOptions(invalid_row_handler=skip),
                arrow_csv.ConvertOptions(
                    include_columns=self._wanted,
                    column_types={n: _NAMES if n in NAME_COLUMNS else pa.string() for n in self.columns},
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            )
        except pa.ArrowInvalid as error:
            raise InputError(f"{self.path} after byte {position[0]}: {one_line(error)}; give UTF-8 text in CSV form") from error
        if bad:
            row = bad[0]
            raise BadRow(
                row.number - 1, f"has {row.actual_columns} fields, {row.text[:60]!r}; give the header's {row.expected_columns}"
            )
        return table, (position[0] + len(block), 0)


class JsonBlocks:
    """A file with one JSON object on each line."""

    def __init__(self, path: Path, wanted: list[str] | None) -> None:
        self.path = path
        self.start: Position = (0, 0)
        self._text = _TextFile(path)
        self._wanted = wanted
        self.columns = self._parse(self._text.lines(0, 1)).column_names

    def _parse(self, block: bytes) -> pa.Table:
        options = arrow_json.ReadOptions(use_threads=False, block_size=max(len(block), 1) + 1)
        try:
            return arrow_json.read_json(io.BytesIO(block), options)
        except pa.ArrowInvalid as error:
            raise InputError(f"{self.path}: {one_line(error)}; give one JSON object on each line, numbers as numbers") from error

    def read(self, position: Position) -> tuple[pa.Table, Position] | None:
        """See :class:`BlockFile`."""
        block = self._text.lines(position[0], BLOCK_BYTES)
        if not block:
            return None
        table = self._parse(block)
        if self._wanted is not None:
            missing = [name for name in self._wanted if name not in table.column_names]
            if missing:
                raise InputError(f"{self.path} after byte {position[0]}: no object has {missing[0]!r}; give it in each")
            table = table.select(self._wanted)
        return table, (position[0] + len(block), 0)


class ParquetBlocks:
    """A Parquet file, one row group after the other in batches."""

    def __init__(self, path: Path, wanted: list[str] | None) -> None:
        self.path = path
        self.start: Position = (0, 0)
        self._wanted = wanted
        try:
            there = parquet.read_schema(path).names
            self._file = parquet.ParquetFile(path, read_dictionary=[name for name in NAME_COLUMNS if name in there])
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{path}: is not a whole Parquet file ({one_line(error)}); write or fetch it again") from error
        self.columns = self._file.schema_arrow.names
        self._next: Position | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def read(self, position: Position) -> tuple[pa.Table, Position] | None:
        """See :class:`BlockFile`."""
        try:
            while position[0] < self._file.num_row_groups:
                if position != self._next:
                    self._seek(position)
                batch = next(self._batches, None)
                if batch is not None:
                    self._next = (position[0], position[1] + 1)
                    return pa.table(batch), self._next
                position = (position[0] + 1, 0)
        except (pa.ArrowException, OSError) as error:
            where = f"{self.path} row group {position[0]}"
            raise InputError(f"{where}: cannot be read ({one_line(error)}); write or fetch it again") from error
        return None

    def _seek(self, position: Position) -> None:
        """Make the batches go on from a position; batches before it in its row group are read again."""
        self._batches = self._file.iter_batches(BLOCK_ROWS, row_groups=[position[0]], columns=self._wanted, use_threads=False)
        for _ in range(position[1]):
            next(self._batches, None)


class BadRow(Exception):
    """A row of a block cannot be used; the caller knows the file and the block's first row."""

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row
        self.problem = problem


def one_line(error: BaseException) -> str:
    """An error's text on one line, shortened."""
    return " ".join(str(error).split())[:200]
