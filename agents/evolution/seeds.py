"""Several seeds of one evolution, one after the other, a folder each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agents.common.log import LOG, folder_of, read_log
from agents.evolution.evolve import Row, evolve
from agents.evolution.settings import Settings
from sageserve_env.errors import InputError
from sageserve_env.scenarios import load_problem

DAY_S = 86_400.0

Report = Callable[[int, float], None]
"""Called with generations done, of all seeds together, and simulated days a second."""


def evolve_seeds(
    problem: str,
    settings: Settings,
    seeds: Sequence[int],
    out: Path,
    *,
    command: str = "",
    resume: bool = False,
    report: Report = lambda generations, days_per_s: None,
) -> dict[int, list[Row]]:
    """Evolve each seed in a folder of its own, ``seed-N``.

    Args:
        problem: Name of a problem.
        settings: How.
        seeds: Different ones.
        out: Folder of the folders.
        command: That began it, for the cards.
        resume: Go on where each seed's log ends; those without one begin.
        report: Told of every generation.

    Returns:
        By seed, the validation scores of its means, with the steps and the cost of each.

    Raises:
        InputError: As of :func:`agents.evolution.evolve.evolve`, a folder is taken, or no seed has anything to resume.
    """
    folders = {seed: folder_of(out, seed) for seed in seeds}
    taken = [folder for folder in folders.values() if (folder / LOG).exists()]
    if taken and not resume:
        raise InputError(f"--out: '{taken[0]}' holds a training already; add --resume, or choose another folder")
    if resume and not taken:
        raise InputError(f"--resume: '{out}' has no log of these seeds; name the folder of an earlier training")
    interval_s = load_problem(problem).control_interval_s
    for number, (seed, folder) in enumerate(folders.items()):
        evolve(problem, settings, folder, seed, _adding(report, number * settings.generations, interval_s), command)
    return {seed: costs_of(read_log(folder / LOG)) for seed, folder in folders.items()}


def costs_of(rows: list[Row]) -> list[Row]:
    """Steps, cost and validation scores of the rows that have them."""
    return [{"steps": row["steps"], "cost": row["cost"], **row["validation"]} for row in rows if "cost" in row]


def _adding(report: Report, before: int, interval_s: float) -> Callable[[Row], None]:
    """A report of rows that counts the generations of the seeds before."""
    return lambda row: report(before + row["generation"] + 1, row["steps"] * interval_s / DAY_S / row["wall_s"])
