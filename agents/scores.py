"""Writes into a saved agent's card what ``sageserve evaluate`` found of it.

python -m agents.scores runs/mini/seed-0/best runs/evaluate/mine.json --failure "late on Fridays"
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from agents.inference.saved import read_card
from sageserve_env.cli.errors import explanation, fail
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.result.record import Evaluation, read_evaluation
from sageserve_env.evaluation.locked.result.summary import by_day
from sageserve_env.evaluation.saved import CARD, saved_folder
from sageserve_env.evaluation.statistics import bootstrap_interval
from sageserve_env.files.writing import write_rows

KEPT = ("episodes", "is_ranked", "is_feasible", "held", "missed", "usd", "usd_interval", "attainment_worst", "normalised")
"""What a card tells of an evaluation's summary."""


def add_scores(folder: Path, result: Path, failures: list[str]) -> None:
    """Write an evaluation into a card.

    Args:
        folder: Of the agent.
        result: File of ``sageserve evaluate``.
        failures: What the agent is known to do badly, in words.

    Raises:
        InputError: A file cannot be read, or the evaluation is of another agent, or of another environment.
    """
    card, evaluation, saved = read_card(folder), read_evaluation(result), saved_folder(str(folder))
    assert saved is not None
    played = evaluation.head["policy"]["digest"]
    if (played, evaluation.head["env"]) != (saved.digest, card["env"]):
        raise InputError(f"'{result}' is of another agent than '{folder}' (digest {played}); evaluate this one")
    curve = card.pop("curve", [])
    card["scores"] = scores_of(evaluation)
    card["known_failures"] = failures or card.get("known_failures", [])
    write_rows(folder / CARD, card, "curve", curve)


def scores_of(evaluation: Evaluation) -> dict[str, Any]:
    """What a card tells: the summary, dollars of each day, mean and 95 % interval over its perturbations, and each episode."""
    rows = [row for row in evaluation.rows if row.failure is None]
    days = list(dict.fromkeys(str(row.episode["day"]) for row in rows))
    columns = by_day(rows, [row.score.usd for row in rows]).T
    by_name = {}
    for day, usd in zip(days, columns, strict=True) if len(columns) == len(days) else ():
        interval = bootstrap_interval(mean, usd)
        by_name[day] = {"usd": mean(usd), "interval": list(interval)}
    played = [{**row.episode, "usd": row.score.usd, "attainment": row.score.attainment} for row in rows]
    head, told = evaluation.head, evaluation.summary
    digests = {name: head[name] for name in ("protocol", "problem_digest", "dynamics_digest")}
    kept = {name: told[name] for name in KEPT if name in told}
    return {**digests, "digest": head["policy"]["digest"], **kept, "days": by_name, "played": played}


def mean(values: Any) -> float:
    """Mean."""
    return float(np.mean(values))


def main(words: list[str] | None = None) -> None:
    """Read the command line and write the card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of the agent")
    parser.add_argument("result", type=Path, help="file of sageserve evaluate")
    parser.add_argument("--failure", action="append", default=[], help="what the agent is known to do badly; may be given again")
    given = parser.parse_args(words)
    try:
        add_scores(given.folder, given.result, given.failure)
    except InputError as error:
        fail(explanation(error))
    print(json.dumps(read_card(given.folder)["scores"], indent=1))


if __name__ == "__main__":
    main()
