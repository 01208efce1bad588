"""Means and variances of what streams by, in float64; plain arrays, so that a file of them runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


class Moments:
    """Running mean and variance of each entry (Chan, Golub and LeVeque's parallel update).

    Args:
        shape: Of one observation.

    Attributes:
        mean, variance: So far; 0 and 1 at first.
        count: Observations so far.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.mean, self.variance, self.count = np.zeros(shape), np.ones(shape), 0.0

    def update(self, batch: NDArray[Any]) -> None:
        """Take in observations, the batch on the first axis.

        Example:
            >>> seen = Moments()
            >>> seen.update(np.array([1.0, 2.0])); seen.update(np.array([6.0]))
            >>> float(seen.mean), float(seen.variance)
            (3.0, 4.666...)
        """
        values = np.asarray(batch, np.float64)
        n, mean, variance = len(values), values.mean(axis=0), values.var(axis=0)
        total, away = self.count + n, mean - self.mean
        squares = self.variance * self.count + variance * n + away**2 * (self.count * n / total)
        self.mean, self.variance, self.count = self.mean + away * (n / total), squares / total, total

    def state(self, name: str) -> dict[str, Reals]:
        """As arrays, by names that begin with ``name``."""
        return {f"{name}.mean": self.mean, f"{name}.variance": self.variance, f"{name}.count": np.array(self.count)}

    def restore(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from :meth:`state`."""
        self.mean, self.variance = arrays[f"{name}.mean"], arrays[f"{name}.variance"]
        self.count = float(arrays[f"{name}.count"])
