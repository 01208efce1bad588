"""Peaks that come back at the same minute of every hour, foreseen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from baselines.forecast.base import HOUR_S, Forecast, Forecaster, Reals, checked_history, windows_in
from baselines.forecast.seasonal_naive import SeasonalNaive
from sageserve_env.world.checks import require_count

LEAST_HOURS = 3
"""Least whole hours from which a shape is read; with fewer it is flat."""

MOST_HOURS = 24 * 366

LEAST_PART = 1e-3
"""Taken for windows of the hour that never have any traffic, so that a level can still be read off them."""


@dataclass(frozen=True)
class Recurring:
    """Another forecaster on traffic without its shape within the hour, times that shape.

    The shape is the mean over the last hours of each window's part of its hour. Forecasters that smooth, as those on an earlier day
    do, would wipe out a peak of a few minutes; with the shape taken off first they see the level, and the peak comes back.

    Attributes:
        base: Forecasts the level.
        hours: Hours that the shape is read from, at most as many as there are; at least 3.

    Raises:
        InputError: ``hours`` is out of range.
    """

    name: ClassVar[str] = "recurring"

    base: Forecaster = field(default_factory=SeasonalNaive)
    hours: int = 24

    def __post_init__(self) -> None:
        """Check."""
        require_count("hours", self.hours, LEAST_HOURS, MOST_HOURS)

    @property
    def is_by_series(self) -> bool:
        """Whether each series is treated by itself: as ``base`` does."""
        return getattr(self.base, "is_by_series", False)

    def forecast(self, history: ArrayLike, window_s: float) -> Forecast:
        """See :class:`baselines.forecast.base.Forecaster`."""
        series = checked_history(history, window_s)
        shape = hour_shape(series, windows_in(HOUR_S, window_s), self.hours)
        ahead = np.tile(shape, (1, -(-series.shape[1] // shape.shape[1])))[
            :, -series.shape[1] :
        ]  # ends with the hour's last window
        level = self.base.forecast(series / ahead, window_s)
        rules = tuple(f"{rule}, times the hour's shape" for rule in level.rules)
        return replace(level, point=level.point * shape, lower=level.lower * shape, upper=level.upper * shape, rules=rules)


def hour_shape(series: Reals, steps: int, hours: int) -> Reals:
    """Traffic of each window of the hour to come over the hour's mean, from the last hours; ones where there are too few.

    Args:
        series: Tokens/s, shape (S, n); the hour to come begins at its end.
        steps: Windows in an hour, H.
        hours: Most hours to read.

    Returns:
        Shape (S, H), mean 1, above 0.
    """
    whole = min(series.shape[1] // steps, hours)
    if whole < LEAST_HOURS:
        return np.ones((len(series), steps))
    by_hour = series[:, series.shape[1] - whole * steps :].reshape(len(series), whole, steps)
    level = by_hour.mean(axis=2, keepdims=True)
    parts = np.where(level > 0, by_hour / np.where(level > 0, level, 1.0), 1.0).mean(axis=1)
    shape: Reals = np.maximum(parts, LEAST_PART)
    return shape / shape.mean(axis=1, keepdims=True)
