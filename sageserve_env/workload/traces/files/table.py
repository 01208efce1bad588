"""What a block of any file is read as, and what its reader offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 20
BLOCK_ROWS = 1 << 15

MAX_RECORD_BYTES = 1 << 26
"""A row or JSON document of more than 64 MiB is taken for an error: memory stays that of a block."""

Position = tuple[int, int]
"""Byte offset and 0 in a text file; row group and batch in a Parquet file."""


@dataclass(frozen=True)
class Names:
    """A column of text as codes.

    Attributes:
        codes: Index into ``names`` of each row, shape (n,), int64; the last one stands for an empty cell.
        names: Different texts, stripped of white space; the last is empty.
    """

    codes: NDArray[np.int64]
    names: list[str]


Column = Sequence[Any] | NDArray[Any] | Names
"""Values as they stand in the file: text (CSV), text, numbers or anything (JSON), float64, datetime64 or names (Parquet)."""


@dataclass(frozen=True)
class Table:
    """Some rows of a file.

    Attributes:
        rows: Their number.
        columns: The columns that were asked for, by name.
    """

    rows: int
    columns: dict[str, Column]


class BlockFile(Protocol):
    """A trace file as a sequence of tables."""

    columns: list[str]
    start: Position

    def read(self, position: Position, wanted: list[str]) -> tuple[Table, Position] | None:
        """The block at a position, and the position after it; None at the end.

        Raises:
            BadRow: A row is no row of such a file.
            InputError: The file cannot be read.
        """
        ...


class BadRow(Exception):
    """A row of a block cannot be used; the caller knows the file and the block's first row."""

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row
        self.problem = problem


def shown(path: Path) -> str:
    """A path for messages: its end, where it is long."""
    return clipped_start(str(path), 60)


def clipped(text: str, width: int) -> str:
    """Text on one line of what can be printed, its end left out where it is long."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text[: 4 * width].split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def clipped_start(text: str, width: int) -> str:
    """Text, its beginning left out where it is long."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def value_text(value: Any) -> str:
    """A value of a file for messages."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return "nothing"
    if isinstance(value, int) and abs(value) >= 10**20:  # longer ones may not even be written out
        return "a huge number"
    try:
        return clipped(repr(value) if isinstance(value, str) else str(value), 60)
    except RecursionError:
        return "a deeply nested value"
