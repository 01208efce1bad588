"""A run in one picture: traffic, instances, utilization, service and money over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.evaluation.runs.report import number
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.pictures import label, new_figure, save_figure
from sageserve_env.sim.readout.measure import ratio

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#999999")
"""One for each model; the Okabe-Ito palette, distinct to colour-blind readers. More models reuse them in order."""

TIER_COLOURS = ("#D55E00", "#0072B2", "#7F7F7F")
TTFT_WIDTHS = (1.0, 2.4, 0.9)
"""Where two tiers fare alike, the thinner line shows on the thicker."""

HOUR_S = 3600.0
DAY_H = 24.0
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TIME_STEPS_H = (1 / 60, 1 / 12, 1 / 6, 0.25, 0.5, 1, 2, 3, 6, 12, 24)
MOST_TICKS = 14
SETTLED_H = 0.25
"""A fleet that starts too large has mostly shrunk by then."""
DASHED = {"color": "0.2", "lw": 1.0, "ls": (0, (4, 1.5))}
DOTTED = (0, (1, 1.5))


def plot_day(result: Result, path: str | Path) -> Path:
    """Draw a run of an hour to a week or more: five panels over one time axis.

    Args:
        result: The run.
        path: Picture file; its suffix gives the format (``.png``, ``.svg``, ``.pdf``).

    Returns:
        The path.

    Raises:
        InputError: matplotlib is not installed, or it does not know the suffix.
    """
    path = Path(path)
    figure = new_figure(path, (11.0, 13.0))
    axes = figure.subplots(5, 1, sharex=True, height_ratios=(1.0, 1.35, 1.0, 1.0, 0.8))
    hours = np.append(0.0, result.series["time_s"] / HOUR_S)
    for axis, draw in zip(axes, (draw_traffic, draw_instances, draw_utilization, draw_ttft, draw_money), strict=True):
        draw(axis, hours, result)
        axis.grid(True, lw=0.4, color="0.88")
        axis.set_axisbelow(True)
        axis.spines["top"].set_visible(False)
        axis.legend(loc="upper left", bbox_to_anchor=(1.08, 1.0), frameon=False, borderaxespad=0.0)
    mark_time(axes[-1], float(hours[-1]), result.week_start_s)
    figure.suptitle("\n".join(map(label, headline(result).splitlines())))
    figure.align_ylabels(axes)
    return save_figure(figure, path)


def draw_traffic(axis: Any, hours: NDArray[Any], result: Result) -> None:
    """Arrivals: requests/s by tier, and prompt tokens/s of all on the right."""
    for tier, colour in zip(result.world.tiers, TIER_COLOURS, strict=True):
        steps(axis, hours, total(result, "requests_per_s", last=tier.name), color=colour, label=tier.name)
    axis.set(ylabel="arrivals, requests/s", ylim=(0, None))
    right = axis.twinx()
    tokens = total(result, "prompt_tokens_per_s") / 1e3
    steps(right, hours, tokens, **DASHED)
    right.set(ylabel="prompt, 1000 tokens/s", ylim=(0, None))
    right.spines["top"].set_visible(False)
    axis.plot([], [], **DASHED, label="tokens (right)")


def draw_instances(axis: Any, hours: NDArray[Any], result: Result) -> None:
    """Instances stacked by model; on top of them, those that serve nobody yet or nobody new."""
    models = [model.name for model in result.world.models]
    bands = [total(result, "active", model=name) for name in models]
    bands += [total(result, "provisioning"), total(result, "draining")]
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(models))]
    bands = [from_start(band) for band in bands]
    labels, colours = [*map(label, models), "provisioning", "draining"], [*colours, "#333333", "#BBBBBB"]
    axis.stackplot(hours, *bands, labels=labels, colors=colours, step="pre", lw=0)
    axis.set(ylabel="instances")
    scale_to_settled(axis, hours, np.sum(bands, axis=0)[1:])


def draw_utilization(axis: Any, hours: NDArray[Any], result: Result) -> None:
    """Effective memory utilization by model, the mean over its endpoints weighted by their active instances."""
    for index, model in enumerate(result.world.models):
        active, share = endpoints(result, "active", model.name), endpoints(result, "utilization", model.name)
        mean = 100 * ratio(np.nansum(active * share, axis=0), active.sum(axis=0))
        steps(axis, hours, mean, color=COLOURS[index % len(COLOURS)], label=label(model.name))
    scaling = result.world.scaling
    for level, name in ((scaling.scale_out_utilization, "scale out / in"), (scaling.scale_in_utilization, None)):
        axis.axhline(100 * level, color="0.4", lw=0.8, ls=DOTTED, label=name)
    axis.set(ylabel="memory utilization, %", ylim=(0, 100))


def draw_ttft(axis: Any, hours: NDArray[Any], result: Result) -> None:
    """TTFT P95 by tier, and the levels of the interactive tiers."""
    from matplotlib.ticker import StrMethodFormatter

    for index, tier in enumerate(result.world.tiers):
        style = {"color": TIER_COLOURS[index], "lw": TTFT_WIDTHS[index], "zorder": 3 - 0.1 * index}
        steps(axis, hours, result.series[f"ttft_p95_s/{tier.name}"], label=tier.name, **style)
    for tier, colour in zip(result.world.tiers[:2], TIER_COLOURS, strict=False):
        axis.axhline(tier.slo_s, color=colour, lw=1.2, ls=DOTTED, label=f"{tier.name} level, {tier.slo_s:g} s")
    axis.set(ylabel="TTFT P95, s", yscale="log")
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def draw_money(axis: Any, hours: NDArray[Any], result: Result) -> None:
    """Dollars per hour, and what has been spent so far on the right."""
    rate, interval_h = result.series["dollars_per_h"], result.series["interval_s"] / HOUR_S
    steps(axis, hours, rate / 1e3, color="#009E73", label="rate")
    axis.set(ylabel="1000 dollars/h")
    scale_to_settled(axis, hours, rate / 1e3)
    right = axis.twinx()
    right.plot(hours, np.append(0.0, np.cumsum(rate * interval_h)) / 1e3, **DASHED)
    right.set(ylabel="spent, 1000 dollars", ylim=(0, None))
    right.spines["top"].set_visible(False)
    axis.plot([], [], **DASHED, label="spent (right)")


def steps(axis: Any, hours: NDArray[Any], values: NDArray[np.float64], **style: Any) -> None:
    """A line of one level for each interval; ``hours`` are the intervals' edges."""
    axis.step(hours, from_start(values), where="pre", **style)


