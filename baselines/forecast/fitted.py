"""What the forecasters that estimate a model share: their options, and what they do with little history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from numpy.typing import ArrayLike

from baselines.forecast.base import LEVEL, Forecast, One, Reals, checked_level, forecast_each, last_hour
from sageserve_env.world.checks import require_count

LEAST_WINDOWS = 16
"""Least windows to estimate from; with fewer, the last hour's mean goes on."""


@dataclass(frozen=True)
class FittedForecaster(ABC):
    """Estimates a model of each series anew for each forecast.

    Attributes:
        level: Probability of the interval.
        fit_windows: Most windows to estimate from: bounds the time on fine windows.
    """

    level: float = LEVEL
    fit_windows: int = 384

    def __post_init__(self) -> None:
        """Check."""
        checked_level(self.level)
        require_count("fit_windows", self.fit_windows, LEAST_WINDOWS)

    def forecast(self, history: ArrayLike, window_s: float) -> Forecast:
        """See :class:`baselines.forecast.base.Forecaster`."""
        return forecast_each(history, window_s, self.level, self._one)

    def _one(self, series: Reals, window_s: float) -> One:
        return last_hour(series, window_s, self.level) if series.size < LEAST_WINDOWS else self._fitted(series, window_s)

    @abstractmethod
    def _fitted(self, series: Reals, window_s: float) -> One:
        """The forecast of a series of at least ``LEAST_WINDOWS`` windows."""
