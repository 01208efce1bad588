"""Checks of single values; each raises one ``InputError`` line of the form *field = value problem; remedy*."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real

from sageserve_env.errors import InputError

MOST_S = 366 * 86_400.0
"""The longest time that a workload, a run or an interval may span, in seconds: a year."""


def quoted(names: Iterable[str]) -> str:
    """Names in quotes, separated by commas."""
    return ", ".join(f"'{name}'" for name in names)


def is_number(value: object) -> bool:
    """Whether the value is an int or a float, not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def require(rule: bool, field: str, value: object, remedy: str) -> None:
    """Raise unless the rule holds: *field = value remedy*."""
    if not rule:
        raise InputError(f"{field} = {value} {remedy}")


def require_text(field: str, value: object) -> None:
    """A name: text that is not empty."""
    is_name = isinstance(value, str) and value.strip() == value != ""
    require(is_name, field, repr(value), "is not a name; give text without outer spaces")


def require_distinct(field: str, names: Sequence[str]) -> None:
    """Names that all differ."""
    for name in names:
        require(list(names).count(name) == 1, field, f"'{name}'", "appears twice; names must differ")


def require_known(field: str, name: str, kind: str, known: Sequence[str]) -> None:
    """A name that occurs in a list."""
    require(name in known, field, f"'{name}'", f"is not a {kind} of this world; known: {quoted(known)}")


def require_count(field: str, value: object, least: int, most: int | None = None) -> None:
    """A whole number between two bounds."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    valid = whole and least <= int(value) and (most is None or int(value) <= most)  # type: ignore[call-overload]
    span = f"{least} or more" if most is None else f"{least} to {most}"
    require(valid, field, value, f"is out of range; give a whole number, {span}")


def require_not_negative(field: str, value: float, remedy: str) -> None:
    """A finite number, 0 or more."""
    require(is_number(value) and 0 <= value < math.inf, field, value, f"is not valid; {remedy}")


def require_positive(field: str, value: float, remedy: str) -> None:
    """A finite number above 0."""
    require(is_number(value) and 0 < value < math.inf, field, value, f"is not valid; {remedy}")


def require_within(field: str, value: float, least: float, most: float, unit: str) -> None:
    """A number between two bounds."""
    require(is_number(value) and least <= value <= most, field, value, f"is out of range; give {unit}, {least:g} to {most:g}")


def require_span(field: str, value: float) -> None:
    """A time above 0 and at most ``MOST_S``."""
    remedy = f"is not valid; give seconds, more than 0, at most {MOST_S:.0f} (a year)"
    require(is_number(value) and 0 < value <= MOST_S, field, value, remedy)


def require_share(field: str, value: float) -> None:
    """A number from 0 to 1."""
    require(is_number(value) and 0 <= value <= 1, field, value, "is not a utilization; give a share, 0 to 1")


def require_choice(field: str, value: object, choices: Sequence[str]) -> None:
    """One of some names."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{field} = {value!r}; choose one of {', '.join(choices)}")