def from_start(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of intervals as values at their edges, each interval's at its end, the first one's at its start too."""
    return np.append(values[:1], values)


def scale_to_settled(axis: Any, hours: NDArray[Any], values: NDArray[np.float64]) -> None:
    """Start an axis at 0, and let it not be spoilt by a fleet that starts far too large: the peak is then written beside it."""
    settled = values[hours[1:] > SETTLED_H]
    peak = float(values.max())
    if len(settled) > 0 and peak > 1.5 * settled.max() > 0:
        axis.set_ylim(0, 1.2 * settled.max())
        axis.text(0.008, 0.95, f"← {peak:,.4g} in the first minutes", transform=axis.transAxes, va="top")
    else:
        axis.set_ylim(0, 1.05 * peak if peak > 0 else 1.0)


def headline(result: Result) -> str:
    """What ran, and what it came to."""
    fleet, fast = result.metrics.fleet_total, result.metrics.service_by("tier")[0]
    hours = fleet.active_h + fleet.provisioning_h + fleet.draining_h
    return (
        f"{result.scenario}: policy {result.policy}, world {result.world.name}, seed {result.seed}\n"
        f"{number(result.metrics.total.arrived)} requests; {number(hours, 1)} instance-hours, {number(fleet.provisioning_h, 1)} of "
        f"them provisioning; {number(fleet.dollars)} dollars; {fast.tier} within its level {number(100 * fast.slo_attainment, 1)} %"
    )


def mark_time(axis: Any, end_h: float, week_start_s: float | None) -> None:
    """The time axis: hours from the start, or weekday and time of day where the workload knows them."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    step_h = next((step for step in TIME_STEPS_H if end_h / step <= MOST_TICKS), DAY_H * np.ceil(end_h / DAY_H / MOST_TICKS))
    offset_h = 0.0 if week_start_s is None else week_start_s / HOUR_S
    axis.xaxis.set_major_locator(MultipleLocator(step_h, offset=-(offset_h % step_h)))
    axis.set(xlim=(0, end_h), xlabel="hours from the start")
    if week_start_s is not None:
        axis.xaxis.set_major_formatter(FuncFormatter(lambda hour, _: clock_time(hour + offset_h)))
        axis.set_xlabel("time of the workload's week")


def clock_time(week_h: float) -> str:
    r"""Hours from Monday 00:00 as weekday and time of day.

    Example:
        >>> clock_time(30.5)
        'Tue\n06:30'
    """
    minutes = round(week_h * 60)
    return f"{WEEKDAYS[minutes // 1440 % 7]}\n{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def endpoints(result: Result, kind: str, model: str) -> NDArray[np.float64]:
    """A quantity of every endpoint of a model, shape (endpoints, samples)."""
    names = [f"{kind}/{region.name}/{model}/{pool.name}" for region in result.world.regions for pool in result.world.pools]
    return np.array([result.series[name] for name in names], dtype=np.float64)


def total(result: Result, kind: str, *, model: str | None = None, last: str | None = None) -> NDArray[np.float64]:
    """The sum of the columns of a kind, of one model, or of those that end in a name; shape (samples,)."""
    if model is not None:
        return endpoints(result, kind, model).sum(axis=0)
    ending = "" if last is None else f"/{last}"
    columns = [column for name, column in result.series.items() if name.startswith(f"{kind}/") and name.endswith(ending)]
    return np.sum(np.array(columns, dtype=np.float64), axis=0)
