"""Columns of arrival times: seconds since the start in any unit, Unix stamps in any unit, or dates and times."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.workload.traces.columns import Rows, cell, cells, numbers
from sageserve_env.workload.traces.files.table import BadRow, Column, value_text
from sageserve_env.workload.traces.layouts import Layout

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds in each unit."""

MAX_SPAN_S = 1e8
"""A trace ends within three years of its start: larger times are of another unit, or Unix stamps."""

UNIX_S = (1e9, 4.2e9)
"""Unix stamps from 2001 to 2103, in seconds; in no two units do these bounds overlap."""

EPOCH_S = 1_672_531_200
"""2023-01-01 in seconds from 1970: nearer than 1970, so that float64 seconds resolve tens of nanoseconds."""

SINCE_START, UNIX, CALENDAR = "since the start", "Unix stamps", "dates and times"


@dataclass(frozen=True)
class Clock:
    """How a time column is read.

    Attributes:
        kind: ``SINCE_START``, ``UNIX`` or ``CALENDAR``; the latter two count from the first row.
        unit: Of numbers.
    """

    kind: str
    unit: str = "s"

    def read(self, column: Column, name: str, rows: Rows) -> NDArray[np.float64]:
        """Times in seconds, from the start or from ``EPOCH_S``, shape (n,); 0 where a row is left out.

        Raises:
            BadRow: A time cannot be used.
        """
        if self.kind == CALENDAR:
            return calendar(column, name, rows)
        times = numbers(column, name, rows)
        scale = UNITS[self.unit]
        if self.kind == UNIX:
            times = times - round(EPOCH_S / scale)
        with np.errstate(over="ignore", invalid="ignore"):
            times = times * scale

        def tell(problem: str) -> Callable[[int], str]:
            return lambda row: f"{name} = {value_text(cell(column, row))} {problem}"

        rows.refuse(~np.isfinite(times) & ~rows.unusable, tell("is not a finite time; give seconds from the start"))
        if self.kind == SINCE_START:
            rows.refuse(times < 0, tell("is negative; times count from 0"))
        return np.where(rows.unusable, 0.0, times) if rows.unusable.any() else times


def find_clock(column: Column, layout: Layout, time_unit: str | None) -> Clock | None:
    """How to read a time column, by the first of its values that says so; None where none does.

    Args:
        column: The column's first block.
        layout: Of the file.
        time_unit: One of ``UNITS`` where the user gives it.

    Raises:
        BadRow: The value may mean two things, or none.
    """
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return Clock(CALENDAR)
    for row, value in enumerate(cells(column)):
        if isinstance(value, str) and (_DATE.fullmatch(value) or (layout.calendar and time_unit is None)):
            return Clock(CALENDAR)
        number = numbers([value], layout.time, Rows(1, "skip"))[0]
        if np.isfinite(number):
            try:
                return _clock_of(float(number), layout, time_unit)
            except ValueError as error:
                raise BadRow(row, f"{layout.time} = {value_text(cell(column, row))} {error}") from None
    return None


def _clock_of(number: float, layout: Layout, time_unit: str | None) -> Clock:
    """What a number in a time column is, by its magnitude.

    Raises:
        ValueError: It may be two things, or none.
    """
    unit = time_unit or layout.unit
    is_fixed = time_unit is not None or layout.names_unit
    is_start = (time_unit is not None or not layout.calendar) and number * UNITS[unit] < MAX_SPAN_S
    stamp = next((u for u in ([unit] if is_fixed else UNITS) if UNIX_S[0] <= number * UNITS[u] < UNIX_S[1]), None)
    if is_start and stamp is not None:
        choice = f"give --time-unit (time_unit) {unit} or {stamp}"
        raise ValueError(f"may be {unit} since the start or a Unix stamp in {stamp}; {choice}")
    if stamp is not None:
        return Clock(UNIX, stamp)
    if is_start:
        return Clock(SINCE_START, unit)
    fits = f"neither a time since the start nor a Unix stamp in {unit if is_fixed else 'any unit'}"
    raise ValueError(f"is {fits}; check it, and give its unit (--time-unit s, ms, us or ns)")


