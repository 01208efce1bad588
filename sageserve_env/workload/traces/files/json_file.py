"""JSON files: one object after the other (JSON lines), or an array of objects; objects may hold a list of ``requests``."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.workload.traces.files import table
from sageserve_env.workload.traces.files.raw_bytes import RawBytes
from sageserve_env.workload.traces.files.table import MAX_RECORD_BYTES, BadRow, Position, Table, clipped, shown, value_text

NESTED = "requests"
"""A list under this name is one row for each of its objects, each with the fields around the list."""

_SPACE = re.compile(r"[ \t\r\n]*")

_CUT_CHARACTERS = 16
"""A number, a literal or an escape that a block's end cuts off is reported this far before the end, at most."""


class _Repeated(dict[str, Any]):
    """An object in which names stand twice."""

    repeats: frozenset[str]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    twice = _Repeated(made)
    names = [name for name, _ in pairs]
    twice.repeats = frozenset(name for name in names if names.count(name) > 1)
    return twice


class _Unfinished(Exception):
    """The text ends within a value."""


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


class _Cells:
    """Columns being filled: objects are let go of as soon as what was asked for is taken out of them.

    Args:
        wanted: Names of the columns; None notes the names that there are.
    """

    def __init__(self, wanted: list[str] | None) -> None:
        self.rows = 0
        self.columns: dict[str, list[Any]] = {name: [] for name in wanted or ()}
        self._takes_all = wanted is None

    def add(self, value: Any) -> None:
        """One value: a row, or one for each of its ``requests``.

        Raises:
            BadRow: It is no object, or has a name twice.
        """
        if not isinstance(value, dict):
            said = "null" if value is None else value_text(value)
            raise BadRow(self.rows, f"is {said}, no object; give one JSON object for each request")
        nested = value.get(NESTED)
        if not isinstance(nested, list):
            self._add_row(value)
            return
        around = {name: field for name, field in value.items() if name != NESTED}
        for inner in nested:
            if not isinstance(inner, dict):
                problem = f"is {value_text(inner)} in {NESTED!r}, no object"
                raise BadRow(self.rows, f"{problem}; give one JSON object for each request")
            self._add_row({**around, **inner}, value, inner)

    def _add_row(self, row: dict[str, Any], *parts: dict[str, Any]) -> None:
        self.rows += 1
        if self._takes_all:
            self.columns.update({name: [] for name in row})
            return
        for part in parts or (row,):
            if isinstance(part, _Repeated) and (twice := part.repeats.intersection(self.columns)):
                raise BadRow(self.rows - 1, f"has {min(twice)!r} twice; give it once")
        for name, cells in self.columns.items():
            cells.append(row.get(name))


class JsonFile:
    """Objects one after the other, or in an array.

    Args:
        raw: Its bytes.
        start: Offset of the first object, or of the array.
        is_array: Whether an array holds the objects.
    """

    def __init__(self, raw: RawBytes, start: int, is_array: bool) -> None:
        self._raw = raw
        self._where = shown(raw.path)
        self._is_array = is_array
        self.start: Position = (start + is_array, 0)
        try:
            self.columns = list(self._cells(self.start[0], None)[0].columns)
        except BadRow as error:
            raise InputError(f"{self._where} row {error.row + 1}: {error.problem}") from error

    def read(self, position: Position, wanted: list[str]) -> tuple[Table, Position] | None:
        """See :class:`BlockFile`."""
        cells, end = self._cells(position[0], wanted)
        return None if end == position[0] else (Table(cells.rows, dict(cells.columns)), (end, 0))

    def _cells(self, offset: int, wanted: list[str] | None) -> tuple[_Cells, int]:
        """Cells of the whole objects from an offset, and the offset after them: the same where nothing is left."""
        size = table.BLOCK_BYTES
        while True:
            data = self._raw.read(offset, size)
            is_end = len(data) < size
            cells = _Cells(wanted)
            used = self._parse(self._text(data, offset, is_end), is_end, cells)
            if used or is_end:
                return cells, offset + used
            if size >= MAX_RECORD_BYTES:
                raise InputError(f"{self._where} after byte {offset}: an object has more than 64 MiB; give one for each request")
            size *= 2

    def _text(self, data: bytes, offset: int, is_end: bool) -> str:
        try:
            return codecs.getincrementaldecoder("utf-8")().decode(data, is_end)
        except UnicodeDecodeError as error:
            raise InputError(f"{self._where}: byte {offset + error.start} is not UTF-8 text; save the file as UTF-8") from error

    def _parse(self, text: str, is_end: bool, cells: _Cells) -> int:
        """Take the whole objects of a text; the number of bytes that they are."""
        at = done = _skip(text, 0)
        while at < len(text) and not (self._is_array and text[at] == "]"):
            try:
                value, at = _value(text, at, cells.rows, is_end)
                at = self._after(text, at, cells.rows, is_end)
            except _Unfinished:
                break
            cells.add(value)
            done = at
        else:
            self._check_end(text, at, is_end)
        return len(text[:done].encode())

    def _after(self, text: str, at: int, row: int, is_end: bool) -> int:
        """The place of the next value, or of the array's end."""
        at = _skip(text, at)
        if not self._is_array:
            return at
        if at == len(text) and not is_end:
            raise _Unfinished
        if text[at : at + 1] == ",":
            return _skip(text, at + 1)
        if text[at : at + 1] == "]":
            return at
        raise BadRow(row, f"is followed by {value_text(text[at : at + 20])} instead of a comma or a bracket; write the array again")

    def _check_end(self, text: str, at: int, is_end: bool) -> None:
        """An array ends with its bracket, and nothing follows it."""
        if not self._is_array or (at == len(text) and not is_end):
            return
        rest = text[at + 1 :].strip()
        if at == len(text) or rest:
            problem = f"{value_text(rest)} follows the array" if rest else "the array has no end"
            raise InputError(f"{self._where}: {problem}; write or fetch it again")


def _value(text: str, at: int, row: int, is_end: bool) -> tuple[Any, int]:
    """The value at a place, and the place after it.

    Raises:
        BadRow: There is no value.
        _Unfinished: It may go on beyond the text.
    """
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text) - _CUT_CHARACTERS or error.msg.startswith("Unterminated string")
        if cut and not is_end:
            raise _Unfinished from None
        raise BadRow(
            row, f"is no JSON ({error.msg}, {text[error.pos : error.pos + 20]!r}); give one JSON object on each line"
        ) from error
    except RecursionError:
        raise BadRow(row, "is nested too deeply; give one flat JSON object for each request") from None
    except ValueError as error:  # a number of thousands of digits
        raise BadRow(row, f"is no JSON ({clipped(str(error), 60)}); give one JSON object on each line") from error


def _skip(text: str, at: int) -> int:
    """The place after white space."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
