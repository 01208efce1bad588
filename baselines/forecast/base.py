"""The interface of a forecaster, and what all of them share: checks, the logarithm, and what to do with little history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import log
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sageserve_env.errors import InputError
from sageserve_env.world.checks import is_number

Reals = NDArray[np.float64]

HOUR_S = 3600.0
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S

WINDOW_S = 900.0
"""Window used unless told otherwise. Any length that divides an hour works; estimation takes time in proportion to the windows."""

LEVEL = 0.8
"""Probability of the interval unless told otherwise: from the 10 % to the 90 % quantile."""

OFFSET = 1.0
"""Tokens/s added before the logarithm is taken, so that silence has one; far below the load of any instance."""

LARGEST_LOG = log(1e15)
"""Where forecasts of the logarithm are cut: a fit that runs away must not overflow; no fleet serves a thousandth of it."""

UNKNOWN_LOG_SD = 1.0
"""Assumption: standard deviation of the logarithm where the history is too short to show any."""

LAST_HOUR = "mean of the last hour"
CONSTANT = "constant history"


@dataclass(frozen=True)
class Forecast:
    """The coming hour: S series, H = 3600 / ``window_s`` windows, the first of which starts where the history ends.

    Attributes:
        point: Input tokens/s, >= 0, shape (S, H): the middle (median) of the predicted distribution.
        lower: Lower end of the interval, tokens/s, >= 0, shape (S, H): the quantile (1 - level) / 2.
        upper: Upper end, tokens/s, shape (S, H): the quantile (1 + level) / 2.
        level: Probability of the interval, 0 to 1.
        window_s: Length of a window in seconds.
        rules: How each series was forecast, shape (S,): the forecaster's own model, or the simpler rule that little or constant
            history calls for.
    """

    point: Reals
    lower: Reals
    upper: Reals
    level: float
    window_s: float
    rules: tuple[str, ...]


class Forecaster(Protocol):
    """Fits on the past and predicts the next hour. The forecast is a function of the history alone."""

    @property
    def name(self) -> str:
        """Shown in tables."""
        ...

    def forecast(self, history: ArrayLike, window_s: float) -> Forecast:
        """Predict the hour that follows the history.

        Args:
            history: Input tokens/s in each window up to now, oldest first, without gaps, shape (S, n) with n >= 1.
            window_s: Length of a window in seconds; divides an hour.

        Raises:
            InputError: The history is empty or has a value that is negative or not finite, or the window does not divide an hour.
        """
        ...


@dataclass(frozen=True)
class One:
    """The forecast of one series, or of several by one rule: tokens/s, each of shape (..., H), and the rule behind it."""

    point: Reals
    lower: Reals
    upper: Reals
    rule: str


def windows_in(seconds: float, window_s: float) -> int:
    """Number of windows in a span that they divide."""
    return round(seconds / window_s)


def checked_window(window_s: float) -> float:
    """The length of a window.

    Raises:
        InputError: It does not divide an hour, or is under a second.
    """
    good = is_number(window_s) and 1 <= window_s <= HOUR_S
    if not good or abs(HOUR_S / window_s - round(HOUR_S / window_s)) > 1e-9:
        raise InputError(f"window_s = {window_s!r:.40} does not divide an hour; give e.g. 60, 300 or 900 seconds")
    return window_s


def checked_history(history: ArrayLike, window_s: float) -> Reals:
    """The history as an array, shape (S, n).

    Raises:
        InputError: It cannot be forecast from.
    """
    checked_window(window_s)
    array = np.asarray(history, np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"history has shape {array.shape}; give (series, windows), at least one window of past")
    bad = ~np.isfinite(array) | (array < 0)
    if bad.any():
        series, window = (int(index) for index in np.argwhere(bad)[0])
        raise InputError(f"history[{series}, {window}] = {array[series, window]} is not valid; give finite tokens/s, 0 or more")
    return array


def checked_level(level: float) -> float:
    """The level of an interval.

    Raises:
        InputError: It is not between 0 and 1.
    """
    if not is_number(level) or not 0 < level < 1:
        raise InputError(f"level = {level!r:.40} is not valid; give a probability between 0 and 1, such as {LEVEL}")
    return level


def forecast_each(history: ArrayLike, window_s: float, level: float, one: Callable[[Reals, float], One]) -> Forecast:
    """Forecast series by series with a function of (series, window_s)."""
    parts = [one(series, window_s) for series in checked_history(history, window_s)]
    return Forecast(
        np.stack([part.point for part in parts]),
        np.stack([part.lower for part in parts]),
        np.stack([part.upper for part in parts]),
        level,
        window_s,
        tuple(part.rule for part in parts),
    )


def to_log(rate: Reals) -> Reals:
    """Logarithm of tokens/s: the noise of traffic grows with traffic, that of its logarithm less so."""
    return np.log(rate + OFFSET)


def from_log(values: Reals) -> Reals:
    """Back to tokens/s, never below 0."""
    return np.maximum(np.exp(np.minimum(values, LARGEST_LOG)) - OFFSET, 0.0)


def lognormal(middle: Reals, log_sd: Reals | float, level: float, rule: str) -> One:
    """A forecast whose logarithm is normal: middle and standard deviation of the logarithm, shape (..., H)."""
    reach = NormalDist().inv_cdf((1 + level) / 2) * np.broadcast_to(log_sd, middle.shape)
    return One(from_log(middle), from_log(middle - reach), from_log(middle + reach), rule)


def last_hour(series: Reals, window_s: float, level: float, rule: str = LAST_HOUR) -> One:
    """The rule for little history: the last hour's mean goes on; the interval is that of a random walk in the logarithm.

    Args:
        series: One, or several, shape (..., n).
        window_s: Length of a window.
        level: Of the interval.
        rule: What it is called.
    """
    steps = windows_in(HOUR_S, window_s)
    moves = np.diff(to_log(series))
    sd = np.sqrt(np.mean(moves**2, axis=-1, keepdims=True)) if moves.size else UNKNOWN_LOG_SD
    mean = to_log(series[..., -steps:].mean(axis=-1, keepdims=True))
    return lognormal(np.repeat(mean, steps, axis=-1), sd * np.sqrt(np.arange(1, steps + 1)), level, rule)


def statsmodels(module: str) -> Any:
    """A module of statsmodels, imported where it is used: it takes a second or two.

    Raises:
        InputError: statsmodels is not installed.
    """
    try:
        return import_module(f"statsmodels.{module}")
    except ImportError:
        raise InputError("statsmodels = None is not installed; run: pip install 'sageserve-env[forecast]'") from None
