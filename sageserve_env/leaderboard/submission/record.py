"""``submission.yaml``: who submits what, how it was trained, and the command for each id; nothing that is measured."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sageserve_env.errors import InputError, quoted, shown
from sageserve_env.evaluation.locked.entrant import VIEW
from sageserve_env.evaluation.locked.protocol import LIMITS
from sageserve_env.leaderboard.finding import Refused
from sageserve_env.world.files.yaml_file import read_yaml

AGENT, BOUND = "agent", "bound"

KINDS = ("reference", AGENT, BOUND)
"""A policy of this package; any other; and one that knows the future, which is never ranked and may lack episodes."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?")

LONGEST_TEXT = 1000

SCORES = re.compile(
    r"scores?|usd|dollars?|costs?|rewards?|returns?|results?|metrics?|ranks?|places?|tiers?|attainment.*|ttft.*|.*_usd", re.I
)
"""Names of fields that claim what only a replay may say."""

TEXTS = ("name", "who", "team", "license", "kind", "about", "training_budget", "tuned_on")


DECISION_MS = {"mean", "most"}
"""What may be told of the time of decisions: the mean of all, and the longest."""


@dataclass(frozen=True)
class Entered:
    """How one id is played.

    Attributes:
        command: ``sageserve evaluate`` with ``--policy`` and ``--env``.
        view: What an agent chose of its environment; see :data:`sageserve_env.evaluation.locked.entrant.VIEW`.
        decision_ms: Milliseconds of a decision by the names in ``DECISION_MS``, as the submitter measured them; empty where they
            are not told. No replay gives them.
    """

    command: str
    view: dict[str, Any] = field(default_factory=dict)
    decision_ms: dict[str, float] = field(default_factory=dict)

    @property
    def policy(self) -> str:
        """What ``--policy`` takes."""
        return option(self.command, "--policy")


@dataclass(frozen=True)
class Submission:
    """What ``submission.yaml`` says.

    Attributes:
        name: Of the folder.
        who: Authors.
        team: Declares one entry at most for the hidden split of an id.
        license: Of the submission.
        kind: One of ``KINDS``.
        about: A sentence or two.
        training_budget: Steps, hours and machines.
        tuned_on: Splits and ids.
        seeds: Of the training.
        hidden: Whether it is the team's entry for the hidden split.
        entries: How each id is played.
    """

    name: str
    who: str
    team: str
    license: str
    kind: str
    about: str
    training_budget: str
    tuned_on: str
    seeds: tuple[int, ...]
    hidden: bool
    entries: dict[str, Entered]

    @property
    def is_bound(self) -> bool:
        """Whether it knows the future."""
        return self.kind == BOUND


def command(policy: str, env: str, is_bound: bool) -> str:
    """The command that evaluates a policy on an id."""
    return f"sageserve evaluate --policy {shlex.quote(policy)} --env {env}{' --bound' if is_bound else ''}"


def option(line: str, name: str) -> str:
    """The value of an option of a command.

    Raises:
        Refused: It has none, or is another command.
    """
    try:
        words = shlex.split(line)
        value = words[words.index(name) + 1]
    except (ValueError, IndexError):
        words, value = [], ""
    if words[:2] != ["sageserve", "evaluate"] or not value:
        raise Refused("field", f"command = {shown(line)}; give sageserve evaluate --policy POLICY --env ID")
    return value


def read_submission(text: str) -> Submission:
    """A submission from its file.

    Raises:
        Refused: It is no YAML, a field is unknown, missing or of another kind, or claims a score.
    """
    try:
        facts = read_yaml(text, "those of docs/leaderboard.md")
    except InputError as error:
        raise Refused("yaml", str(error)) from None
    require_fields(facts, {each.name for each in fields(Submission)}, "submission.yaml")
    for name in TEXTS:
        require_words(name, facts[name])
    if facts["kind"] not in KINDS:
        raise Refused("field", f"kind = {shown(facts['kind'])}; choose one of {', '.join(KINDS)}")
    if not NAME.fullmatch(facts["name"]):
        raise Refused("name", f"name = {shown(facts['name'])}; give small letters, digits and hyphens, at most 60")
    if type(facts["hidden"]) is not bool or (facts["hidden"] and facts["kind"] == BOUND):
        raise Refused("field", f"hidden = {shown(facts['hidden'])}; give true or false, and false for a bound")
    seeds = facts["seeds"]
    if not isinstance(seeds, list) or any(type(seed) is not int for seed in seeds):
        raise Refused("field", f"seeds = {shown(seeds)}; give a list of whole numbers")
    if not isinstance(facts["entries"], dict) or not facts["entries"]:
        raise Refused("field", "entries names no id; give a command for each")
    entries = {env: entered(env, each) for env, each in facts["entries"].items()}
    return Submission(**{**facts, "seeds": tuple(seeds), "entries": entries})


def entered(env: str, facts: Any) -> Entered:
    """How an id is played.

    Raises:
        Refused: It does not say.
    """
    where = f"entries: {env}"
    if not isinstance(facts, dict):
        raise Refused("field", f"{where} is {shown(facts)}; give command, and view where there is one")
    require_fields({"view": {}, "decision_ms": {}, **facts}, {each.name for each in fields(Entered)}, where)
    require_words(f"{where}: command", facts["command"])
    found, view = facts["command"], facts.get("view", {})
    option(found, "--policy")
    if option(found, "--env") != env:
        raise Refused("field", f"{where}: command = {shown(found)} is of another id; give --env {env}")
    if not isinstance(view, dict) or any(type(value) is not VIEW.get(name) for name, value in view.items()):
        raise Refused("view", f"{where}: view = {shown(view)}; it may choose {', '.join(VIEW)}")
    times = facts.get("decision_ms", {})
    if not isinstance(times, dict) or (times and set(times) != DECISION_MS) or not all(map(is_time, times.values())):
        message = (
            f"{where}: decision_ms = {shown(times)}; give {' and '.join(sorted(DECISION_MS))} in milliseconds, or leave it out"
        )
        raise Refused("field", message)
    return Entered(found, view, times)


def is_time(value: Any) -> bool:
    """Whether a value is a number of milliseconds that a decision may take."""
    return type(value) in (int, float) and 0 <= value <= 1e3 * LIMITS.decision_s


def require_fields(facts: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise Refused unless these are the fields."""
    claimed = [name for name in facts if isinstance(name, str) and name not in known and SCORES.fullmatch(name)]
    if claimed:
        raise Refused("score", f"{where} has {quoted(claimed)}; leave out what only a replay may say")
    for name in facts:
        if name not in known:
            raise Refused("field", f"{where} has {shown(name)}, which is unknown; it has {', '.join(sorted(known))}")
    for name in sorted(known - set(facts)):
        raise Refused("field", f"{where} has no {name!r}; give it")


def require_words(name: str, value: Any) -> None:
    """Raise Refused unless a value is text that shows on a page."""
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT or not value.isprintable():
        raise Refused("field", f"{name} = {shown(value)}; give a line of text, at most {LONGEST_TEXT} characters")
