"""The shape of an earlier day, as a regressor: the smoothed logarithm of the traffic one day or one week before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from baselines.forecast.base import DAY_S, HOUR_S, WEEK_S, Reals, windows_in

LAGS = {"yesterday": (DAY_S, DAY_S / 4), "last week": (WEEK_S, DAY_S)}
"""Seasons of traffic: their lag, and the history beyond it that estimation needs (an assumption); seconds."""

SMOOTH_S = HOUR_S
"""Half width of the moving average over an earlier day: its shape carries over, its noise does not. Assumption."""


@dataclass(frozen=True)
class Profile:
    """The smoothed logarithm ``lag`` windows before.

    Attributes:
        name: ``"yesterday"`` or ``"last week"``.
        lag: In windows.
        past: At windows ``lag`` to n - 1 of the history, shape (n - lag,).
        future: At the windows of the coming hour, shape (H,).
    """

    name: str
    lag: int
    past: Reals
    future: Reals


def profiles(log: Reals, window_s: float) -> list[Profile]:
    """Profiles for which there is history enough, the longest lag last.

    The window at t reads windows t - lag +- ``SMOOTH_S``, all of them long before t.

    Args:
        log: Logarithm of the traffic, shape (n,).
        window_s: Length of a window in seconds.
    """
    steps = windows_in(HOUR_S, window_s)
    found = []
    for name, (lag_s, least_s) in LAGS.items():
        lag = windows_in(lag_s, window_s)
        if log.size < windows_in(lag_s + least_s, window_s):
            continue
        shape = moving_average(log, windows_in(SMOOTH_S, window_s))[: log.size - lag + steps]
        found.append(Profile(name, lag, shape[: log.size - lag], shape[log.size - lag :]))
    return found


def moving_average(values: Reals, half: int) -> Reals:
    """Centred mean over 2 half + 1 values; at the ends the outermost value stands for those beyond."""
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), "valid")
