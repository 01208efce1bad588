"""The result: one JSON file with a schema, written whole after every episode, from which an evaluation goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError, shown
from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.result.summary import counts, summary
from sageserve_env.files.reading import read_json
from sageserve_env.files.writing import write_rows

SCHEMA = Path(__file__).with_name("schema.json")

TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool}


@dataclass
class Evaluation:
    """A policy on the held-out episodes of a problem.

    Attributes:
        head: What decides the numbers; an evaluation goes on from a file only where all of it is the same.
        rows: The episodes played, in the order of the protocol.
    """

    head: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    @property
    def given(self) -> str:
        """How the policy was named, without the folder of its file."""
        return Path(self.head["policy"]["given"]).name

    @property
    def summary(self) -> dict[str, Any]:
        """What the episodes come to: see :func:`~sageserve_env.evaluation.locked.result.summary.summary`."""
        return summary(self.rows, self.head["held_out"], self.head["policy"]["is_bound"])

    def add(self, row: Row, order: list[dict[str, Any]]) -> None:
        """Take an episode in, at its place."""
        self.rows = sorted([*self.rows, row], key=lambda each: order.index(each.episode))

    def write(self, path: Path, is_under_way: bool = False) -> None:
        """Write it, whole, a line for each episode.

        Args:
            path: The file.
            is_under_way: More episodes follow: count them only, as intervals take as long as an episode of a small problem.

        Raises:
            InputError: It cannot be written.
        """
        found = counts(self.rows, self.head["held_out"], self.head["policy"]["is_bound"]) if is_under_way else self.summary
        write_rows(path, {**self.head, "summary": found}, "episodes", (row.packed() for row in self.rows))


def read_evaluation(path: Path) -> Evaluation:
    """An evaluation from its file.

    Raises:
        InputError: It is none.
    """
    facts = read_json(path, "give a result of sageserve evaluate")
    wrong = next(violations(facts, schema()), None)
    if wrong is not None:
        raise InputError(f"'{path}' is no result of sageserve evaluate: {wrong}; give another file")
    head = {name: value for name, value in facts.items() if name not in ("summary", "episodes")}
    return Evaluation(head, [Row.of(row) for row in facts["episodes"]])


def require_same_head(kept: dict[str, Any], head: dict[str, Any], path: Path) -> None:
    """Raise InputError where a file is of another evaluation."""
    mine = json.loads(json.dumps(head))  # as a file gives it back
    for name in {**mine, **kept}:
        if kept.get(name) != mine.get(name):
            was, now = shown(kept.get(name)), shown(mine.get(name))
            raise InputError(f"'{path}' was evaluated with {name} = {was}, not {now}; choose another file")


def require_episodes(evaluation: Evaluation, order: list[dict[str, Any]], path: Path) -> None:
    """Raise InputError unless a file has episodes of the protocol, each once."""
    for number, row in enumerate(evaluation.rows):
        if row.episode not in order:
            raise InputError(f"'{path}' has the episode {row.episode}, which is not held out; choose another file")
        if row.episode in [other.episode for other in evaluation.rows[:number]]:
            raise InputError(f"'{path}' has the episode {row.episode} twice; choose another file")


@cache
def schema() -> dict[str, Any]:
    """The schema of a result, JSON Schema 2020-12."""
    read: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return read


def violations(value: Any, rule: dict[str, Any], where: str = "it") -> Iterator[str]:
    """What of a value breaks a schema of the few keywords that ours has."""
    if "$ref" in rule:
        rule = schema()["$defs"][rule["$ref"].rpartition("/")[2]]
    if "const" in rule and value != rule["const"]:
        yield f"{where} is {shown(value)}, not {shown(rule['const'])}"
    kinds = rule.get("type", [])
    if kinds and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{where} is {shown(value)}, not of type {kinds}"
    elif isinstance(value, dict):
        known, others = rule.get("properties", {}), rule.get("additionalProperties", True)
        yield from (f"{where} has no {name!r}" for name in rule.get("required", []) if name not in value)
        for name, item in value.items():
            inner = known.get(name, others)
            if inner is False:
                yield f"{where} has {name!r}, which is unknown"
            elif isinstance(inner, dict):
                yield from violations(item, inner, name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from violations(item, rule.get("items", {}), f"{where}[{number}]")


def _is(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
