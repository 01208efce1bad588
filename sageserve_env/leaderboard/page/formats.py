"""Numbers as the pages write them."""

from __future__ import annotations

import math
from typing import Any

NONE = "–"


def usd(value: float | None) -> str:
    """Whole dollars, without the sign.

    Example:
        >>> usd(12345.6), usd(None)
        ('12,346', '–')
    """
    return NONE if value is None else f"{value:,.0f}"


def percent(share: float) -> str:
    """A share in per cent to two digits, rounded down: what misses 95 % does not read as 95 %.

    Example:
        >>> percent(0.94999), percent(1.0)
        ('94.99', '100.00')
    """
    return f"{math.floor(share * 1e4 + 1e-6) / 100:.2f}"


def score(value: float | None) -> str:
    """A score between the anchors.

    Example:
        >>> score(0.4567), score(-0.2), score(None)
        ('0.457', '−0.200', '–')
    """
    return NONE if value is None else f"{value:.3f}".replace("-", "−")


def interval(bounds: list[float], digits: int = 0) -> str:
    """An interval.

    Example:
        >>> interval([1200.2, 1300.9]), interval([-0.5, 0.25], 2)
        ('1,200 to 1,301', '−0.50 to 0.25')
    """
    return " to ".join(f"{bound:,.{digits}f}" for bound in bounds).replace("-", "−")


def short(value: float | None) -> str:
    """Four digits, for axes and read-outs.

    Example:
        >>> [short(value) for value in (1234567.0, 12.5, 0.01, 0.0, None)]
        ['1,235,000', '12.5', '0.01', '0', '–']
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    digits = 3 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    text = f"{rounded:,.{max(digits, 0)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


FILTERS: dict[str, Any] = {"usd": usd, "percent": percent, "score": score, "interval": interval, "short": short}
"""By the names that the templates call them."""
