"""Least squares with coefficients that are not negative, of relative errors, deaf to outliers. NumPy alone: the columns are few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDS = 25
"""Of reweighting; the weights stand still long before."""

TIE = 1e-9
"""Columns whose gains differ by less, as those of one shape do, come in their order, whatever a machine's rounding."""

SMALLEST_ERROR = 0.003
"""Relative errors below this all weigh the same; those above weigh as in a fit of least absolute errors."""


def robust_fit(columns: Floats, values: Floats, importance: Floats) -> Floats:
    """Coefficients c >= 0 that make the sum of ``importance * |columns @ c / values - 1|`` smallest, by reweighted least squares.

    Args:
        columns: Not negative. Shape (n, k).
        values: Positive. Shape (n,).
        importance: Positive. Shape (n,).

    Returns:
        Shape (k,).

    Example:
        >>> x = np.arange(1.0, 9.0)
        >>> values = 2.0 + 3.0 * x
        >>> values[4] *= 10  # an outlier
        >>> robust_fit(np.stack([np.ones(8), x, x**2], axis=1), values, np.ones(8)).round(3).tolist()
        [2.0, 3.0, 0.0]
    """
    relative = columns / values[:, None]
    weights = importance
    for _ in range(ROUNDS):
        found = nonnegative_least_squares(relative * weights[:, None], weights)
        weights = np.sqrt(importance / np.maximum(np.abs(relative @ found - 1), SMALLEST_ERROR))
    return found


def nonnegative_least_squares(columns: Floats, values: Floats) -> Floats:
    """The coefficients c >= 0 of the smallest squared error, by the active-set method of Lawson and Hanson.

    A column that is zero throughout, or a sum of others, gets 0.

    Args:
        columns: Shape (n, k).
        values: Shape (n,).

    Returns:
        Shape (k,).

    Example:
        >>> nonnegative_least_squares(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([2.0, -1.0])).tolist()
        [2.0, 0.0]
    """
    length = np.sqrt((columns**2).sum(axis=0))
    unit = columns / np.where(length > 0, length, np.inf)
    gram, right = unit.T @ unit, unit.T @ values
    found, free = np.zeros(len(gram)), np.zeros(len(gram), bool)
    enough = 1e-9 * float(np.linalg.norm(values))  # a gain below it is rounding
    for _ in range(4 * len(gram)):  # each round frees a column; it ends long before
        gain = np.where(free, 0.0, right - gram @ found)
        if gain.max() <= enough:
            break
        free[int((gain >= (1 - TIE) * gain.max()).argmax())] = True
        found, free = _within_bounds(gram, right, found, free)
    return found / np.where(length > 0, length, 1.0)


def _within_bounds(gram: Floats, right: Floats, found: Floats, free: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Move to the optimum over the free columns, fixing at 0 those that turn negative on the way."""
    while True:
        aim = np.zeros(len(gram))
        aim[free] = np.linalg.lstsq(gram[np.ix_(free, free)], right[free], rcond=1e-10)[0]
        stopping = free & (aim <= 0)
        if not stopping.any():
            return aim, free
        step = (found[stopping] / (found[stopping] - aim[stopping] + 1e-300)).min()  # a column just freed may stand at 0
        found = np.where(free, found + step * (aim - found), 0.0)
        free = free & (found > 1e-12)  # the columns have length 1, and so has what they are to add up to, or nearly
        found = np.where(free, found, 0.0)
