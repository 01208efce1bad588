"""All experiments in order, and what they leave: ``results.json``, ``report.md``, ``report.html`` and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from baselines.reproduction.causes import cause_of
from baselines.reproduction.experiments import EXPERIMENTS, EXTRA
from baselines.reproduction.figures import FIGURES, draw_figures
from baselines.reproduction.lab import DAY_H, QUICK_HOURS, QUICK_SCALE, Lab, Setting
from baselines.reproduction.report import RESULTS, write_report
from baselines.reproduction.rows import Row
from sageserve_env.errors import InputError
from sageserve_env.files.writing import require_writable, whole_folder

Track = Callable[[Sequence[str]], Iterable[str]]
"""Passes names on one after another, and may show how far they are."""


def reproduce(
    out: str | Path,
    *,
    scale: float | None = None,
    hours: float | None = None,
    experiments: Sequence[str] = (),
    week: bool = False,
    quick: bool = False,
    forecaster: str | None = None,
    seed: int = 0,
    note: Callable[[str], None] = print,
    track: Track = iter,
) -> list[dict[str, Any]]:
    """Run the paper's experiments and write the report.

    Args:
        out: Folder, made where it does not exist; files of an earlier report are replaced once all of the new one is there.
        scale: Factor on all requests; None: 1, or ``QUICK_SCALE``.
        hours: Length of a run, 1 to 24, from the middle of the day; None: 24, or ``QUICK_HOURS``.
        experiments: Names in ``EXPERIMENTS`` and ``EXTRA``; none: all of the first.
        week: Run the whole week, too.
        quick: A check that all works: fewer points in each sweep, yesterday as the forecast, and less traffic.
        forecaster: Of the paper's long-term strategies, by name; None: their own.
        seed: Of workload and policies.
        note: Told about each run that begins.
        track: Passes the experiments on.

    Returns:
        The rows of ``results.json``.

    Raises:
        InputError: An argument is out of range, an experiment or policy is not known, or a package is missing.
    """
    chosen = chosen_experiments(experiments, week)
    scale = (QUICK_SCALE if quick else 1.0) if scale is None else scale
    hours = (QUICK_HOURS if quick else DAY_H) if hours is None else hours
    lab = Lab(Setting(scale, hours, quick, forecaster, seed), note)
    require_writable(out)
    rows = [completed(row, lab.setting) for name in track(chosen) for row in {**EXPERIMENTS, **EXTRA}[name].rows(lab)]
    with whole_folder(out, RESULTS, stale=[figure[1] for figure in FIGURES]) as fresh:
        write_report(rows, draw_figures(lab, chosen, fresh), lab.setting, fresh)
    return [row.plain() for row in rows]


def chosen_experiments(names: Sequence[str], week: bool) -> list[str]:
    """Names of the experiments to run, in the report's order.

    Raises:
        InputError: A name is not known.
    """
    known = [*EXPERIMENTS, *EXTRA]
    for name in names:
        if name not in known:
            raise InputError(f"--rows = '{name}' is not known; choose from {', '.join(known)}")
    wanted = set(names or EXPERIMENTS) | ({"week"} if week else set())
    return [name for name in known if name in wanted]


def completed(row: Row, setting: Setting) -> Row:
    """The row with its part and command, and with the cause of a disagreement."""
    command = f"sageserve reproduce --rows {row.experiment} {setting.arguments()}".strip()
    return replace(row, part={**EXPERIMENTS, **EXTRA}[row.experiment].part, command=command, cause=cause_of(row, setting))
