"""What the seeds of an evolution are worth on the test split, each by the agent that validation chose: once, at the end.

``python -m agents.evolution.table runs/evolution/mini --out docs/curves/cma-es-mini``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.common.log import LOG, read_log
from agents.curves import write_table
from agents.evolution.evolve import BEST, TASK
from agents.evolution.play import Player
from agents.inference.saved import load_agent, read_card
from agents.inference.shared import SharedPolicy
from sageserve_env.cli.errors import explanation, fail
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.protocol import held_out
from sageserve_env.evaluation.problems.episodes import EpisodeScore
from sageserve_env.evaluation.statistics import bootstrap_interval, interquartile_mean
from sageserve_env.scenarios import load_problem

SPLIT = "test"

SEEDS, EPISODES = "seeds.csv", "test.csv"
"""A row for each seed; a row for each of its episodes."""

Row = dict[str, Any]


def write(folder: Path, out: Path) -> list[Row]:
    """Play the best agent of every seed, and write what each came to.

    Args:
        folder: With a folder for each seed, as ``sageserve train`` wrote it.
        out: Folder of the tables.

    Returns:
        A row for each seed.

    Raises:
        InputError: The folder holds no evolution, or its seeds are of several problems, or a folder cannot be written.
    """
    seeds = sorted((task.parent for task in folder.glob(f"seed-*/{TASK}")), key=lambda seed: int(seed.name.partition("-")[2]))
    agents = [load_agent(seed / BEST) for seed in seeds]
    shared = [agent for agent in agents if isinstance(agent, SharedPolicy)]
    names = {agent.facts.name for agent in shared}
    if len(names) != 1 or len(shared) < len(agents):
        raise InputError(f"'{folder}' holds no seeds of one evolution; give a folder that sageserve train --algo cma-es wrote")
    (problem,) = names
    player = Player(shared[0].facts)
    scores = player.score_each(np.stack([agent.flat for agent in shared]), SPLIT)
    player.close()
    days = held_out(load_problem(problem), SPLIT)
    out.mkdir(parents=True, exist_ok=True)
    rows = [{**_trained(seed), **_tested(each.episodes, days)} for seed, each in zip(seeds, scores, strict=True)]
    write_table(out / SEEDS, rows)
    write_table(
        out / EPISODES, [row for seed, each in zip(seeds, scores, strict=True) for row in _played(seed, each.episodes, days)]
    )
    return rows


def _trained(seed: Path) -> Row:
    """What a seed's training took, and what validation says of its best agent."""
    told, last = read_card(seed / BEST)["training"], read_log(seed / LOG)[-1]
    best = told["best"]
    return {
        "seed": told["seed"],
        "steps": last["steps"],
        "cpu_s": round(last["cpu_s"], 1),
        "wall_s": round(last["wall_s"], 1),
        "best_steps": best["steps"],
        "validation_usd": best["validation"]["usd"],
        "validation_feasible": best["validation"]["feasible"],
        "validation_cost": best["cost"],
    }


def _tested(scores: Sequence[EpisodeScore], days: Sequence[Row]) -> Row:
    """What the test split says of it."""
    recorded = [score.usd for score, day in zip(scores, days, strict=True) if day["variant"] == 0]
    worst = {name: min(score.attainment[name] for score in scores) for name in scores[0].attainment}
    return {
        "test_usd": float(np.mean([score.usd for score in scores])),
        "test_recorded_usd": float(np.mean(recorded)),
        "test_feasible": sum(score.is_feasible for score in scores),
        **{f"test_worst_{name}": share for name, share in worst.items()},
    }


def _played(seed: Path, scores: Sequence[EpisodeScore], days: Sequence[Row]) -> list[Row]:
    """Its episodes."""
    return [{"seed": seed.name, **day, "usd": score.usd, **score.attainment} for day, score in zip(days, scores, strict=True)]


def typical(rows: Sequence[Row], name: str) -> str:
    """The interquartile mean over seeds, with its 95 % interval."""
    values = [row[name] for row in rows]
    low, high = bootstrap_interval(interquartile_mean, values)
    return f"{interquartile_mean(values):,.0f} ({low:,.0f} to {high:,.0f})"


def main(words: list[str] | None = None) -> None:
    """Read the command line; write the tables and tell what they come to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of the seeds")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    given = parser.parse_args(words)
    try:
        rows = write(given.folder, given.out)
    except InputError as error:
        fail(explanation(error))
    names = ("validation_usd", "test_usd", "test_recorded_usd", "cpu_s")
    feasible = [row["test_feasible"] for row in rows]
    print(json.dumps({"seeds": len(rows), **{name: typical(rows, name) for name in names}, "test_feasible": feasible}, indent=1))


if __name__ == "__main__":
    main()
