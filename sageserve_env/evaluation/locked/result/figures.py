"""Evaluations of one problem in pictures: days, the profile of the scores, and cost against service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.evaluation.locked.result.record import Evaluation
from sageserve_env.evaluation.problems.episodes import LEVELS
from sageserve_env.evaluation.runs.figures import COLOURS
from sageserve_env.evaluation.statistics import performance_profile
from sageserve_env.files.writing import require_writable
from sageserve_env.pictures import label, new_figure, save_figure
from sageserve_env.world.schema import TIERS

NAMES = ("days.png", "profile.png", "service.png")
MARKERS = "osD^vPX*"
LINE = {"color": "0.35", "lw": 1.0, "ls": (0, (4, 2))}
THRESHOLDS = 401


def require_figures(folder: Path) -> None:
    """Refuse, before anything is played, pictures that could not be drawn or written.

    Raises:
        MissingExtra: matplotlib is not installed.
        InputError: The folder cannot be written.
    """
    new_figure(folder / NAMES[0], (1.0, 1.0))
    require_writable(folder)


def draw_evaluations(evaluations: Sequence[Evaluation], folder: Path) -> list[Path]:
    """Draw evaluations of one problem, by episodes that did not fail; gives the paths of the pictures in ``folder``.

    Raises:
        MissingExtra: matplotlib is not installed.
        InputError: They cannot be written.
    """
    shown = [each for each in evaluations if "days" in each.summary]
    if not shown:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"days.png": (9.0, 4.6), "profile.png": (6.4, 4.4), "service.png": (11.0, 4.4)}
    drawn = []
    for name, draw in zip(NAMES, (draw_days, draw_profile, draw_service), strict=True):
        figure = new_figure(folder / name, sizes[name])
        draw(figure, shown)
        head = shown[0].head
        whose = f": {shown[0].given}" if len(shown) == 1 else ""
        figure.suptitle(label(f"{head['env']}, protocol {head['protocol']}{whose}"))
        if len(shown) > 1:
            handles = figure.axes[0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside lower center", ncols=min(len(shown), 3), frameon=False)
        drawn.append(save_figure(figure, folder / name))
    return drawn


def draw_days(figure: Any, evaluations: Sequence[Evaluation]) -> None:
    """Mean dollars of each day with intervals; beside it, where there are anchors, the score of each episode that has them."""
    has_scores = any(row.normalised is not None for each in evaluations for row in each.rows)
    axes = figure.subplots(1, 1 + has_scores, squeeze=False)[0]
    days = list(dict.fromkeys(day["day"] for each in evaluations for day in each.summary["days"]))
    for number, each in enumerate(evaluations):
        style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)], "ls": "none"}
        shift = (number - (len(evaluations) - 1) / 2) * 0.5 / len(evaluations)
        found = each.summary["days"]
        at = [days.index(day["day"]) + shift for day in found]
        usd, ends = np.array([day["usd"] for day in found]), np.array([day["usd_interval"] for day in found])
        axes[0].errorbar(at, usd, np.abs(ends.T - usd), capsize=3, label=label(each.given), **style)
        if has_scores:
            scored = [(days.index(str(row.episode["day"])) + shift, row.normalised) for row in each.rows if row.failure is None]
            known = [pair for pair in scored if pair[1] is not None]
            axes[1].plot([pair[0] for pair in known], [pair[1] for pair in known], label=label(each.given), **style)
    axes[0].set(ylabel="dollars of an episode: mean, 95 % interval", ylim=(0, None))
    if has_scores:
        axes[1].set(ylabel="score: 0 tuned reactive, 1 hindsight")
        for level in (0.0, 1.0):
            axes[1].axhline(level, **LINE)
    for axis in axes:
        axis.set_xticks(range(len(days)), [label(day) for day in days], rotation=30, ha="right")
        axis.set_xlim(-0.6, len(days) - 0.4)
        tidy(axis)


def draw_profile(figure: Any, evaluations: Sequence[Evaluation]) -> None:
    """Share of the episodes with a score above each threshold; where no episode has anchors, with dollars below each amount."""
    axis = figure.subplots()
    scores = [[row.normalised for row in each.rows if row.failure is None and row.normalised is not None] for each in evaluations]
    is_scored = all(scores)
    if not is_scored:
        scores = [[-row.score.usd for row in each.rows if row.failure is None] for each in evaluations]
    low, high = min(map(min, scores)), max(map(max, scores))
    if is_scored:
        low, high = min(low, 0.0), max(high, 1.0)
    room = 0.05 * (high - low) or 1.0
    thresholds = np.linspace(low - room, high + room, THRESHOLDS)
    for number, (each, values) in enumerate(zip(evaluations, scores, strict=True)):
        profile = 100 * performance_profile(values, thresholds)
        colour = COLOURS[number % len(COLOURS)]
        axis.step(thresholds if is_scored else -thresholds, profile, where="post", color=colour, lw=2, label=label(each.given))
    axis.set(ylabel=f"episodes {'above a score' if is_scored else 'below so many dollars'}, %", ylim=(-2, 102))
    axis.set_xlabel("score: 0 tuned reactive, 1 hindsight" if is_scored else "dollars of an episode")
    for level in (0.0, 1.0) if is_scored else ():
        axis.axvline(level, **LINE)
    tidy(axis)


def draw_service(figure: Any, evaluations: Sequence[Evaluation]) -> None:
    """Dollars of each episode against the share served in time, a panel for each tier; hollow where a level was missed."""
    axes = figure.subplots(1, len(TIERS), sharey=True)
    axes[0].set(ylabel="dollars of an episode")
    for axis, tier, level in zip(axes, TIERS, LEVELS, strict=True):
        for number, each in enumerate(evaluations):
            colour = COLOURS[number % len(COLOURS)]
            scores = [row.score for row in each.rows if row.failure is None]
            axis.scatter(
                [100 * score.attainment[tier] for score in scores],
                [score.usd for score in scores],
                marker=MARKERS[number % len(MARKERS)],
                edgecolors=colour,
                facecolors=[colour if score.is_feasible else "none" for score in scores],
                label=label(each.given),
            )
        axis.axvline(100 * level, **LINE)
        axis.annotate(f"level {100 * level:g} %", (100 * level, 1.0), (-3, -4), ("data", "axes fraction"), "offset points",
                      ha="right", va="top", rotation=90, color="0.35")  # fmt: skip
        least = min(row.score.attainment[tier] for each in evaluations for row in each.rows if row.failure is None)
        left = 100 * min(least, 2 * level - 1)  # the level is no further left than the middle
        axis.set(xlabel=f"{tier} in time, %", xlim=(left - 0.06 * (100 - left), 100 + 0.06 * (100 - left)))
        tidy(axis)
    axes[0].set_ylim(0, None)
    axes[1].set_title("each mark an episode; hollow: it missed a level", fontsize="medium")


def tidy(axis: Any) -> None:
    """Thin grid behind, no box; thousands of dollars with commas."""
    from matplotlib.ticker import StrMethodFormatter

    if "dollars" in axis.get_ylabel():
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.grid(True, lw=0.4, color="0.88")
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
