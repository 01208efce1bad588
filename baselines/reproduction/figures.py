"""Figures of the report, from the runs of the experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.reproduction.as_measured import HOURS, OUT_FACTORS, SWEEP_HOURS, SWEEP_TTFT_P90_S, authors_runs, sweep
from baselines.reproduction.as_written import HARDWARE
from baselines.reproduction.lab import HOUR_S, MODEL, STRATEGIES, Lab, Run
from baselines.reproduction.waterfall import steps
from sageserve_env.evaluation.runs.figures import COLOURS, mark_time, total
from sageserve_env.evaluation.runs.figures import steps as draw_steps
from sageserve_env.pictures import new_figure, save_figure

STRATEGY_COLOURS = {"siloed": "#999999", "reactive": "#000000", "lt-i": "#E69F00", "lt-u": "#0072B2", "lt-ua": "#009E73"}
DPI = 120


@dataclass(frozen=True)
class Figure:
    """A picture in the report's folder."""

    file: str
    caption: str


def draw_figures(lab: Lab, experiments: Sequence[str], folder: Path) -> list[Figure]:
    """Draw what the experiments that were run have to show.

    Raises:
        InputError: matplotlib is not installed.
    """
    made = []
    for needed, file, caption, size, draw in FIGURES:
        if needed in experiments:
            picture = new_figure(folder / file, size)
            draw(picture, lab)
            save_figure(picture, folder / file, DPI)
            made.append(Figure(file, caption))
    return made


def finish(axis: Any, columns: int = 5) -> None:
    """Grid and legend."""
    axis.grid(True, lw=0.4, color="0.88")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)


def grouped(axis: Any, labels: Sequence[str], bars: dict[str, tuple[Sequence[float], dict[str, Any]]], ylabel: str) -> None:
    """Groups of bars with their heights written above."""
    width, at = 0.8 / len(bars), np.arange(len(labels))
    for index, (name, (heights, style)) in enumerate(bars.items()):
        places = at + (index - (len(bars) - 1) / 2) * width
        axis.bar(places, heights, width, label=name, **style)
        for place, height in zip(places, heights, strict=True):
            axis.text(place, height, f"{height:.0f}", ha="center", va="bottom", fontsize=8)
    axis.set_xticks(at, labels)
    axis.set(ylabel=ylabel)
    finish(axis, columns=len(bars))


def draw_measures(picture: Any, lab: Lab) -> None:
    """Instance-hours of the authors' runs: printed, ours by their measure, and ours as they are paid for."""
    runs = authors_runs(lab)
    bars: dict[str, tuple[Sequence[float], dict[str, Any]]] = {
        "printed": ([HOURS[name] for name in runs], {"color": "white", "edgecolor": "0.3", "hatch": "//"}),
        "ours, 15-minute peaks (as printed)": ([run.peak_h() for run in runs.values()], {"color": "0.6"}),
        "ours, mean (what is paid for)": ([run.mean_h() for run in runs.values()], {"color": "#009E73"}),
    }
    grouped(picture.subplots(), list(runs), bars, "instance-hours, Llama-2-70B, Tuesday")


def draw_instances(picture: Any, lab: Lab) -> None:
    """Active instances of Llama-2-70B over the authors' day: mean of each 5 minutes."""
    axis = picture.subplots()
    runs = authors_runs(lab)
    for name, run in runs.items():
        hours = np.append(0.0, run.result.series["time_s"] / HOUR_S)
        draw_steps(axis, hours, total(run.result, "active", model=MODEL), color=STRATEGY_COLOURS[name], label=name, lw=1.4)
    first = runs["reactive"].result
    mark_time(axis, first.horizon_s / HOUR_S, first.week_start_s)
    axis.set(ylabel="active instances, Llama-2-70B", ylim=(0, None))
    finish(axis)


