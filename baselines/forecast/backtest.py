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
from collections.abc import Sequence
from pathlib import Path

from baselines.forecast.arima import Arima
from baselines.forecast.backtest_report import plot_backtest, print_backtest
from baselines.forecast.base import WINDOW_S
from baselines.forecast.rates import token_rates
from baselines.forecast.rolling import Backtest, Row, backtest
from baselines.forecast.seasonal_naive import SeasonalNaive
from baselines.forecast.smoothing import ExponentialSmoothing
from sageserve_env.errors import InputError
from sageserve_env.files.writing import require_writable, whole_file, whole_folder
from sageserve_env.workload import load_workload
from sageserve_env.world import load_world

TABLE = "backtest.csv"


def write_rows(rows: list[Row], path: Path) -> None:
    """The table as a CSV file."""
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
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
    require_writable(out)
    world, played = load_world("published"), load_workload(workload)
    rates = token_rates(played, world, seed, window_s)
    names = [region.name for region in world.regions], [model.name for model in world.models]
    result = backtest(rates, window_s, *names, [SeasonalNaive(), ExponentialSmoothing(), Arima()])
    rows = result.rows()
    print_backtest(rows, SeasonalNaive.name)
    with whole_folder(out, TABLE) as fresh:
        write_rows(rows, fresh / TABLE)
        plot_backtest(result, fresh / "backtest.png", band=Arima.name)
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
