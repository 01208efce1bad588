"""Figures like the paper's, from the runs of the experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.reproduction.experiments import LOADS, MATCHED_LOAD, OUT_FACTORS, PAPER_DAY1_WASTE_H, PAPER_SWEEP, threshold
from baselines.reproduction.lab import FIRST_DAY, HOUR_S, MODEL, PEAK_DAY, SHARES, STRATEGIES, Lab, Run
from sageserve_env.evaluation.figures import COLOURS, endpoints, mark_time, steps, total
from sageserve_env.pictures import new_figure, save_figure
from sageserve_env.sim.measure import ratio

STRATEGY_COLOURS = {"siloed": "#999999", "reactive": "#000000", "lt-i": "#E69F00", "lt-u": "#0072B2", "lt-ua": "#009E73"}
STRATEGY_WIDTHS = {"reactive": 1.2, "lt-i": 4.0, "lt-u": 2.6, "lt-ua": 1.2}
"""Where strategies fare alike, the thinner line shows on the thicker."""

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


def days(lab: Lab, workload: str = PEAK_DAY) -> dict[str, Run]:
    """The strategies' runs of a day, by name."""
    return {name: lab.run(name, workload=workload) for name in STRATEGIES}


def over_time(picture: Any, runs: dict[str, Run], ylabel: str, values: Callable[[Run], Any]) -> Any:
    """Axes with one line over time for each strategy."""
    axis = picture.subplots()
    for name, run in runs.items():
        hours = np.append(0.0, run.result.series["time_s"] / HOUR_S)
        steps(axis, hours, values(run), color=STRATEGY_COLOURS[name], label=name, lw=STRATEGY_WIDTHS[name])
    first = next(iter(runs.values())).result
    mark_time(axis, first.horizon_s / HOUR_S, first.week_start_s)
    axis.set(ylabel=ylabel, ylim=(0, None))
    finish(axis)
    return axis


def finish(axis: Any) -> None:
    """Grid and legend."""
    axis.grid(True, lw=0.4, color="0.88")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, ncols=5, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)


def started(run: Run) -> NDArray[np.float64]:
    """Instances of Llama-2-70B, provisioning ones included, shape (samples,)."""
    return total(run.result, "active", model=MODEL) + total(run.result, "provisioning", model=MODEL)


def draw_instances(picture: Any, lab: Lab) -> None:
    """Instances of Llama-2-70B, provisioning ones included, all regions; traffic behind them."""
    runs = days(lab)
    axis = over_time(
        picture, runs, "instances", lambda run: sum(total(run.result, k, model=MODEL) for k in ("active", "provisioning"))
    )
    result = runs["reactive"].result
    hours = np.append(0.0, result.series["time_s"] / HOUR_S)
    tokens = np.sum([result.series[f"prompt_tokens_per_s/{MODEL}/{tier.name}"] for tier in result.world.tiers], axis=0) / 1e3
    right = axis.twinx()
    right.fill_between(hours, np.append(tokens[:1], tokens), step="pre", color="0.9", lw=0)
    right.set(ylabel="prompt, 1000 tokens/s (grey)", ylim=(0, None))
    right.spines["top"].set_visible(False)
    axis.set_zorder(right.get_zorder() + 1)
    axis.patch.set_visible(False)
    settled = [total(run.result, "active", model=MODEL)[run.result.series["time_s"] > HOUR_S] for run in runs.values()]
    highest = max((float(part.max()) for part in settled if part.size), default=0.0)
    if highest > 0:
        axis.set_ylim(0, 1.3 * highest)


def draw_utilization(picture: Any, lab: Lab) -> None:
    """Memory utilization of Llama-2-70B."""

    def mean(run: Run) -> Any:
        active, share = endpoints(run.result, "active", MODEL), endpoints(run.result, "utilization", MODEL)
        return 100 * ratio(np.nansum(active * share, axis=0), active.sum(axis=0))

    axis = over_time(picture, days(lab), "memory utilization, %", mean)
    axis.set_ylim(0, 100)


def draw_instance_hours(picture: Any, lab: Lab) -> None:
    """Instance-hours by model and region."""
    runs = days(lab)
    rows = {name: run.result.metrics.fleet_by("model-region-vm_type") for name, run in runs.items()}
    places = [(row.model, row.region) for row in rows["reactive"]]
    values = {name: [row.active_h + row.provisioning_h + row.draining_h for row in rows[name]] for name in runs}
    grouped_bars(picture.subplots(), values, [f"{model}\n{region}" for model, region in places], "instance-hours")


def grouped_bars(axis: Any, values: dict[str, Any], labels: Sequence[str], ylabel: str) -> None:
    """One group for each label, one bar in it for each strategy."""
    width = 0.8 / len(values)
    at = np.arange(len(labels))
    for index, (name, heights) in enumerate(values.items()):
        axis.bar(at + (index - (len(values) - 1) / 2) * width, heights, width, color=STRATEGY_COLOURS[name], label=name)
    axis.set_xticks(at, labels, fontsize=8)
    axis.set(ylabel=ylabel)
    finish(axis)


def draw_latency(picture: Any, lab: Lab) -> None:
    """Distribution of Llama-2-70B's interactive TTFT: the share of requests that waited longer."""
    axes = picture.subplots(1, 2, sharey=True)
    for axis, workload, title in zip(axes, (PEAK_DAY, FIRST_DAY), ("peak day", "first day"), strict=True):
        for name, run in days(lab, workload).items():
            axis.plot(run.ttft_s[MODEL], 100 * (1 - SHARES), color=STRATEGY_COLOURS[name], label=name, lw=STRATEGY_WIDTHS[name])
        for level in (1.0, 60.0):
            axis.axvline(level, color="0.4", lw=0.8, ls=":")
        axis.set(xscale="log", yscale="log", ylim=(0.1, 100), xlabel=f"TTFT, s ({title})")
        finish(axis)
    axes[0].set_ylabel("interactive requests that waited longer, %")


