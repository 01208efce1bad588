"""Forecasters of the next hour's input tokens per second (paper section 6). All but the oracle see the past only.

``SeasonalNaive`` (yesterday again), ``Arima`` and ``ExponentialSmoothing`` (both from statsmodels, extra ``forecast``),
``Recurring`` (another one, and peaks at the same minute of every hour), ``Oracle`` (the truth, for bounds); ``token_rates`` makes
the series of a workload, ``python -m baselines.forecast.backtest`` measures errors.
"""

from baselines.forecast.arima import Arima
from baselines.forecast.base import HOUR_S, WINDOW_S, Forecast, Forecaster
from baselines.forecast.oracle import Oracle
from baselines.forecast.rates import INTERACTIVE, token_rates
from baselines.forecast.recurring import Recurring
from baselines.forecast.seasonal_naive import SeasonalNaive
from baselines.forecast.smoothing import ExponentialSmoothing

__all__ = [
    "HOUR_S",
    "INTERACTIVE",
    "WINDOW_S",
    "Arima",
    "ExponentialSmoothing",
    "Forecast",
    "Forecaster",
    "Oracle",
    "Recurring",
    "SeasonalNaive",
    "token_rates",
]
