"""Yesterday again: the forecast that every other one has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from baselines.forecast.base import (
    DAY_S,
    HOUR_S,
    LEVEL,
    UNKNOWN_LOG_SD,
    Forecast,
    One,
    checked_history,
    checked_level,
    last_hour,
    lognormal,
    to_log,
    windows_in,
)


@dataclass(frozen=True)
class SeasonalNaive:
    """The same hour of the day before; with less than a day of history the last hour's mean.

    The interval is lognormal, as wide as this rule's errors so far.

    Attributes:
        level: Probability of the interval.
    """

    name: ClassVar[str] = "seasonal naive"
    is_by_series: ClassVar[bool] = True

    level: float = LEVEL

    def __post_init__(self) -> None:
        """Check."""
        checked_level(self.level)

    def forecast(self, history: ArrayLike, window_s: float) -> Forecast:
        """See :class:`baselines.forecast.base.Forecaster`."""
        series = checked_history(history, window_s)
        day, steps = windows_in(DAY_S, window_s), windows_in(HOUR_S, window_s)
        if series.shape[1] < day:
            return self._of_all(last_hour(series, window_s, self.level), window_s)
        log = to_log(series)
        errors = log[:, day:] - log[:, :-day]
        sd = np.sqrt(np.mean(errors**2, axis=1, keepdims=True)) if errors.size else UNKNOWN_LOG_SD
        start = series.shape[1] - day
        return self._of_all(lognormal(log[:, start : start + steps], sd, self.level, "yesterday"), window_s)

    def _of_all(self, every: One, window_s: float) -> Forecast:
        """The forecast of all series by one rule."""
        return Forecast(every.point, every.lower, every.upper, self.level, window_s, (every.rule,) * len(every.point))
