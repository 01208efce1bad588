"""Token sizes from a few quantiles: an inverse distribution function, log-linear between them, on a fine uniform grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.portable import exp, log

CELLS = 1024
"""Cells of the grid of probabilities; a size is read by linear interpolation inside a cell."""

TAIL_FACTOR = 2.0
"""Assumption: no request is larger than this times the highest quantile, or smaller than the lowest quantile over this."""

MAX_TOKENS = 2**31 - 1


def size_table(levels: Sequence[float], tokens: Sequence[float]) -> NDArray[np.float64]:
    """Tabulate the inverse distribution function that passes through the given quantiles.

    Args:
        levels: Probabilities, strictly increasing in (0, 1). Shape (n,), n >= 1.
        tokens: Token quantiles, non-decreasing, > 0. Shape (n,).

    Returns:
        Sizes in tokens at probabilities 0, 1/CELLS, ..., 1. Shape (CELLS + 1,), float64, non-decreasing.

    Raises:
        InputError: Lengths differ or values are out of order or range.

    Example:
        >>> table = size_table([0.05, 0.5, 0.95], [10, 100, 1000])
        >>> float(table[CELLS // 2].round()), float(table[0]), float(table[-1])
        (100.0, 5.0, 2000.0)
    """
    p, q = np.asarray(levels, float), np.asarray(tokens, float)
    if p.ndim != 1 or p.shape != q.shape or p.size == 0:
        raise InputError(f"token quantiles: {p.size} levels and {q.size} sizes; give one size for each level")
    if not (np.all(np.diff(p) > 0) and p[0] > 0 and p[-1] < 1):
        raise InputError(f"token quantiles: levels = {p.tolist()} must increase strictly inside (0, 1)")
    if not (np.all(np.isfinite(q)) and q[0] > 0 and np.all(np.diff(q) >= 0)):
        raise InputError(f"token quantiles: sizes = {q.tolist()} must be positive and non-decreasing")
    p = np.concatenate([[0.0], p, [1.0]])
    q = np.concatenate([[q[0] / TAIL_FACTOR], q, [q[-1] * TAIL_FACTOR]])
    return exp(np.interp(np.linspace(0.0, 1.0, CELLS + 1), p, log(q)))


def table_mean(table: NDArray[np.float64]) -> float:
    """Mean size in tokens of a table's distribution (exact: the trapezoid rule on linear cells)."""
    return float((table.sum() - 0.5 * (table[0] + table[-1])) / (table.size - 1))


def scaled_to_mean(table: NDArray[np.float64], mean_tokens: float) -> NDArray[np.float64]:
    """The same shape with another mean: every size times one factor.

    Raises:
        InputError: ``mean_tokens`` is not a positive number.
    """
    if not np.isfinite(mean_tokens) or mean_tokens <= 0:
        raise InputError(f"mean_tokens = {mean_tokens} is not usable; give a positive number of tokens")
    return table * (mean_tokens / table_mean(table))


def narrowed(table: NDArray[np.float64], log_sd: float) -> NDArray[np.float64]:
    """The shape that has about the old spread again once sizes are multiplied by an independent factor.

    Args:
        table: Sizes, shape (CELLS + 1,).
        log_sd: Standard deviation of the factor's logarithm. At most 95 % of the table's own is taken out.

    Returns:
        Sizes drawn towards their median, shape (CELLS + 1,).
    """
    logs = log(table)
    ratio = min(log_sd / max(float(logs.std()), 1e-9), 0.95)
    return exp(np.median(logs) + (logs - np.median(logs)) * np.sqrt(1 - ratio**2))
