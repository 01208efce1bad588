"""Exponentials and logarithms with the same bits on every processor.

NumPy has several loops for these, takes one by what the processor has, and they differ in the last digit; so do the matrix products
of its linear algebra. A rate that differs in its last digit is enough for other numbers of an episode. So what traffic is made of
comes of the functions here, and of sums, which NumPy adds in one order everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exponential of each, by the C library."""
    return _each(math.exp, values)


def log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The natural logarithm of each, all > 0, by the C library."""
    return _each(math.log, values)


def _each(function: Callable[[float], float], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A function of each value, called once for a run of equal ones: levels hold for many bins."""
    flat = values.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=np.nan) != 0)
    found = np.fromiter(map(function, flat[starts].tolist()), np.float64, starts.size)
    return np.repeat(found, np.diff(starts, append=flat.size)).reshape(values.shape)
