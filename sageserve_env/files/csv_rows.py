"""Rows of small CSV files, plain or gzip, with errors that name file, row, column and value."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sageserve_env.errors import InputError, quoted


@dataclass(frozen=True)
class Row:
    """One row of a file, with what an error message needs."""

    path: Path
    line: int  # from 1, the header not counted
    fields: dict[str, str]

    def error(self, column: str, problem: str) -> InputError:
        """An error that names file, row, column and value."""
        return InputError(f"{self.path} row {self.line}: {column} = {self.fields[column]!r} {problem}")

    def number(self, column: str, valid: Callable[[float], bool], wanted: str, empty: float | None = None) -> float:
        """A column as a number."""
        text = self.fields[column].strip()
        if not text and empty is not None:
            return empty
        try:
            value = float(text)
        except ValueError:
            raise self.error(column, f"is not a number; give {wanted}") from None
        if math.isnan(value) and empty is not None:
            return empty
        if not valid(value):
            raise self.error(column, f"is out of range; give {wanted}")
        return value

    def choice(self, column: str, known: Sequence[str]) -> str:
        """A column as one of some names."""
        if self.fields[column] not in known:
            raise self.error(column, f"is not known; give one of {quoted(known)}")
        return self.fields[column]


def read_rows(path: Path, columns: tuple[str, ...], *, may_be_empty: bool = False) -> list[Row]:
    """All rows of a CSV file with a header.

    Args:
        path: The file; one that ends in ``.gz`` is unpacked.
        columns: Columns that must be there.
        may_be_empty: Whether a header alone will do.

    Raises:
        InputError: The file cannot be read, a column is missing or there twice, a row has not as many fields as the header, or
            there is no row.
    """
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or ()
            rows = [Row(path, line, fields) for line, fields in enumerate(reader, 1)]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({reason(error)}); give a CSV file in UTF-8") from None
    for column in columns:
        if column not in header:
            raise InputError(f"{path}: column {column!r} is missing; give {', '.join(columns)}")
        if list(header).count(column) > 1:
            raise InputError(f"{path}: column {column!r} appears twice; drop one")
    if not rows and not may_be_empty:
        raise InputError(f"{path}: has no rows; give at least one")
    for row in rows:
        if None in row.fields or None in row.fields.values():
            raise InputError(f"{path} row {row.line}: has not the {len(header)} fields that the header names; correct it")
    return rows


def reason(error: BaseException) -> str:
    """An error's text on one line."""
    return str(getattr(error, "strerror", None) or " ".join(str(error).split()))[:200]
