"""A rolling test of forecasters as a table and as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baselines.forecast.rolling import Backtest, Row
from sageserve_env.pictures import new_figure, save_figure

COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")
"""One for each forecaster; from the Okabe-Ito palette, distinct to colour-blind readers."""


def print_backtest(rows: list[Row], reference: str) -> None:
    """Print MAPE by model, region and horizon, and the other errors over the whole hour.

    Args:
        rows: What ``Backtest.rows`` returns.
        reference: Name of the forecaster that the others are compared with.
    """
    from rich.console import Console
    from rich.table import Table

    horizons = list(dict.fromkeys(str(row["horizon_min"]) for row in rows if row["horizon_min"] != "all"))
    table = Table(title="Forecast errors: MAPE in % at each horizon and over the hour, WAPE in %, pinball loss in tokens/s")
    for label in ("model", "region", "forecaster"):
        table.add_column(label, no_wrap=True)
    for label in (*(f"{horizon} min" for horizon in horizons), "hour", "of naive", "WAPE", "pinball", "of naive", "coverage"):
        table.add_column(label, justify="right")
    by_key = {(row["model"], row["region"], row["forecaster"], row["horizon_min"]): row for row in rows}
    groups = list(dict.fromkeys((row["model"], row["region"]) for row in rows))
    names = list(dict.fromkeys(row["forecaster"] for row in rows))
    for group in groups:
        base = by_key[(*group, reference, "all")]
        for name in names:
            mape = [f"{by_key[(*group, name, horizon)]['mape_pct']:.1f}" for horizon in (*horizons, "all")]
            summary = _summary(by_key[(*group, name, "all")], base)
            table.add_row(*map(str, (*group, name)), *mape, *summary, end_section=name == names[-1])
    Console(width=170).print(table)


def _summary(row: Row, base: Row) -> tuple[str, ...]:
    """Cells after the MAPEs; ``base`` is the reference's row."""
    relative = {key: float(row[key]) / float(base[key]) if base[key] else float("nan") for key in ("mape_pct", "pinball_tps")}
    return (
        f"{relative['mape_pct']:.2f}",
        f"{row['wape_pct']:.1f}",
        f"{row['pinball_tps']:.0f}",
        f"{relative['pinball_tps']:.2f}",
        f"{row['coverage']:.2f}",
    )


def plot_backtest(result: Backtest, path: str | Path, band: str) -> Path:
    """Draw forecasts against what arrived, one panel for each model, in the region that sends it the most.

    Args:
        result: The test.
        path: Picture file; its suffix gives the format (``.png``, ``.svg``, ``.pdf``).
        band: Name of the forecaster whose interval is shaded.

    Returns:
        The path.

    Raises:
        InputError: matplotlib is not installed, or it does not know the suffix.
    """
    path = Path(path)
    figure = new_figure(path, (12, 2.5 * len(result.models) + 1))
    axes = figure.subplots(len(result.models), sharex=True, squeeze=False)[:, 0]
    for m, axis in enumerate(axes):
        _draw(axis, result, m, band)
    axes[-1].set_xlabel("hours since the start of the workload")
    figure.suptitle("Next-hour forecasts, made at each full hour, against what arrived")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return save_figure(figure, path, dpi=110)


def _draw(axis: Any, result: Backtest, m: int, band: str) -> None:
    """One model's panel."""
    r = int(result.actual[:, m].sum(axis=(1, 2)).argmax())
    steps = result.actual.shape[3]
    hours = ((result.origins[:, None] + np.arange(steps) + 0.5) * result.window_s / 3600).ravel()
    for (name, prediction), colour in zip(result.predictions.items(), COLOURS, strict=False):
        if name == band:
            lower, upper = prediction.lower[r, m].ravel() / 1e3, prediction.upper[r, m].ravel() / 1e3
            axis.fill_between(hours, lower, upper, color=colour, alpha=0.25, lw=0, label=f"{name}, {prediction.level:.0%} interval")
        axis.plot(hours, prediction.point[r, m].ravel() / 1e3, color=colour, lw=1.0, label=name)
    axis.plot(hours, result.actual[r, m].ravel() / 1e3, color="black", lw=0.8, label="arrived")
    # An interval far above all traffic must not flatten the curves.
    axis.set_ylim(0, 1.15 * max(float(result.actual[r, m].max()) / 1e3, 1e-3))
    axis.set_xlim(hours[0], hours[-1])
    if hours[-1] - hours[0] > 72:
        axis.set_xticks(np.arange(24 * np.ceil(hours[0] / 24), hours[-1], 24))
    axis.set_ylabel("thousand input tokens/s")
    axis.set_title(f"{result.models[m]}, {result.regions[r]}", loc="left", fontsize=10)
    axis.grid(True, lw=0.4, color="0.85")
