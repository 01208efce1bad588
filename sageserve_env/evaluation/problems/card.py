"""The scores of a problem's card: the reference policies, as they are and tuned, and hindsight, on the test days as recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.policy import Policy, hushed, is_tuned, load_policy, policy_name
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, EpisodeScore, play_policy
from sageserve_env.evaluation.problems.needs import break_even_usd, needs
from sageserve_env.scenarios import Problem, Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.schema import TIERS, World

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

TUNED = ("static-by-model", "reactive", "hpa", "keda", "lt-i", "lt-u", "lt-ua", "forecast-program")
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
        crowded: Share of the control instants at which some region had no VM of a type left.
    """

    label: str
    scores: Sequence[EpisodeScore]
    crowded: float = 0.0

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


class Watched:
    """A policy, and how often a region had no VM of some type left when it decided.

    Args:
        policy: Who decides.
        world: Its VMs.
    """

    def __init__(self, policy: Policy, world: World) -> None:
        self._policy, self.name = policy, policy_name(policy)
        self._exists = np.array([[region.vm_capacity.get(kind.name, 0) > 0 for kind in world.vm_types] for region in world.regions])
        self.instants = self.crowded = 0
        if hasattr(policy, "foresee"):
            self.foresee = policy.foresee
        if hasattr(policy, "prepare"):
            self.prepare = policy.prepare

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin an episode."""
        self._policy.reset(scenario, rng)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """What the policy decides."""
        self.instants += 1
        self.crowded += bool(((telemetry.spot == 0) & self._exists).any())
        return self._policy.decide(telemetry)


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
    for name, make in entrants(problem, plans).items():
        yield card_row(problem, name, make, seed)


def entrants(problem: Problem, plans: str | None = None) -> dict[str, Callable[[], Policy]]:
    """Makers of the policies of a card by label, in its order.

    Raises:
        InputError: The file of plans is none.
    """
    tuned = TUNED_ON.get(problem.name, problem.name)
    least = ("static", {"instances": problem.world().scaling.min_instances})
    makers: dict[str, Callable[[], Policy]] = {
        label(name, options): partial(load_policy, name, **options) for name, options in (least, *REFERENCES)
    }
    makers |= {f"{name}, tuned": partial(load_policy, name, tuned=tuned) for name in TUNED if is_tuned(name, tuned)}
    if plans is not None:
        load_policy("plan", file=plans)  # a file that is none is told before anything is played
        makers["hindsight"] = partial(load_policy, "plan", file=plans)
    return makers


def card_row(problem: Problem, name: str, make: Callable[[], Policy], seed: int = EPISODE_SEED) -> CardRow:
    """Play one policy of a card, a new one each day."""
    env, days = FleetEnv(problem=problem, split="test"), test_days(problem)
    with hushed():
        watched = [Watched(make(), env.setup.world) for _ in days]
        scores = [play_policy(env, policy, day, seed) for policy, day in zip(watched, days, strict=True)]
    return CardRow(name, scores, sum(each.crowded for each in watched) / sum(each.instants for each in watched))


def label(name: str, options: dict[str, Any]) -> str:
    """How a card calls a policy with options."""
    return ", ".join([name, *(f"{key} {value}" for key, value in options.items())])


def headroom(rows: Sequence[CardRow], among: Sequence[str]) -> str | None:
    """By what share hindsight is cheaper than the best of some tuned policies, in words; None where one side is missing.

    The best one is the cheapest that holds every level in all episodes; where none does, the one that does in most, which is told.
    """
    names = [f"{name}, tuned" for name in among]
    policies = [row for row in rows if row.label in names]
    bounds = [row for row in rows if row.label == "hindsight" and row.is_feasible]
    if not policies or not bounds:
        return None
    best = min(policies, key=lambda row: (-row.held, row.usd))
    share = f"by {1.0 - bounds[0].usd / best.usd:.1%}"
    return share if best.is_feasible else f"{share} (which holds its levels on {best.held} of {len(best.scores)} days only)"


def line(row: CardRow) -> str:
    """A row of the table."""
    dollars = f"{row.usd:,.0f} | {row.mean('vm_usd'):,.0f} | {row.mean('breach_usd'):,.0f}"
    shares = " | ".join(f"{row.worst(tier):.1%}" for tier in TIERS)
    return f"| {row.label} | {dollars} | {shares} | {row.held} of {len(row.scores)} | {row.crowded:.0%} |"


def markdown(rows: Sequence[CardRow]) -> str:
    """The rows as a table, and the headroom that they show."""
    lines = [
        f"| policy | dollars | VMs, $ | breaches, $ | {' | '.join(f'{tier}, worst' for tier in TIERS)} | levels held | all taken |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *map(line, rows),
    ]
    found = [(what, headroom(rows, among)) for what, among in (("constant", CONSTANT), ("LT-UA", ("lt-ua",)), ("policy", TUNED))]
    told = [f"the best tuned {what} {share}" for what, share in found if share is not None]
    return "\n".join([*lines, *(["", f"Hindsight is cheaper than {', than '.join(told)}."] if told else [])])


def demands(problem: Problem, seed: int = 0) -> str:
    """What the test days as recorded ask of a fleet, and what a late request must cost there, as a table by day."""
    models = [model.name for model in problem.world().models]
    lines = [
        f"| day | swing of {', '.join(models)} | instances of an endpoint | attainable IW-F | requests | a breach pays below, $ |",
        "|---|---|---:|---:|---:|---:|",
    ]
    return "\n".join([*lines, *(demand_line(problem, day, seed) for day in test_days(problem))])


def demand_line(problem: Problem, day: dict[str, Any], seed: int = 0) -> str:
    """The row of a day."""
    found = needs(problem, day, seed)
    fleets = found.instances()
    swings = ", ".join(f"{swing:.1f}" for swing in found.swing)
    facts = f"{fleets.min()} to {fleets.max()} | {found.attainable:.1%} | {found.requests:,}"
    return f"| {day['day']} | {swings} | {facts} | {break_even_usd(problem, day, found, seed)[0]:.3f} |"
