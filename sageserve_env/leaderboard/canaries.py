"""Rows that every table has: policies without a use, the references that others are measured against, and hindsight.

What each of them did is pinned in ``canaries.json``: a canary that does something else has been tampered with, or the simulator has
changed without a new version of the problem. ``leaderboard/enter_references.py`` enters them and writes the pins.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sageserve_env.evaluation.locked.play.anchors import PLANS, REACTIVE
from sageserve_env.evaluation.policy import installed_policies, is_tuned
from sageserve_env.evaluation.problems.card import TUNED_ON
from sageserve_env.evaluation.tuned import shipped
from sageserve_env.files.reading import read_json
from sageserve_env.scenarios import Problem

PINS = Path(__file__).with_name("canaries.json")

ANCHOR, HINDSIGHT = "reactive-tuned", "hindsight"
"""The rows between which dollars are normalised: 0 and 1."""

NULLS = {
    "random": "Random",
    "hold": "Hold",
    "least-fleet": "Least",
    "most-fleet": "Most",
    "serve-nothing": "Nothing",
}
"""Classes of ``nulls.py`` by the names of their entries."""

POLICIES = {
    "reactive": "reactive",
    ANCHOR: "reactive:tuned={tuned}",
    "lt-ua": "lt-ua:forecaster=seasonal-naive",
    "lt-ua-tuned": "lt-ua:tuned={tuned}",
    "forecast-program": "forecast-program:replan_s=900",
    HINDSIGHT: "plan:file=baselines/plans/{problem}.json",
}
"""Installed policies by the names of their entries."""

NAMES = (*NULLS, *POLICIES)
"""Names that no submission may take."""


@dataclass(frozen=True)
class Canary:
    """A row that must be there.

    Attributes:
        name: Of its entry.
        policy: What ``sageserve evaluate --policy`` takes.
    """

    name: str
    policy: str


def canaries(problem: Problem) -> list[Canary]:
    """The canaries of a problem: all of them but those whose options or plans the package does not ship for it."""
    tuned = TUNED_ON.get(problem.name, problem.name)
    found = [Canary(name, f"sageserve_env.leaderboard.nulls:{made}") for name, made in NULLS.items()]
    for name, policy in POLICIES.items():
        text = policy.format(tuned=tuned, problem=problem.name)
        if ":tuned=" in text and not is_tuned(text.partition(":")[0], tuned):
            continue
        if name == HINDSIGHT and not plans_file(problem).is_file():
            continue
        found.append(Canary(name, text))
    return found


def plans_file(problem: Problem) -> Path:
    """Where the plans of a problem are shipped, if they are."""
    return shipped(installed_policies()[REACTIVE]).with_name(PLANS) / f"{problem.name}.json"


def pin_of(episodes: Sequence[tuple[str, str]]) -> str:
    """One digest of what a canary did: of the digests of actions and outcomes of its episodes, in order."""
    return blake2b(json.dumps(episodes).encode(), digest_size=16).hexdigest()


def read_pins(path: Path) -> dict[str, dict[str, Any]]:
    """Pins by id: the digests of the problem, and of each canary by name.

    Raises:
        InputError: The file is none.
    """
    if not path.is_file():
        return {}
    pins: dict[str, dict[str, Any]] = read_json(path, "run leaderboard/enter_references.py")
    return pins