_DATE = re.compile(
    r"\s*(\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?)\s*(Z|z|UTC|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)?\s*", re.ASCII
)
"""A date, its time, and an offset from UTC."""

_TO_NS = len("2023-11-16 18:15:46.680590012")
"""Characters of a date and time; digits beyond nanoseconds are left out."""

_FIRST, _LAST = "1678", "2262"
"""Years that int64 nanoseconds hold in full, the last excluded."""


def calendar(column: Column, name: str, rows: Rows) -> NDArray[np.float64]:
    """Dates and times as seconds from ``EPOCH_S``, shape (n,); time zones are taken into account, none means UTC.

    Raises:
        BadRow: A value is no date and time, or beyond the years 1678 to 2261.
    """
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return _from_dates(column, name, rows)
    values = cells(column)
    found = [_DATE.fullmatch(value) if isinstance(value, str) else None for value in values]
    problem = "is not a date and time; give one like 2023-11-16 18:15:46.68"
    rows.refuse(
        np.array([match is None for match in found], bool),
        lambda row: f"{name} = {value_text(values[row])} {'is there; give a date and time' if _is_blank(values[row]) else problem}",
    )
    texts = ["2023-01-01" if match is None else match[1][:_TO_NS].replace(",", ".") for match in found]
    outside = np.array([not _FIRST <= text < _LAST for text in texts], bool)
    rows.refuse(outside, lambda row: f"{name} = {value_text(values[row])} is beyond the years 1678 to 2261; check it")
    stamps = _stamps(texts if not outside.any() else ["2023-01-01" if o else t for o, t in zip(outside, texts, strict=True)])
    rows.refuse(np.isnat(stamps), lambda row: f"{name} = {value_text(values[row])} {problem}")
    offsets = [None if match is None else match[2] for match in found]
    known = {offset: _offset_s(offset) for offset in set(offsets)}
    seconds = _seconds(stamps)
    if any(known.values()):
        seconds = seconds - np.array([known[offset] for offset in offsets], np.float64)
    return seconds


def _is_blank(value: Any) -> bool:
    return value_text(value) == "nothing"


def _stamps(texts: Sequence[str]) -> NDArray[np.datetime64]:
    """Texts as dates; NaT where a day or an hour does not exist."""
    try:
        return np.array(texts, dtype="datetime64[ns]")
    except ValueError:
        return np.array([_stamp(text) for text in texts], dtype="datetime64[ns]")


def _stamp(text: str) -> np.datetime64:
    try:
        return np.datetime64(text, "ns")
    except ValueError:
        return np.datetime64("NaT", "ns")


def _offset_s(offset: str | None) -> float:
    """Seconds that a time zone is ahead of UTC."""
    if offset is None or offset[0] not in "+-":
        return 0.0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return (-1.0 if offset[0] == "-" else 1.0) * (3600 * int(digits[:2]) + 60 * int(digits[2:]))


def _from_dates(dates: NDArray[Any], name: str, rows: Rows) -> NDArray[np.float64]:
    """A column that holds dates and times as such."""
    rows.refuse(np.isnat(dates), lambda row: f"{name} = nothing is there; give a date and time")
    years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    outside = ((years < int(_FIRST)) | (years >= int(_LAST))) & ~np.isnat(dates)
    rows.refuse(outside, lambda row: f"{name} = {dates[row]} is beyond the years 1678 to 2261; check it")
    return _seconds(np.where(outside, np.datetime64("2023-01-01"), dates).astype("datetime64[ns]"))


def _seconds(stamps: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Nanosecond stamps as seconds from ``EPOCH_S``."""
    since: NDArray[np.float64] = (stamps.astype(np.int64) - EPOCH_S * 1_000_000_000) / 1e9
    return np.where(np.isnat(stamps), 0.0, since) if np.isnat(stamps).any() else since
