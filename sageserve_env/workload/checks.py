"""Checks of arguments, each with a message that names the argument, its value and the remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import require_span, require_text

_MAX_SEED = 2**64 - 1


def check_shares(what: str, shares: dict[str, float]) -> None:
    """Check relative shares.

    Raises:
        InputError: No share, a negative or non-finite share, or a sum of 0.
    """
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not np.isfinite(share) or share < 0:
            raise InputError(f"{what}: share of {name} = {share!r} is not usable; give a number >= 0")
    if not sum(shares.values()) > 0:
        raise InputError(f"{what} = {shares} adds up to 0; give at least one share > 0")


def check_number(
    name: str, value: float, *, minimum: float = 0.0, open_minimum: bool = False, maximum: float = np.inf, unit: str = ""
) -> float:
    """A finite number not below (or, where open, above) a minimum and not above a maximum, as a float.

    Raises:
        InputError: It is anything else.
    """
    most = f" and <= {maximum:.10g}" if maximum < np.inf else ""
    bound = f"{'>' if open_minimum else '>='} {minimum:g}{most}{' ' + unit if unit else ''}"
    good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and _is_finite(value)
    if not good or value < minimum or value > maximum or (open_minimum and value == minimum):
        raise InputError(f"{name} = {value!r} is not usable; give a finite number {bound}")
    return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except (OverflowError, TypeError):  # an int beyond the floats, a complex number
        return False


def as_shares(what: str, shares: object) -> dict[str, float]:
    """A copy of what is to be shares by name.

    Raises:
        InputError: It is no mapping.
    """
    if not isinstance(shares, Mapping):
        raise InputError(f"{what} = {shown(shares)} is no mapping; give shares by name, such as {{'NIW': 0.5, 'IW-F': 0.5}}")
    return dict(shares)


def check_seed(seed: int) -> int:
    """A seed as a plain integer.

    Raises:
        InputError: Not an integer in [0, 2**64).
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) <= _MAX_SEED:
        raise InputError(f"seed = {seed!r} is not usable; give an integer from 0 to 2**64 - 1")
    return int(seed)


def check_workload(workload: Any) -> None:
    """What every workload has: a name, a length, and a way to play it.

    Raises:
        InputError: One of them is missing, or the length is no time above 0.
    """
    missing = [name for name in ("name", "duration_s", "stream") if not hasattr(workload, name)]
    if missing or isinstance(workload, type):
        lacks = "is a class" if isinstance(workload, type) else f"has no {', '.join(missing)}"
        what = "give an object with name, duration_s and stream(world, seed), such as load_workload('o365-day')"
        raise InputError(f"workload = {type(workload).__name__} object {lacks}; {what}")
    require_text("workload: name", workload.name)
    require_span(f"workload '{workload.name}': duration_s", workload.duration_s)


def check_chunk_rows(rows: int) -> int:
    """A chunk size.

    Raises:
        InputError: Not an integer >= 1.
    """
    if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1:
        raise InputError(f"chunk_rows = {rows!r} is not usable; give an integer >= 1")
    return int(rows)


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """A value that is one of a few.

    Raises:
        InputError: It is another.
    """
    if value not in choices:
        given = ", ".join(str(choice) for choice in choices if choice is not None)
        raise InputError(f"{name} = {str(value)[:60]!r} is not known; give one of {given}")


def index_of(kind: str, name: str, names: Sequence[str], where: str) -> int:
    """Position of a name in the world.

    Raises:
        InputError: It is not there.
    """
    if name not in names:
        known = ", ".join(names)
        raise InputError(
            f"{where}: {kind} {name[:60]!r} is not in the world; it has {known if len(known) <= 120 else known[:119] + '…'}"
        )
    return list(names).index(name)
