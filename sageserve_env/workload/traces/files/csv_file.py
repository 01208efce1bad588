"""CSV files: quotes, line ends and blank lines as the standard library's reader sees them, in blocks that end with a row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.workload.traces.files import table
from sageserve_env.workload.traces.files.raw_bytes import RawBytes
from sageserve_env.workload.traces.files.table import MAX_RECORD_BYTES, BadRow, Position, Table, clipped, shown

DELIMITERS = (",", "\t", ";")

_QUOTED = re.compile(r'"[^"]*"')

_ROWS_AT_ONCE = 1024
"""Rows as lists, before their cells go to the columns: more of them at a time only make the garbage collector work."""

_UNFINISHED = "unexpected end of data"


@contextmanager
def _long_fields() -> Iterator[None]:
    """Fields up to the size of a record: prompts stand in columns that nobody asks for."""
    before = csv.field_size_limit(MAX_RECORD_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


_SPACE_AFTER_QUOTE = re.compile(r'" +(?=[,;\t\r\n]|\Z)')


def _reader(text: str, delimiter: str) -> Any:
    """Rows of a text; spaces around quoted fields, which the standard library takes only before them, are left out."""
    text = _SPACE_AFTER_QUOTE.sub('"', text)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)


def _decoded(block: bytes) -> str:
    """Text of a block. Columns that nobody asks for may hold any bytes; the others are checked where they are used."""
    return block.decode("utf-8", "surrogateescape")


def _is_blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


class CsvFile:
    """A CSV file with a header line; values are left as strings.

    Args:
        raw: Its bytes.
        start: Offset of its first line (after a byte order mark).
    """

    def __init__(self, raw: RawBytes, start: int) -> None:
        self._raw = raw
        self._where = shown(raw.path)
        header, size = self._header(start)
        self.columns = [name.strip() for name in header]
        self.start: Position = (start + size, 0)

    def read(self, position: Position, wanted: list[str]) -> tuple[Table, Position] | None:
        """See :class:`BlockFile`."""
        block, cells = self._cells(position[0])
        if not block:
            return None
        return Table(len(cells[0]), {name: cells[self.columns.index(name)] for name in wanted}), (position[0] + len(block), 0)

    def _header(self, start: int) -> tuple[list[str], int]:
        """The first row, and its size in bytes with the blank lines before it."""
        data = b""
        while True:
            more = self._raw.lines(start + len(data), max(len(data), 1))
            data += more
            text = _decoded(data)
            if text.strip() and (found := self._first_row(text)) is not None:
                return found
            if not more or len(data) > MAX_RECORD_BYTES:
                raise InputError(f"{self._where}: the header has no end (a quote is never closed); close it")

    def _first_row(self, text: str) -> tuple[list[str], int] | None:
        """The first row that is not blank, and its end in bytes; None where the text ends within it."""
        self._delimiter = max(DELIMITERS, key=_QUOTED.sub("", text.lstrip().partition("\n")[0]).count)
        reader = _reader(text, self._delimiter)
        try:
            with _long_fields():
                row = next(row for row in reader if not _is_blank(row))
        except csv.Error as error:
            if _UNFINISHED in str(error):
                return None
            raise InputError(f"{self._where}: the header is no CSV ({clipped(str(error), 80)}); give column names") from error
        used = "".join(islice(io.StringIO(text, newline=""), reader.line_num))
        if used.endswith("\r") and len(used) < len(text):
            raise InputError(f"{self._where}: lines end with a carriage return alone; save the file with line feeds")
        try:
            return row, len(used.encode())
        except UnicodeEncodeError as error:
            raise InputError(f"{self._where}: the header is not UTF-8 text; save the file as UTF-8") from error

    def _cells(self, offset: int) -> tuple[bytes, list[list[str]]]:
        """Whole rows from an offset: the bytes that they are, and the cells of each column."""
        block = b""
        while True:
            more = self._raw.lines(offset + len(block), max(len(block), table.BLOCK_BYTES))
            if block and not more:
                raise InputError(f"{self._where} after byte {offset}: a quote is never closed; close it")
            block += more
            cells = self._regular(block) or self._quoted(block)
            if cells is not None:
                return block, cells
            if len(block) > MAX_RECORD_BYTES:
                raise InputError(f"{self._where} after byte {offset}: a quote is not closed within 64 MiB; close it")

    def _regular(self, block: bytes) -> list[list[str]] | None:
        """Cells of a block whose delimiters and line ends alone say where they are, five times as fast; else None."""
        if b'"' in block or b"\r" in block or not block.endswith(b"\n"):
            return None
        width = len(self.columns)
        marks = np.frombuffer(block, np.uint8)
        marks = marks[(marks == ord(self._delimiter)) | (marks == ord("\n"))]
        if width == 1 or marks.size % width:
            return None
        expected = np.array([*[ord(self._delimiter)] * (width - 1), ord("\n")], np.uint8)
        if not (marks.reshape(-1, width) == expected).all():
            return None
        cells = _decoded(block[:-1]).replace("\n", self._delimiter).split(self._delimiter)
        return [cells[column::width] for column in range(width)]

    def _quoted(self, block: bytes) -> list[list[str]] | None:
        """Cells of any block, blank lines left out; None where it ends within quotes."""
        cells: list[list[str]] = [[] for _ in self.columns]
        with _long_fields():
            reader = _reader(_decoded(block), self._delimiter)
            try:
                while rows := list(islice(reader, _ROWS_AT_ONCE)):
                    self._add(rows, cells)
            except csv.Error as error:
                if _UNFINISHED in str(error):
                    return None
                raise BadRow(self._rows_before_error(block), f"is no CSV ({clipped(str(error), 80)}); mend its quotes") from error
        return cells

    def _add(self, rows: list[list[str]], cells: list[list[str]]) -> None:
        """Rows to the cells of each column."""
        width = len(self.columns)
        kept = rows if width > 1 and set(map(len, rows)) == {width} else [row for row in rows if not _is_blank(row)]
        for number, row in enumerate(kept):
            if len(row) != width:
                said = clipped(repr(self._delimiter.join(row)), 60)
                raise BadRow(len(cells[0]) + number, f"has {len(row)} fields, {said}; give the header's {width}")
        for column, values in zip(cells, zip(*kept, strict=True), strict=False):
            column.extend(values)

    def _rows_before_error(self, block: bytes) -> int:
        """Rows before the one that is no CSV."""
        number = 0
        try:
            for row in _reader(_decoded(block), self._delimiter):
                number += not _is_blank(row)
        except csv.Error:
            pass
        return number
