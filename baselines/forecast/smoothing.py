"""Exponential smoothing of what today adds to an earlier day's shape."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.forecast.base import (
    CONSTANT,
    HOUR_S,
    One,
    Reals,
    from_log,
    last_hour,
    statsmodels,
    to_log,
    windows_in,
)
from baselines.forecast.fitted import FittedForecaster
from baselines.forecast.profile import profiles


@dataclass(frozen=True)
class ExponentialSmoothing(FittedForecaster):
    """ETS(A,N,N) by statsmodels, on the logarithm of the traffic less its smoothed shape one day (or one week) before.

    Smoothing factor and level are estimated anew for each forecast. Which shape is taken off depends on the history: last week's
    from 8 days on, else yesterday's from 1 1/4 days on, else none; under 16 windows the last hour's mean goes on.

    Options: see :class:`baselines.forecast.fitted.FittedForecaster`.
    """

    name: ClassVar[str] = "exponential smoothing"

    def _fitted(self, series: Reals, window_s: float) -> One:
        log, steps = to_log(series), windows_in(HOUR_S, window_s)
        past, future, rule = np.zeros(log.size), np.zeros(steps), "ETS"
        for profile in profiles(log, window_s):
            past, future, rule = profile.past, profile.future, f"ETS on {profile.name}"
        rest = (log[log.size - past.size :] - past)[-self.fit_windows :]
        if np.ptp(rest) < 1e-9:
            middle = from_log(rest[-1] + future)
            return One(middle, middle, middle, CONSTANT)
        middle, lower, upper = _fit(rest, steps, self.level)
        if not np.isfinite([middle, lower, upper]).all():
            return last_hour(series, window_s, self.level, f"{rule} did not fit: mean of the last hour")
        return One(from_log(middle + future), from_log(lower + future), from_log(upper + future), rule)


def _fit(values: Reals, steps: int, level: float) -> tuple[Reals, Reals, Reals]:
    """Middle and interval of the next values, each of shape (steps,)."""
    from pandas import Series

    ets = statsmodels("tsa.exponential_smoothing.ets")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optimiser chatter; the caller checks that the result is finite
        fit = ets.ETSModel(Series(values)).fit(disp=False)
        prediction = fit.get_prediction(start=values.size, end=values.size + steps - 1)
        interval = prediction.pred_int(1 - level).to_numpy()
    return prediction.predicted_mean.to_numpy(), interval[:, 0], interval[:, 1]
