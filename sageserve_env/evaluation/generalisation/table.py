"""The table: each policy under each condition, in dollars and beside a policy that is tuned there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sageserve_env
from sageserve_env.env import FleetEnv
from sageserve_env.env.fleets import Fleets
from sageserve_env.errors import InputError
from sageserve_env.evaluation.generalisation.conditions import Condition
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.evaluate import introduced
from sageserve_env.evaluation.locked.play.episode import Row, play_locked
from sageserve_env.evaluation.locked.protocol import LIMITS, PROTOCOL
from sageserve_env.evaluation.policy import hushed, is_tuned, load_policy
from sageserve_env.evaluation.problems.card import TUNED_ON
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, EpisodeScore, play_policy
from sageserve_env.files.writing import write_rows

HERE = "reactive, tuned there"
"""What the reference is called in the table."""

REFERENCE = "reactive"
"""The policy that others are set beside: tuned for the condition's problem where its package ships that, else as it is."""

Report = Callable[[], None]
"""Called after every episode."""


@dataclass(frozen=True)
class Cell:
    """A policy under a condition.

    Attributes:
        policy: As it was given.
        condition: As text.
        reference: What it is set beside.
        episodes: How many were played.
        held: In how many every tier held its level.
        usd: Mean dollars of an episode; None where it failed.
        relative: Those over the reference's in the same episodes; None where it failed.
        failure: Why it could not be played, or None: a policy for other shapes of observations, for example.
    """

    policy: str
    condition: str
    reference: str
    episodes: int
    held: int
    usd: float | None
    relative: float | None
    failure: str | None = None


def generalise(
    entrants: Sequence[Entrant], conditions: Sequence[Condition], days: int | None, report: Report = lambda: None
) -> list[Cell]:
    """Play policies under conditions, each in a process of its own, as evaluations do.

    Args:
        entrants: Who.
        conditions: Where.
        days: Only the first so many days of each condition; None: all.
        report: Told of every episode.

    Returns:
        A cell for each policy under each condition, by condition; the reference's first.

    Raises:
        InputError: A policy cannot be loaded, or the reference is not installed.
    """
    known = [introduced(entrant, LIMITS, is_bound=False) for entrant in entrants]
    cells = []
    for condition in conditions:
        problem = condition.load()
        episodes = condition.episodes(problem, days)
        env = FleetEnv(problem=problem, split=condition.split)
        scores = []
        for episode in episodes:
            scores.append(reference_score(env, condition, episode))
            report()
        usd = float(np.mean([score.usd for score in scores]))
        held = sum(score.is_feasible for score in scores)
        cells.append(Cell(HERE, str(condition), reference_of(condition), len(scores), held, usd, 1.0))
        for entrant, says in zip(entrants, known, strict=True):
            cells.append(played(entrant, says, condition, episodes, usd, report))
    return cells


def played(
    entrant: Entrant, known: Described, condition: Condition, episodes: list[dict[str, Any]], reference_usd: float, report: Report
) -> Cell:
    """The cell of one policy under one condition; it ends with the first episode that fails."""
    rows, where = list[Row](), (str(condition), reference_of(condition))
    try:
        fleets = Fleets(problem=condition.load(), split=condition.split, **known.view)
    except InputError as error:
        return Cell(entrant.text, *where, 0, 0, None, None, str(error))
    for episode in episodes:
        rows.append(play_locked(fleets, entrant, known, episode, LIMITS, is_bound=False))
        report()
        failure = rows[-1].failure
        if failure is not None:
            return Cell(entrant.text, *where, len(rows), 0, None, None, f"{failure.exception}: {failure.message}")
    usd, held = float(np.mean([row.score.usd for row in rows])), sum(row.score.is_feasible for row in rows)
    return Cell(entrant.text, *where, len(rows), held, usd, usd / reference_usd)


def reference_score(env: FleetEnv, condition: Condition, episode: dict[str, Any]) -> EpisodeScore:
    """What the reference makes of an episode."""
    with hushed():
        return play_policy(env, load_policy(REFERENCE, tuned=tuned_on(condition)), dict(episode), EPISODE_SEED)


def reference_of(condition: Condition) -> str:
    """The reference under a condition, as ``--policy`` names it."""
    tuned = tuned_on(condition)
    return REFERENCE if tuned is None else f"{REFERENCE}:tuned={tuned}"


def tuned_on(condition: Condition) -> str | None:
    """The problem that the reference is tuned on for a condition; None where its package ships nothing for it."""
    tuned = TUNED_ON.get(condition.problem, condition.problem)
    return tuned if is_tuned(REFERENCE, tuned) else None


def write_table(path: Path, cells: Sequence[Cell]) -> None:
    """Write cells as JSON, a line for each.

    Raises:
        InputError: They cannot be written.
    """
    head = {"package": sageserve_env.__version__, "protocol": PROTOCOL, "episode_seed": EPISODE_SEED, "reference": REFERENCE}
    write_rows(path, head, "cells", (asdict(cell) for cell in cells))
