"""Generation by generation: ask, play, tell, log; and every few generations the means' average on the validation split."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.common.log import LOG, NOTHING, Clock, Log, curve_of
from agents.evolution.play import Outcomes, Player
from agents.evolution.search import search_for
from agents.evolution.settings import Settings
from agents.inference.saved import load_agent, save_agent
from agents.inference.shared import SharedPolicy
from agents.inference.shared.facts import Facts
from agents.inference.shared.weights import COMMON, spreads, starts
from baselines.capacity import LEVEL, load_capacity
from sageserve_env.errors import InputError
from sageserve_env.files.writing import write_text
from sageserve_env.scenarios import load_problem

TASK, BEST = "task.json", "best"
"""Beside the log, a row for each generation: what is evolved how, and the best agent."""

Reals = NDArray[np.float64]
Row = dict[str, Any]
Report = Callable[[Row], None]
"""Called with the log's row after each generation."""


@dataclass
class Found:
    """The best weights so far.

    Attributes:
        rank: Of their row in the log, see :func:`rank_of`.
        weights: Shape (W,).
    """

    rank: tuple[bool, float]
    weights: Reals


def evolve(
    problem: str, settings: Settings, out: Path, seed: int = 0, report: Report | None = None, command: str = ""
) -> SharedPolicy:
    """Evolve the shared policy on the train split of a problem, or go on where the folder's log ends.

    The log begins with the validation scores of the start, which is kept unless a later one is better: the mean of the search or
    the average of its last means, whichever validation prefers. It holds all costs, and the search is a function of the seed and
    the costs: it is asked and told again what the log says, and what follows is, bit for bit, what the uninterrupted evolution
    would have done.

    Args:
        problem: Name of a problem.
        settings: How.
        out: Folder; gets the log, the task and the best agent.
        seed: Of proposals and episodes, >= 0.
        report: Called after each generation.
        command: That began it, for the card.

    Returns:
        What holds every level in each validation episode for the least cost; where nothing does, the cheapest, penalties included.

    Raises:
        InputError: The folder is of another evolution, or a problem or folder cannot be used.
        MissingExtra: The extra ``tune`` is not installed.
    """
    facts = facts_of(problem)
    start = first_weights(facts, settings)
    log = _opened(out, {"problem": problem, "seed": seed, "start": start.tolist(), **asdict(settings)})
    search = search_for(settings, start, spreads(len(facts.streams[0])), seed)
    player = Player(facts, settings.threads, settings.horizon_s)
    clock = Clock({name: log.rows[-1][name] if log.rows else 0.0 for name in NOTHING})

    def kept(row: Row, weights: Reals) -> Found:
        told = {"command": command, "seed": seed, **asdict(settings), "best": row}
        save_agent(out / BEST, SharedPolicy(facts, weights), problem, training=told, curve=curve_of(log.rows))
        return Found(rank_of(row), weights)

    if not log.rows:
        log.add({"steps": 0} | _validated(player, start[None], settings) | clock.spent())
    best, done = kept(log.rows[0], start), log.rows[1 : settings.generations + 1]
    means: deque[Reals] = deque(maxlen=settings.averaged)
    for generation in range(settings.generations):
        candidates, is_done = search.ask(), generation < len(done)
        row = done[generation] if is_done else _played(player, candidates, generation, seed, settings)
        search.tell(np.array(row["costs"]))
        means.append(search.mean.copy())
        rivals = np.array([search.mean, np.mean(means, axis=0)])
        if not is_done:
            if (generation + 1) % settings.validate_every == 0:
                row |= _validated(player, rivals, settings)
            row |= clock.spent()
            log.add(row)
        if "cost" in row and rank_of(row) < best.rank:
            best = kept(row, rivals[row["rival"]])
        if report is not None:
            report(row)
    player.close()
    return SharedPolicy(facts, best.weights)


def facts_of(problem: str) -> Facts:
    """What a problem tells, with capacities by simulation for the sizes of its requests."""
    found = load_problem(problem)
    workload = found.sample("train", np.random.default_rng(0)).workload
    return Facts(problem, load_capacity(found.world(), LEVEL, workload))


def first_weights(facts: Facts, settings: Settings) -> Reals:
    """Where the search begins: the prior, with another agent's common weights, and its streams' where they are the same."""
    first = starts(len(facts.streams[0]))
    if settings.begin is not None:
        given = load_agent(settings.begin)
        if not isinstance(given, SharedPolicy):
            raise InputError(f"begin = '{settings.begin}' is no shared policy; give the folder of one")
        if given.facts.stream_names == facts.stream_names:
            return given.flat.copy()
        first[: len(COMMON)] = given.flat[: len(COMMON)]
    return first


def _opened(out: Path, task: dict[str, Any]) -> Log:
    """The folder's log; without rows where it is new.

    Raises:
        InputError: The folder is of another task, or cannot be made or read. More generations are the same task.
    """
    told = json.loads(json.dumps(task))
    del told["generations"]
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / TASK).exists():
            write_text(out / TASK, json.dumps(told, indent=1) + "\n")
        found = json.loads((out / TASK).read_text(encoding="utf-8"))
        log = Log(out / LOG)
    except OSError as error:
        raise InputError(f"out = '{out}' cannot be used ({error.strerror}); choose another folder") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"out = '{out}' holds files that are none of an evolution; choose another folder") from None
    if found != told or (log.rows and log.rows[0]["steps"] > 0):
        raise InputError(f"out = '{out}' holds another evolution; choose another folder, or its problem, settings and seed")
    return log


def _played(player: Player, candidates: Reals, generation: int, seed: int, settings: Settings) -> Row:
    """Play a generation on train episodes of its own."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(generation,)))
    scores = player.train(candidates, rng.integers(2**31, size=settings.episodes).tolist())
    costs = scores.cost(settings.penalty, settings.worst, settings.margins)
    return {
        "generation": generation,
        "steps": (generation + 1) * len(candidates) * settings.episodes * player.n_steps,
        "costs": costs.tolist(),
        "usd": float(scores.usd.mean()),
        "feasible": float(scores.is_feasible.mean()),
    }


def rank_of(row: Row) -> tuple[bool, float]:
    """What holds every level in each validation episode comes first, then what costs less; less is better."""
    return row["validation"]["feasible"] < row["validation"]["episodes"], row["cost"]


def _validated(player: Player, rivals: Reals, settings: Settings) -> Row:
    """The better of several sets of weights, shape (C, W), on the validation split, and which it is."""
    rows = []
    for rival, scores in enumerate(player.score_each(rivals)):
        (cost,) = Outcomes.of(scores.episodes, 1).cost(settings.penalty, settings.worst, settings.margins).tolist()
        rows.append({"cost": cost, "rival": rival, "validation": scores.told()})
    return min(rows, key=rank_of)
