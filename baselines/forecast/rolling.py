"""A rolling test of forecasters: at every full hour each predicts the next from the past, and its errors are counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.forecast.base import DAY_S, HOUR_S, Forecaster, Reals, checked_history, windows_in
from sageserve_env.errors import InputError

Row = dict[str, str | float]

ALL = "all"


@dataclass(frozen=True)
class Prediction:
    """What one forecaster said: each array tokens/s, shape (R, M, O, H), for O hours of H windows."""

    point: Reals
    lower: Reals
    upper: Reals
    level: float


@dataclass(frozen=True)
class Backtest:
    """A rolling test.

    Attributes:
        regions: Names, R of them.
        models: Names, M of them.
        window_s: Length of a window in seconds.
        origins: Window at which each predicted hour starts, shape (O,).
        actual: Input tokens/s that arrived, shape (R, M, O, H).
        predictions: By forecaster.
    """

    regions: tuple[str, ...]
    models: tuple[str, ...]
    window_s: float
    origins: NDArray[np.int64]
    actual: Reals
    predictions: dict[str, Prediction]

    def rows(self) -> list[Row]:
        """One row for each forecaster, model, region and horizon; ``"all"`` sums over one of the last two, or both."""
        return list(self._rows())

    def _rows(self) -> Iterator[Row]:
        minutes = self.window_s / 60
        horizons = _parts([f"{(h + 1) * minutes:g}" for h in range(self.actual.shape[3])])
        regions = _parts(self.regions)
        for name, prediction in self.predictions.items():
            for m, model in enumerate(self.models):
                for region, r in regions:
                    for horizon, h in horizons:
                        labels: Row = {"forecaster": name, "model": model, "region": region, "horizon_min": horizon}
                        yield labels | errors(self.actual[r, m, :, h], prediction, (r, m, slice(None), h))


def _parts(names: Sequence[str]) -> list[tuple[str, slice]]:
    """The whole of an axis, then each of its places by name."""
    return [(ALL, slice(None)), *((name, slice(place, place + 1)) for place, name in enumerate(names))]


def errors(actual: Reals, prediction: Prediction, part: tuple[slice | int, ...]) -> Row:
    """Errors of a part of a prediction: MAPE, WAPE (percent), pinball loss (tokens/s), coverage (share), windows counted."""
    point, lower, upper = prediction.point[part], prediction.lower[part], prediction.upper[part]
    low, high = (1 - prediction.level) / 2, (1 + prediction.level) / 2
    missed, some = np.abs(point - actual), actual > 0
    return {
        "mape_pct": float((missed[some] / actual[some]).mean() * 100) if some.any() else float("nan"),
        "wape_pct": float(missed.sum() / actual.sum() * 100) if some.any() else float("nan"),
        "pinball_tps": (pinball(actual, lower, low) + pinball(actual, upper, high)) / 2,
        "coverage": float(((lower <= actual) & (actual <= upper)).mean()),
        "windows": int(actual.size),
        "windows_in_mape": int(some.sum()),
    }


def pinball(actual: Reals, quantile: Reals, probability: float) -> float:
    """Mean pinball loss of predicted quantiles, in the unit of the data."""
    over = actual - quantile
    return float(np.maximum(probability * over, (probability - 1) * over).mean())


def backtest(
    rates: Reals,
    window_s: float,
    regions: Sequence[str],
    models: Sequence[str],
    forecasters: Sequence[Forecaster],
    start_s: float = DAY_S,
) -> Backtest:
    """Predict every full hour from ``start_s`` on from what came before it.

    Args:
        rates: Input tokens/s, shape (R, M, W); see :func:`baselines.forecast.rates.token_rates`.
        window_s: Length of a window in seconds.
        regions: Names, R of them.
        models: Names, M of them.
        forecasters: Whom to test.
        start_s: Start of the first predicted hour, seconds from the first window.

    Raises:
        InputError: The series are too short, or not usable as history.
    """
    steps, shape = windows_in(HOUR_S, window_s), (len(regions), len(models))
    if rates.shape[:-1] != shape:
        raise InputError(f"rates has shape {rates.shape}; give (regions, models, windows), the first two {shape}")
    series = checked_history(rates.reshape(-1, rates.shape[-1]), window_s)
    origins = np.arange(max(windows_in(start_s, window_s), 1), series.shape[1] - steps + 1, steps)
    if origins.size == 0:
        covered, before = series.shape[1] * window_s / HOUR_S, start_s / HOUR_S
        raise InputError(
            f"rates cover {covered:g} h; give {before + 1:g} h or more, so that an hour follows the first {before:g} h"
        )
    predictions = {forecaster.name: _predict(forecaster, series, window_s, origins, shape) for forecaster in forecasters}
    actual = np.stack([series[:, origin : origin + steps] for origin in origins], axis=1).reshape(*shape, origins.size, steps)
    return Backtest(tuple(regions), tuple(models), window_s, origins, actual, predictions)


def _predict(
    forecaster: Forecaster, series: Reals, window_s: float, origins: NDArray[np.int64], shape: tuple[int, int]
) -> Prediction:
    made = [forecaster.forecast(series[:, :origin], window_s) for origin in origins]
    point, lower, upper = (
        np.stack([getattr(each, name) for each in made], axis=1).reshape(*shape, origins.size, -1)
        for name in ("point", "lower", "upper")
    )
    return Prediction(point, lower, upper, made[0].level)
