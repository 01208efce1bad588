"""ARIMA with earlier days as regressors, its order chosen on past data only."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from baselines.forecast.base import (
    CONSTANT,
    DAY_S,
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

Order = tuple[int, int, int]

ORDERS: tuple[Order, ...] = ((0, 1, 1), (0, 1, 2), (1, 1, 1))
"""Orders (p, d, q) to choose from; the first is used until there is a day to choose on."""


@dataclass(frozen=True)
class Arima(FittedForecaster):
    """ARIMA by statsmodels on the logarithm of the traffic, regressed on its smoothed shape one day and one week before.

    The order of each series is chosen by AICc on the whole days of history (once a day, on the past alone); coefficients are
    estimated anew for each forecast, by maximum likelihood. Yesterday's shape is a regressor from 1 1/4 days of history on, last
    week's from 8; under 16 windows the last hour's mean goes on.

    Options: see :class:`baselines.forecast.fitted.FittedForecaster`.
    """

    name: ClassVar[str] = "ARIMA"

    def _fitted(self, series: Reals, window_s: float) -> One:
        log, steps = to_log(series), windows_in(HOUR_S, window_s)
        if np.ptp(log[-self.fit_windows :]) < 1e-9:
            middle = np.full(steps, series[-1])
            return One(middle, middle, middle, CONSTANT)
        whole_days = series.size // windows_in(DAY_S, window_s) * windows_in(DAY_S, window_s)
        order = choose_order(log[:whole_days].tobytes(), window_s, self.fit_windows)
        values, past, future, names = _design(log, window_s, self.fit_windows)
        rule = f"ARIMA{order}".replace(" ", "") + (f" on {' and '.join(names)}" if names else "")
        fit = _fit(values, past, order)
        if fit is None:
            return last_hour(series, window_s, self.level, f"{rule} did not fit: mean of the last hour")
        predicted = fit.get_forecast(steps, exog=future)
        interval = predicted.conf_int(alpha=1 - self.level)
        return One(from_log(predicted.predicted_mean), from_log(interval[:, 0]), from_log(interval[:, 1]), rule)


def _design(log: Reals, window_s: float, fit_windows: int) -> tuple[Reals, Reals | None, Reals | None, list[str]]:
    """Values to fit, regressors beside them and ahead of them (windows, profiles), and the names of the profiles."""
    used = profiles(log, window_s)
    start = max([log.size - fit_windows, *(profile.lag for profile in used), 0])
    length = log.size - start
    used = [profile for profile in used if np.ptp(profile.past[-length:]) > 1e-9]
    if not used:
        return log[start:], None, None, []
    past = np.stack([profile.past[-length:] for profile in used], axis=1)
    return log[start:], past, np.stack([profile.future for profile in used], axis=1), [profile.name for profile in used]


@lru_cache(maxsize=4096)
def choose_order(days: bytes, window_s: float, fit_windows: int) -> Order:
    """The order of least AICc on whole days of history.

    Args:
        days: The logarithms' bytes (float64). Bytes, so that a day's choice is kept for the hours that share it.
        window_s: Length of a window in seconds.
        fit_windows: Most windows to estimate from.
    """
    log = np.frombuffer(days)
    if log.size == 0 or np.ptp(log[-fit_windows:]) < 1e-9:
        return ORDERS[0]
    values, past, _, _ = _design(log, window_s, fit_windows)
    fits = {order: _fit(values, past, order) for order in ORDERS}
    scores = {order: float(fit.aicc) for order, fit in fits.items() if fit is not None}
    return min(scores, key=lambda order: scores[order], default=ORDERS[0])


def _fit(values: Reals, past: Reals | None, order: Order) -> Any:
    """Maximum-likelihood fit; None where it fails or is not finite."""
    model = statsmodels("tsa.statespace.sarimax").SARIMAX
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # starting values and slow convergence: the likelihood is flat there, the forecast is not
        try:
            fit = model(values, exog=past, order=order, concentrate_scale=True).fit(disp=False, maxiter=50)
        except np.linalg.LinAlgError:
            return None
    return fit if np.isfinite([*fit.params, fit.llf]).all() else None