def draw_thresholds(picture: Any, lab: Lab) -> None:
    """LT-UA's threshold: hours by the authors' measure and latency, theirs and ours."""
    factors = lab.setting.sweep(OUT_FACTORS)
    runs = [sweep(lab, factor) for factor in factors]
    ours = ([run.peak_h() for run in runs], [run.ttft(0.9) for run in runs])
    axes = picture.subplots(1, 2)
    labels = ("instance-hours, 15-minute peaks", "interactive TTFT P90, s")
    for axis, mine, theirs, label in zip(axes, ours, (SWEEP_HOURS, SWEEP_TTFT_P90_S), labels, strict=True):
        axis.plot(OUT_FACTORS, theirs, "s--", color="0.4", label="printed")
        axis.plot(factors, mine, "o-", color=STRATEGY_COLOURS["lt-ua"], label="ours")
        axis.set(xlabel="LT-UA threshold", ylabel=label, ylim=(0, None))
        finish(axis)


def draw_waterfall(picture: Any, lab: Lab) -> None:
    """Hours by both measures from the authors' rules to the paper's."""
    labels, runs = zip(*steps(lab), strict=True)
    axes = picture.subplots(1, 2, sharey=True)
    places = np.arange(len(labels))
    for axis, hours, title in zip(axes, (Run.peak_h, Run.mean_h), ("15-minute peaks", "mean: what is paid for"), strict=True):
        for name in STRATEGIES:
            axis.plot([hours(made[name]) for made in runs], places, "o-", color=STRATEGY_COLOURS[name], label=name, ms=4)
        axis.set(xlabel=f"instance-hours, {title}", xlim=(0, None))
        finish(axis)
    axes[0].set_yticks(places, labels)
    axes[0].invert_yaxis()


def draw_written(picture: Any, lab: Lab) -> None:
    """Hours by both measures under the paper's rules."""
    axes = picture.subplots(1, 2, sharey=True)
    for axis, (hardware, world) in zip(axes, HARDWARE.items(), strict=True):
        runs = {name: lab.run(name, world=world) for name in STRATEGIES}
        bars: dict[str, tuple[Sequence[float], dict[str, Any]]] = {
            "15-minute peaks": ([run.peak_h() for run in runs.values()], {"color": "0.6"}),
            "mean: what is paid for": ([run.mean_h() for run in runs.values()], {"color": "#009E73"}),
        }
        grouped(axis, list(runs), bars, f"instance-hours, Llama-2-70B, {hardware.upper()}")


def draw_money(picture: Any, lab: Lab) -> None:
    """Dollars a month by model."""
    axis = picture.subplots()
    runs = {"siloed": lab.run("reactive", world="siloed"), **{name: lab.run(name) for name in STRATEGIES}}
    bottom = np.zeros(len(runs))
    for index, model in enumerate(runs["reactive"].result.world.models):
        months = np.array([run.dollars_a_month(model.name) for run in runs.values()])
        axis.bar(np.arange(len(runs)), months / 1e6, 0.6, bottom=bottom / 1e6, color=COLOURS[index], label=model.name)
        bottom += months
    for place, height in enumerate(bottom / 1e6):
        axis.text(place, height, f"{height:.2f}", ha="center", va="bottom")
    axis.set_xticks(np.arange(len(runs)), [*runs])
    axis.set(ylabel="million dollars in 30 days like the Tuesday", ylim=(0, 1.1 * bottom.max() / 1e6))
    finish(axis, columns=4)


FIGURES: tuple[tuple[str, str, str, tuple[float, float], Callable[[Any, Lab], None]], ...] = (
    ("measured", "measures.png", "As measured: instance-hours of Llama-2-70B by both measures", (9, 4), draw_measures),
    ("measured", "instances.png", "As measured: active instances of Llama-2-70B", (10, 4), draw_instances),
    ("measured-thresholds", "thresholds.png", "As measured: LT-UA's threshold", (9, 3.6), draw_thresholds),
    ("waterfall", "waterfall.png", "From the authors' rules to the paper's, one at a time", (11, 4.5), draw_waterfall),
    ("written", "written.png", "As written: instance-hours by both measures", (10, 4), draw_written),
    ("money", "money.png", "As written: dollars in 30 days like the Tuesday, on H100", (8, 4), draw_money),
)
"""The experiment that a figure needs, its file, caption, size in inches, and what draws it."""
