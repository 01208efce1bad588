"""The level of demand behind its peaks, as the arrivals tell it interval by interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.inference.shared.facts import Facts
from agents.inference.shared.weights import Weights

Reals = NDArray[np.float64]

FASTER = 2.5
"""How much more a new interval counts in the fast level."""

BATCH_MEMORY = 0.1
"""What a new interval counts in the level of NIW."""

LEAST_TREND, MOST_TREND = -0.7, 1.0
LEAST = 1e-6


def logistic(x: Reals) -> Reals:
    """1 / (1 + exp(-x)), for any x."""
    return 1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0)))


class Demand:
    """Levels of E environments, in instances' worth of tokens, each of shape (E, R, M).

    The level is the mean of what came over the mean of what the calendar says came with it, both forgetting alike, so that an
    interval within a peak, which tells more, counts for more.

    Attributes:
        batch: Of NIW.
    """

    def __init__(self, facts: Facts, weights: Weights, n_envs: int) -> None:
        self._calendar = facts.calendar
        self._memory = logistic(weights["memory"])[:, :, None]
        self._trend = weights["trend"][:, :, None]
        first = np.exp(weights["first"])[:, :, None] * facts.first_level[None, None, :]
        self._came = np.tile(first, (1, len(facts.world.regions), 1)) * np.ones((n_envs, 1, 1))
        self._expected = np.ones_like(self._came)
        self._fast = self._came.copy()
        self.batch = self._came / 2.0

    def ratios(self, bins: NDArray[np.int64], ahead: int) -> Reals:
        """The calendar's factors a number of intervals ahead of each environment's bin of the day, shape (E, R, M)."""
        return np.moveaxis(self._calendar[:, :, (bins + ahead) % self._calendar.shape[2]], 2, 0)

    def update(self, bins: NDArray[np.int64], interactive: Reals, batch: Reals) -> None:
        """Take in the arrivals of the interval that ends at the beginning of ``bins``."""
        ratio, fast = self.ratios(bins, -1), np.minimum(FASTER * self._memory, 1.0)
        self._came += self._memory * (interactive - self._came)
        self._expected += self._memory * (ratio - self._expected)
        self._fast += fast * (interactive / ratio - self._fast)
        self.batch += BATCH_MEMORY * (batch - self.batch)

    def level(self) -> Reals:
        """Interactive demand without peaks, as it goes on."""
        level = self._came / self._expected
        drift = np.clip((self._fast - level) / np.maximum(level, LEAST), LEAST_TREND, MOST_TREND)
        return np.maximum(level * (1.0 + self._trend * drift), LEAST)
