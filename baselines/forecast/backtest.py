"""Rolling test of the forecasters on a workload: ``python -m baselines.forecast.backtest --out runs/backtest``.

At every full hour from the second day on, each forecaster sees the realised arrivals up to then and predicts the next hour. Errors
are counted by model, region and horizon:

- MAPE: mean of absolute error over actual, in percent, over windows in which anything arrived. On a few requests a window
  it is the noise of counting, whatever the forecaster; so beside it
- WAPE: summed absolute error over summed traffic, in percent;
- pinball loss at the two ends of the interval, their mean, tokens/s; and the interval's coverage.

``docs/forecasts.md`` holds the results on the O365 week.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baselines.forecast.arima import Arima
from baselines.forecast.backtest_report import plot_backtest, print_backtest
from baselines.forecast.base import DAY_S, HOUR_S, WINDOW_S, Forecaster, Reals, checked_history, windows_in
from baselines.forecast.rates import token_rates
from baselines.forecast.seasonal_naive import SeasonalNaive
from baselines.forecast.smoothing import ExponentialSmoothing
from sageserve_env.errors import InputError
from sageserve_env.workload import load_workload
from sageserve_env.world import load_world

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


def write_rows(rows: list[Row], path: Path) -> None:
    """The table as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows)


def run(out: Path, workload: str = "o365-week", seed: int = 0, window_s: float = WINDOW_S) -> Backtest:
    """Test all forecasters on a workload, print the table and write ``backtest.csv`` and ``backtest.png``.

    Args:
        out: Folder, made where it does not exist.
        workload: Name or path of a workload.
        seed: Seed of its stream.
        window_s: Length of a window in seconds.

    Raises:
        InputError: The workload is not known, a package is missing, or an argument is out of range.
    """
    world, played = load_world("published"), load_workload(workload)
    rates = token_rates(played, world, seed, window_s)
    names = [region.name for region in world.regions], [model.name for model in world.models]
    result = backtest(rates, window_s, *names, [SeasonalNaive(), ExponentialSmoothing(), Arima()])
    rows = result.rows()
    print_backtest(rows, SeasonalNaive.name)
    out.mkdir(parents=True, exist_ok=True)
    write_rows(rows, out / "backtest.csv")
    plot_backtest(result, out / "backtest.png", band=Arima.name)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        "python -m baselines.forecast.backtest", description="Errors of the forecasters, hour by hour."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for backtest.csv and backtest.png")
    parser.add_argument("--workload", default="o365-week", help="name or path (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the workload (default: %(default)s)")
    parser.add_argument("--window", type=float, default=WINDOW_S, metavar="SECONDS", help="window length (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        run(given.out, given.workload, given.seed, given.window)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
