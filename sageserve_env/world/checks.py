"""Checks of single values; each raises one ``InputError`` line of the form *field = value problem; remedy*."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from unicodedata import normalize

from sageserve_env.errors import InputError, quoted, shown

LARGEST = 1e15
"""No quantity of a world, a workload or a policy is larger, whatever its unit."""

LONGEST_NAME = 100
"""Characters."""

LONGEST_S = 1e9
"""Seconds of any rule: thirty years."""

SHORTEST_TICK_S = 0.01
"""Seconds between two of what happens again and again; it must move a clock that counts days in float64."""

MOST_S = 366 * 86_400.0
"""The longest time that a workload, a run or an interval may span, in seconds: a year."""


def is_number(value: object) -> bool:
    """Whether the value is an int or a float, not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


def require(rule: bool, field: str, value: object, remedy: str) -> None:
    """Raise unless the rule holds: *field = value remedy*."""
    if not rule:
        raise InputError(f"{field} = {value if isinstance(value, str | float) else shown_plainly(value)} {remedy}")


def shown_plainly(value: object) -> str:
    """A value as ``str`` shows it, where it does: Python refuses to print integers of thousands of digits."""
    try:
        return str(value)
    except ValueError:
        return shown(value)


def require_text(field: str, value: object) -> None:
    """A name: text that is not empty."""
    is_name = isinstance(value, str) and value.strip() == value != ""
    require(is_name, field, repr(value), "is not a name; give text without outer spaces")


def require_name(field: str, value: object) -> None:
    """A name that tables, files and command lines can show and read back.

    A bar separates the regions of a trace's ``region_order``; what does not print cannot be told apart or hides other text.
    """
    require_text(field, value)
    name = str(value)
    require(len(name) <= LONGEST_NAME, field, shown(name), f"is too long for a name; give at most {LONGEST_NAME} characters")
    require(name.isprintable() and "|" not in name, field, repr(name), "is not a name; leave out control characters and '|'")


def require_distinct(field: str, names: Sequence[str]) -> None:
    """Names that all differ, in more than case or in how an accent is written."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(normalize("NFKC", name).casefold(), name)
        if other is not name or list(names).count(name) > 1:
            problem = "appears twice" if other == name else f"reads like '{other}'"
            raise InputError(f"{field} = '{name}' {problem}; names must differ")


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
    """A number from 0 to ``LARGEST``."""
    require(is_number(value) and 0 <= value <= LARGEST, field, value, f"is not valid; {remedy}{_at_most(value)}")


def require_positive(field: str, value: float, remedy: str) -> None:
    """A number above 0, up to ``LARGEST``."""
    require(is_number(value) and 0 < value <= LARGEST, field, value, f"is not valid; {remedy}{_at_most(value)}")


def require_within(field: str, value: float, least: float, most: float, unit: str) -> None:
    """A number between two bounds."""
    require(is_number(value) and least <= value <= most, field, value, f"is out of range; give {unit}, {least:g} to {most:g}")


def _at_most(value: object) -> str:
    return f", at most {LARGEST:g}" if is_number(value) and value > LARGEST else ""  # type: ignore[operator]


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
