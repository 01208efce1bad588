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
    Reals,
    checked_level,
    forecast_each,
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

    level: float = LEVEL

    def __post_init__(self) -> None:
        """Check."""
        checked_level(self.level)

    def forecast(self, history: ArrayLike, window_s: float) -> Forecast:
        """See :class:`baselines.forecast.base.Forecaster`."""
        return forecast_each(history, window_s, self.level, self._one)

    def _one(self, series: Reals, window_s: float) -> One:
        day, steps = windows_in(DAY_S, window_s), windows_in(HOUR_S, window_s)
        if series.size < day:
            return last_hour(series, window_s, self.level)
        log = to_log(series)
        errors = log[day:] - log[:-day]
        sd = float(np.sqrt(np.mean(errors**2))) if errors.size else UNKNOWN_LOG_SD
        start = series.size - day
        return lognormal(log[start : start + steps], sd, self.level, "yesterday")