def draw_waste(picture: Any, lab: Lab) -> None:
    """VM-hours in provisioning by model at the load nearest the paper's, its Llama-2-70B beside ours."""
    axis = picture.subplots()
    runs = {name: lab.run(name, load=MATCHED_LOAD) for name in STRATEGIES}
    labels = [*runs]
    bottom = np.zeros(len(labels))
    for index, model in enumerate(next(iter(runs.values())).result.world.models):
        heights = np.array([run.fleet(model.name).provisioning_h for run in runs.values()])
        axis.bar(np.arange(len(labels)) - 0.2, heights, 0.38, bottom=bottom, color=COLOURS[index], label=model.name)
        bottom += heights
    paper = [PAPER_DAY1_WASTE_H[name] for name in labels]
    axis.bar(np.arange(len(labels)) + 0.2, paper, 0.38, color="white", edgecolor=COLOURS[0], hatch="//", label=f"paper, {MODEL}")
    axis.set_xticks(np.arange(len(labels)), labels)
    axis.set(ylabel="VM-hours provisioning", ylim=(0, 1.1 * max(*bottom, *paper)))
    finish(axis)
    axis.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)


def draw_money(picture: Any, lab: Lab) -> None:
    """Dollars a month by model."""
    axis = picture.subplots()
    runs = {"siloed": lab.run("reactive", world="siloed"), **days(lab)}
    bottom = np.zeros(len(runs))
    for index, model in enumerate(runs["reactive"].result.world.models):
        months = np.array(
            [run.dollars_a_month() / run.fleet("all").dollars * run.fleet(model.name).dollars for run in runs.values()]
        )
        axis.bar(np.arange(len(runs)), months / 1e6, 0.6, bottom=bottom / 1e6, color=COLOURS[index], label=model.name)
        bottom += months
    for place, height in enumerate(bottom / 1e6):
        axis.text(place, height, f"{height:.2f}", ha="center", va="bottom")
    axis.set_xticks(np.arange(len(runs)), [*runs])
    axis.set(ylabel="million dollars in 30 days like the peak day", ylim=(0, 1.1 * bottom.max() / 1e6))
    finish(axis)
    axis.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)


def draw_thresholds(picture: Any, lab: Lab) -> None:
    """LT-UA's threshold against instance-hours and TTFT P90, ours and the paper's ends."""
    factors = lab.setting.sweep(OUT_FACTORS)
    runs = [threshold(lab, factor) for factor in factors]
    axes = picture.subplots(1, 2)
    ours = ([run.instance_h() for run in runs], [run.ttft(0.90) for run in runs])
    for place, (axis, label) in enumerate(zip(axes, ("instance-hours", "interactive TTFT P90, s"), strict=True)):
        axis.plot(factors, ours[place], "o-", color=STRATEGY_COLOURS["lt-ua"], label="ours")
        axis.plot([*PAPER_SWEEP], [pair[place] for pair in PAPER_SWEEP.values()], "s", color="0.4", label="paper", ls="none")
        axis.margins(y=0.1)  # the paper's marks may be the highest
        axis.set(xlabel="LT-UA threshold (out_factor)", ylabel=label, ylim=(0, None))
        finish(axis)


def draw_loads(picture: Any, lab: Lab) -> None:
    """Instance-hours of the strategies against load."""
    axis = picture.subplots()
    loads = lab.setting.sweep(LOADS)
    for name in STRATEGIES:
        axis.plot(
            loads,
            [lab.run(name, load=load).instance_h() for load in loads],
            "o-",
            color=STRATEGY_COLOURS[name],
            label=name,
            lw=STRATEGY_WIDTHS[name],
        )
    axis.set(xlabel="load, multiples of the published volume", ylabel="instance-hours, Llama-2-70B, peak day", ylim=(0, None))
    finish(axis)


FIGURES: tuple[tuple[str, str, str, tuple[float, float], Callable[[Any, Lab], None]], ...] = (
    (
        "strategies",
        "instances.png",
        "Instances of Llama-2-70B on its peak day, over its traffic",
        (10, 4),
        draw_instances,
    ),
    ("strategies", "utilization.png", "Memory utilization of Llama-2-70B on its peak day", (10, 4), draw_utilization),
    ("strategies", "instance_hours.png", "Instance-hours by model and region on the peak day", (12, 4), draw_instance_hours),
    ("strategies", "latency.png", "Interactive TTFT of Llama-2-70B; dotted: 1 s and 60 s", (10, 4.2), draw_latency),
    (
        "strategies",
        "waste.png",
        "VM-hours in provisioning on the first day, and the paper's",
        (8, 4),
        draw_waste,
    ),
    ("load", "loads.png", "Instance-hours of Llama-2-70B on its peak day against load", (7, 4), draw_loads),
    (
        "thresholds",
        "thresholds.png",
        "LT-UA's threshold, Llama-2-70B on the peak day",
        (9, 3.6),
        draw_thresholds,
    ),
    ("money", "money.png", "Dollars in 30 days like the peak day, by strategy and model", (8, 4), draw_money),
)
"""The experiment that a figure needs, its file, caption, size in inches, and what draws it."""
