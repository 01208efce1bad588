"""Rates over time, drawn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.pictures import label, new_figure, save_figure
from sageserve_env.workload.describe import Description, describe
from sageserve_env.workload.request import Workload
from sageserve_env.world.schema import TIERS, World

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""One for each model; the Okabe-Ito palette, distinct to colour-blind readers."""

CLASSES = {"Interactive (IW-F, IW-N)": ("IW-F", "IW-N"), "Non-interactive (NIW)": ("NIW",)}

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_POINTS = 600
_HOUR_S, _DAY_S = 3600.0, 86_400.0


def plot_rates(workload: Workload, world: World, path: str | os.PathLike[str], seed: int = 0) -> Path:
    """Draw requests per second and prompt tokens per second by model and class over time.

    Args:
        workload: Played once.
        world: Gives names to models.
        path: Picture file; its suffix gives the format (``.png``, ``.svg``, ``.pdf``).
        seed: Seed of the stream.

    Returns:
        The path.

    Raises:
        InputError: matplotlib is not installed, the suffix is not known, or the workload does not fit the world.
    """
    path = Path(path)
    figure = new_figure(path, (12.5, 6.4))
    if not path.parent.is_dir():
        raise InputError(f"{path}: folder {path.parent} does not exist; create it first")
    description = describe(workload, world, seed)
    minutes = _bin_minutes(description.duration_s)
    start_s = getattr(workload, "week_start_s", None)
    axes = figure.subplots(2, 2, sharex=True, squeeze=False)
    for column, (title, tiers) in enumerate(CLASSES.items()):
        axes[0, column].set_title(title, fontsize=11)
        _draw(axes[0, column], description, description.requests_per_min, tiers, minutes, 1.0)
        _draw(axes[1, column], description, description.prompt_tokens_per_min, tiers, minutes, 1e-3)
        _time_axis(axes[1, column], description.duration_s, start_s)
    axes[0, 0].set_ylabel("requests/s")
    axes[1, 0].set_ylabel("thousand prompt tokens/s")
    handles = {line.get_label(): line for axis in axes.flat for line in axis.get_lines()}
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(handles), 6), frameon=False)
    figure.suptitle(label(f"{description.name}: {description.groups[-1].requests:,} requests, {minutes}-minute means"))
    return save_figure(figure, path)


def _bin_minutes(duration_s: float) -> int:
    """Width of a point in minutes, so that a line has some hundreds."""
    return next((m for m in (1, 5, 10, 15, 20, 30, 60) if duration_s / 60 / m <= _POINTS), 120)


def _draw(
    axis: Any, description: Description, per_min: NDArray[np.float64], tiers: tuple[str, ...], minutes: int, unit: float
) -> None:
    """One line for each model that has requests of these tiers."""
    rows = [TIERS.index(tier) for tier in tiers]
    n = per_min.shape[2]
    starts = np.arange(0, n, minutes)
    edges_s = np.minimum(np.append(starts, n) * 60.0, description.duration_s)
    for k, model in enumerate(description.models):
        total = per_min[k, rows].sum(axis=0)
        if total.any():
            rate = np.add.reduceat(total, starts) / np.diff(edges_s) * unit
            axis.stairs(rate, edges_s, color=COLOURS[k % len(COLOURS)], lw=1.1, baseline=None)
            axis.plot([], [], color=COLOURS[k % len(COLOURS)], lw=2.2, label=label(model))
    axis.set_axisbelow(True)
    axis.grid(True, lw=0.4, color="0.87")
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_ylim(bottom=0)
    axis.set_xlim(0, description.duration_s)


def _time_axis(axis: Any, duration_s: float, start_s: float | None) -> None:
    """Ticks at round times: weekdays over days, clock times over hours where the start is known, else time from the start."""
    steps = (60, 300, 600, 900, 1800, _HOUR_S, 2 * _HOUR_S, 3 * _HOUR_S, 6 * _HOUR_S, _DAY_S, 2 * _DAY_S, 7 * _DAY_S)
    step = next((s for s in steps if duration_s / s <= 8), duration_s / 8)
    if start_s is None:
        unit, name = (_DAY_S, "days") if step >= _DAY_S else (_HOUR_S, "hours") if step >= _HOUR_S else (60.0, "minutes")
        ticks = np.arange(0, duration_s * (1 + 1e-9), step)
        axis.set_xticks(ticks, [f"{tick / unit:g}" for tick in ticks])
        axis.set_xlabel(f"{name} from the start")
        return
    ticks = np.arange(np.ceil(start_s / step) * step, start_s + duration_s, step)
    texts = [_clock(tick, step, first=k == 0) for k, tick in enumerate(ticks)]
    axis.set_xticks(ticks - start_s, texts)
    axis.set_xlabel("start of weekday" if step >= _DAY_S else "time of day")


def _clock(t_s: float, step: float, first: bool) -> str:
    """A tick's text: the weekday where days are the step, else the time, with the weekday under the first and under midnight."""
    day = WEEKDAYS[int(t_s // _DAY_S) % 7]
    if step >= _DAY_S:
        return day
    minute = round(t_s % _DAY_S / 60)
    time = f"{minute // 60:02d}:{minute % 60:02d}"
    return f"{time}\n{day}" if first or minute == 0 else time
