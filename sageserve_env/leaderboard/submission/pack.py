"""From evaluations to a submission: the actions that were kept, and what the submitter says; their scores stay behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.result.logs import Logged, log_file, logged, with_logs, write_logs
from sageserve_env.evaluation.locked.result.record import read_evaluation
from sageserve_env.files.writing import whole_folder
from sageserve_env.leaderboard.finding import Refused
from sageserve_env.leaderboard.submission.folder import EPISODES, RECORD
from sageserve_env.leaderboard.submission.record import Entered, Submission, command, read_submission
from sageserve_env.registration import IDS
from sageserve_env.world.files.yaml_file import read_yaml_file


@dataclass(frozen=True)
class Evaluated:
    """One id of a submission.

    Attributes:
        env: The id.
        entered: How it is played.
        is_bound: Whether the policy was shown the traffic to come.
        logs: What it did, in the order of the protocol.
    """

    env: str
    entered: Entered
    is_bound: bool
    logs: Sequence[Logged]


def pack(folder: Path, about: Mapping[str, Any], results: Sequence[Path]) -> Submission:
    """Write a submission of evaluations.

    Args:
        folder: Where; its name is that of the submission.
        about: The fields of ``submission.yaml`` but ``name`` and ``entries``.
        results: Of ``sageserve evaluate --actions``, one for each id.

    Raises:
        InputError: A result is none, of the same id as another, lacks an episode or its actions, or a field cannot be used.
    """
    return write_submission(folder, about, [evaluated(result) for result in results])


def write_submission(folder: Path, about: Mapping[str, Any], given: Sequence[Evaluated]) -> Submission:
    """Write a submission of what was done in some ids.

    Raises:
        InputError: Two are of the same id, or a field cannot be used.
    """
    found = sorted(given, key=lambda each: list(IDS.values()).index(each.env))
    envs = [each.env for each in found]
    if len(set(envs)) < len(envs):
        raise InputError(f"two results are of one id: {', '.join(envs)}; give one for each")
    entries = {each.env: {name: value for name, value in vars(each.entered).items() if value} for each in found}
    text = as_yaml({"name": folder.name, **about, "entries": entries})
    submission = read_submission(text)
    for each in found:
        if each.is_bound != submission.is_bound:
            how = "as" if each.is_bound else "not as"
            raise InputError(f"kind = '{submission.kind}': {each.env} was evaluated {how} a bound; say the same in both")
    with whole_folder(folder, EPISODES) as fresh:
        (fresh / RECORD).write_text(text, encoding="utf-8")
        write_logs(fresh / EPISODES, (line for each in found for line in each.logs))
    return submission


def as_yaml(facts: Mapping[str, Any]) -> str:
    """The text of a file, in the order of the fields."""
    return yaml.safe_dump(dict(facts), sort_keys=False, allow_unicode=True, width=120)


def evaluated(result: Path) -> Evaluated:
    """A result with its actions.

    Raises:
        InputError: It is none, or lacks an episode or its actions.
    """
    evaluation = read_evaluation(result)
    head, rows = evaluation.head, with_logs(evaluation.rows, log_file(result))
    policy = head["policy"]
    if len(rows) < head["held_out"] and not policy["is_bound"]:
        raise InputError(f"'{result}' has {len(rows)} of {head['held_out']} episodes; evaluate all")
    failed = [row.episode for row in rows if row.failure is not None]
    if failed and not policy["is_bound"]:
        raise InputError(f"'{result}': the policy failed in {failed[0]}; only what played every episode can be entered")
    played = [row for row in rows if row.failure is None]
    entered = Entered(command(policy["given"], head["env"], policy["is_bound"]), policy["view"], decision_ms(played))
    return Evaluated(head["env"], entered, policy["is_bound"], [logged(head, row) for row in played])


def decision_ms(rows: Sequence[Row]) -> dict[str, float]:
    """Milliseconds of the decisions of some episodes, of which each counts alike; nothing where there is none."""
    if not rows:
        return {}
    means, longest = [row.times["decision_mean_s"] for row in rows], max(row.times["decision_max_s"] for row in rows)
    return {"mean": round(1e3 * sum(means) / len(means), 3), "most": round(1e3 * longest, 3)}


def read_about(path: Path) -> dict[str, Any]:
    """What a submitter says, from a YAML file.

    Raises:
        InputError: It cannot be read, or says what is not theirs to say.
    """
    facts = read_yaml_file(path, "those of docs/leaderboard.md")
    if {"name", "entries"} & set(facts):
        raise Refused("field", f"'{path}' has name or entries; the folder and the results say them")
    return facts
