"""Columns of a block as numbers, tokens and names; what cannot be used is refused, left out or clamped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.workload.drawn.sizes import MAX_TOKENS
from sageserve_env.workload.traces.files.table import BadRow, Column, Names, value_text
from sageserve_env.workload.traces.layouts import LABELS, Label
from sageserve_env.world.schema import TIERS

INVALID_ROWS = ("error", "skip", "clamp")
"""What becomes of rows that cannot be served: an error; left out; or token counts moved into their range."""


class Rows:
    """Which rows of a block can be used, under one of ``INVALID_ROWS``.

    Attributes:
        unusable: Rows to leave out, shape (n,).
        clamped: Rows whose tokens were moved into their range, shape (n,).
    """

    def __init__(self, size: int, policy: str) -> None:
        self.policy = policy
        self.unusable = np.zeros(size, bool)
        self.clamped = np.zeros(size, bool)

    def refuse(self, bad: NDArray[np.bool_], tell: Callable[[int], str]) -> None:
        """Rows that cannot be used; ``tell`` says of a row what is wrong with it.

        Raises:
            BadRow: There is one, and such rows are not left out.
        """
        if not bad.any():
            return
        if self.policy != "skip":
            row = int(np.argmax(bad))
            raise BadRow(row, tell(row))
        self.unusable |= bad


def cells(column: Column) -> Sequence[Any]:
    """Values of a column of any kind, one for each row."""
    if isinstance(column, Names):
        names = np.array(column.names, dtype=object)
        return names[column.codes].tolist()
    return column  # type: ignore[return-value]


def numbers(column: Column, name: str, rows: Rows) -> NDArray[np.float64]:
    """A column as float64, shape (n,); NaN where it holds none.

    Raises:
        BadRow: A cell is blank, or holds no number, and such rows are not left out.
    """
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return column
    values = cells(column)
    kinds = set(map(type, values))
    try:
        if kinds <= {int, float} or (kinds == {str} and _is_plain("".join(values))):
            return np.fromiter(map(float, values), np.float64, len(values))
    except (ValueError, OverflowError):
        pass
    result = np.array([_number(value) for value in values], np.float64)
    missing = np.array([value_text(value) == "nothing" for value in values], bool)
    rows.refuse(missing, lambda row: f"{name} = nothing is there; give a number")
    wrong = np.isnan(result) & ~missing & np.array([not _is_nan(value) for value in values], bool)
    rows.refuse(wrong, lambda row: f"{name} = {value_text(values[row])} is not a number; give a number")
    return result


def _is_plain(text: str) -> bool:
    """Whether text has none of what Python takes for numbers and files do not mean: underscores, digits of other scripts."""
    return "_" not in text and text.isascii()


def _number(value: Any) -> float:
    """A value as a number; NaN where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or (isinstance(value, str) and not _is_plain(value)):
        return np.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return np.nan


def _is_nan(value: Any) -> bool:
    """Whether a value is the number NaN, or says so."""
    return (isinstance(value, float) and value != value) or (isinstance(value, str) and value.strip().lower().lstrip("+-") == "nan")


def tokens(column: Column, name: str, rows: Rows) -> NDArray[np.int32]:
    """A column of token counts, shape (n,); 1 where a row is left out.

    Raises:
        BadRow: A count is not whole or out of range, and is neither left out nor clamped.
    """
    values = numbers(column, name, rows)

    def tell(problem: str) -> Callable[[int], str]:
        return lambda row: f"{name} = {value_text(cell(column, row))} {problem}"

    with np.errstate(invalid="ignore"):
        broken = ~np.isfinite(values) | (values != np.floor(values))
        low, high = values < 1, values > MAX_TOKENS
    rows.refuse(broken & ~rows.unusable, tell("is not a whole number; give tokens >= 1"))
    if rows.policy == "clamp":
        rows.clamped |= low | high
    else:
        rows.refuse(low & ~broken, tell("is less than 1; give tokens >= 1, or leave such rows out (--invalid-rows skip)"))
        rows.refuse(high & ~broken, tell(f"is more than {MAX_TOKENS}; check its unit"))
    return np.clip(np.where(broken, 1.0, values), 1, MAX_TOKENS).astype(np.int32)


def cell(column: Column, row: int) -> Any:
    """The value of one row, whole numbers as such."""
    if isinstance(column, Names):
        return column.names[int(column.codes[row])]
    value = column[row]
    if isinstance(value, np.floating):
        return int(value) if value.is_integer() else float(value)
    return value


def labels(columns: list[Column], label: Label, name: str, rows: Rows) -> Names:
    """A label's names, from the columns that it is made of.

    Raises:
        BadRow: A row has none (other than of regions in order), or its tier does not exist, and such rows are not left out.
    """
    if len(columns) == 1 and isinstance(columns[0], Names):
        codes: NDArray[np.int64] = columns[0].codes
        found: list[tuple[str, ...]] = [(text,) for text in columns[0].names]
    else:
        codes, found = _encoded([cells(column) for column in columns], label.columns)
    names = [label.translate(texts) if all(texts) else "" for texts in found]

    def tell(row: int) -> str:
        texts = found[int(codes[row])]
        said = ", ".join(f"{column} = {value_text(text)}" for column, text in zip(label.columns, texts, strict=True))
        if not all(texts):
            return f"{said} is there; give a {name}"
        return f"{said} is not UTF-8 text" if name != "tier" else f"{said} does not exist; the tiers are {', '.join(TIERS)}"

    if name in LABELS:
        rows.refuse(_having(codes, names, lambda text: not text), tell)
    rows.refuse(_having(codes, names, lambda text: not _is_utf8(text)), tell)
    if name == "tier":
        rows.refuse(_having(codes, names, lambda text: bool(text) and text not in TIERS), tell)
    return Names(codes, names)


def _having(codes: NDArray[np.int64], names: list[str], test: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Rows whose name passes a test."""
    passing = np.fromiter(map(test, names), bool, len(names))
    return passing[codes] if passing.any() else np.zeros(codes.size, bool)


def _is_utf8(text: str) -> bool:
    """Whether text can be written: bytes of a file that are no UTF-8, and half characters of JSON, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(columns: list[Sequence[Any]], names: tuple[str, ...]) -> tuple[NDArray[np.int64], list[tuple[str, ...]]]:
    """Codes of rows, and the different texts, stripped; the last, with no text, stands for no row.

    Raises:
        BadRow: A cell holds a list or an object.
    """
    keys: Sequence[Any] = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
    try:
        index = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    except TypeError:
        for row in range(len(columns[0])):
            for name, column in zip(names, columns, strict=True):
                if isinstance(column[row], (list, dict)):
                    raise BadRow(row, f"{name} = {value_text(column[row])} is no name; give text") from None
        raise
    codes = np.fromiter(map(index.__getitem__, keys), np.int64, len(keys))
    parts = [(key,) if len(columns) == 1 else key for key in index]
    return codes, [*(tuple("" if part is None else str(part).strip() for part in key) for key in parts), ("",) * len(columns)]
