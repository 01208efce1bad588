"""The scores of a problem's card: the reference policies, as they are and tuned, and hindsight, on the test days as recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.policy import Policy, hushed, is_tuned, load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, EpisodeScore, play_policy
from sageserve_env.scenarios import Problem
from sageserve_env.world.schema import TIERS

REFERENCES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("static", {}),
    ("reactive", {}),
    ("hpa", {}),
    ("keda", {}),
    ("lt-ua", {"forecaster": "seasonal-naive"}),
    ("forecast-program", {}),
    ("oracle", {}),
)
"""Policies and options that every card has, beside the least fleet."""

TUNED = ("static-by-model", "reactive", "hpa", "keda", "lt-ua", "forecast-program")
"""Policies that are tuned where a log of their tuning is shipped."""

TUNED_ON = {"week": "day"}
"""Problems whose policies are tuned on another one with the same fleet."""

CONSTANT = ("static-by-model", "reactive")
"""Of those, the ones whose knobs never change."""


@dataclass(frozen=True)
class CardRow:
    """A policy's scores.

    Attributes:
        label: The policy and its options.
        scores: Of each episode.
    """

    label: str
    scores: Sequence[EpisodeScore]

    @property
    def usd(self) -> float:
        """Mean dollars of an episode."""
        return float(np.mean([score.usd for score in self.scores]))

    @property
    def held(self) -> int:
        """Episodes in which every tier held its level."""
        return sum(score.is_feasible for score in self.scores)

    @property
    def is_feasible(self) -> bool:
        """Whether that is so in all of them."""
        return self.held == len(self.scores)

    def mean(self, term: str) -> float:
        """Mean of a term."""
        return float(np.mean([score.terms[term] for score in self.scores]))

    def worst(self, tier: str) -> float:
        """Least attainment of a tier in any episode."""
        return min(score.attainment[tier] for score in self.scores)


def test_days(problem: Problem) -> list[dict[str, Any]]:
    """Options of the test episodes as recorded."""
    return [{"day": window.name, "variant": 0} for window in problem.split("test").windows]


def card_rows(problem: Problem, plans: str | None = None, seed: int = EPISODE_SEED) -> Iterator[CardRow]:
    """Play every policy of a card on the test days as recorded.

    Args:
        problem: The problem.
        plans: File of plans found in hindsight; None leaves that row out.
        seed: Of ``reset`` and of the policies.

    Raises:
        InputError: The file of plans is none.
    """
    env, tuned = FleetEnv(problem=problem, split="test"), TUNED_ON.get(problem.name, problem.name)
    bound = None if plans is None else _row(env, "hindsight", partial(load_policy, "plan", file=plans), seed)
    least = ("static", {"instances": problem.world().scaling.min_instances})
    for name, options in (least, *REFERENCES):
        yield _row(env, label(name, options), partial(load_policy, name, **options), seed)
    for name in (name for name in TUNED if is_tuned(name, tuned)):
        yield _row(env, f"{name}, tuned", partial(load_policy, name, tuned=tuned), seed)
    if bound is not None:
        yield bound


def label(name: str, options: dict[str, Any]) -> str:
    """How a card calls a policy with options."""
    return ", ".join([name, *(f"{key} {value}" for key, value in options.items())])


def headroom(rows: Sequence[CardRow], among: Sequence[str]) -> float | None:
    """By what share hindsight is cheaper than the best of some tuned policies, all feasible; None where one side is missing."""
    names = [f"{name}, tuned" for name in among]
    policies = [row.usd for row in rows if row.label in names and row.is_feasible]
    bounds = [row.usd for row in rows if row.label == "hindsight" and row.is_feasible]
    return 1.0 - bounds[0] / min(policies) if policies and bounds else None


def markdown(rows: Sequence[CardRow]) -> str:
    """The rows as a table, and the headroom that they show."""
    n = len(rows[0].scores)
    lines = [
        f"| policy | dollars | VMs, $ | breaches, $ | {' | '.join(f'{tier}, worst' for tier in TIERS)} | levels held |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        shares = " | ".join(f"{row.worst(tier):.1%}" for tier in TIERS)
        dollars = f"{row.usd:,.0f} | {row.mean('vm_usd'):,.0f} | {row.mean('breach_usd'):,.0f}"
        lines.append(f"| {row.label} | {dollars} | {shares} | {row.held} of {n} |")
    found = [(what, headroom(rows, among)) for what, among in (("constant", CONSTANT), ("LT-UA", ("lt-ua",)), ("policy", TUNED))]
    told = [f"the best tuned {what} by {share:.1%}" for what, share in found if share is not None]
    return "\n".join([*lines, *(["", f"Hindsight is cheaper than {', than '.join(told)}."] if told else [])])


def _row(env: FleetEnv, name: str, make: Callable[[], Policy], seed: int) -> CardRow:
    with hushed():
        return CardRow(name, [play_policy(env, make(), episode, seed) for episode in test_days(env.setup.problem)])
