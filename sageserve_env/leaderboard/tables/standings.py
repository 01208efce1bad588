"""Where the entries of a table stand: feasible policies by the protocol's headline, in tiers; then others, with what they miss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.result.summary import summary
from sageserve_env.evaluation.statistics import tiers
from sageserve_env.leaderboard.canaries import ANCHOR, HINDSIGHT, NULLS
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedTable


@dataclass(frozen=True)
class Standing:
    """Where an entry stands.

    Attributes:
        entry: What it did.
        figures: As :func:`sageserve_env.evaluation.locked.result.summary.summary` gives them: ``usd`` with ``usd_interval``,
            ``attainment``, ``missed``, ``normalised``, and so on.
        place: From 1 on, None unless it is ranked.
        tier: From 1 on: policies of one tier cannot be told apart; None unless it is ranked.
    """

    entry: VerifiedEntry
    figures: dict[str, Any]
    place: int | None = None
    tier: int | None = None

    @property
    def name(self) -> str:
        """Of the submission."""
        return self.entry.name

    @property
    def is_null(self) -> bool:
        """Whether it is one of the policies that do nothing of use."""
        return self.name in NULLS

    @property
    def headline(self) -> tuple[float, float]:
        """Less is better: the normalised score where there is one, else dollars."""
        normalised = self.figures["normalised"]
        return (-normalised["score"] if normalised is not None else 0.0), self.figures["usd"]

    def facts(self) -> dict[str, Any]:
        """As JSON takes it."""
        entry = self.entry
        return {"place": self.place, "tier": self.tier, "name": entry.name, "kind": entry.kind, "team": entry.team, **self.figures}


@dataclass(frozen=True)
class Ranking:
    """The standings of an id.

    Attributes:
        table: What they are made from.
        ranked: Feasible policies, best tier first, within it by the headline.
        infeasible: Policies that miss a level, by how much the worst tier misses, then by dollars.
        bounds: What knows the future.
    """

    table: VerifiedTable
    ranked: tuple[Standing, ...]
    infeasible: tuple[Standing, ...]
    bounds: tuple[Standing, ...]

    @property
    def standings(self) -> tuple[Standing, ...]:
        """All of them."""
        return self.ranked + self.infeasible + self.bounds

    def facts(self) -> dict[str, Any]:
        """As JSON takes it."""
        table = self.table
        head = {"env": table.env, "protocol": table.protocol, "problem_digest": table.problem_digest}
        return head | {"dynamics_digest": table.dynamics_digest, "standings": [each.facts() for each in self.standings]}


def ranking(table: VerifiedTable) -> Ranking:
    """The ranking of a table's entries."""
    found = [Standing(entry, summary(rows_of(entry, table), table.held_out, entry.is_bound)) for entry in table.entries]
    bounds = [each for each in found if each.entry.is_bound]
    policies = [each for each in found if not each.entry.is_bound]
    feasible = [each for each in policies if each.figures["is_feasible"]]
    infeasible = sorted((each for each in policies if not each.figures["is_feasible"]), key=shortfall)
    return Ranking(table, placed(feasible), tuple(infeasible), tuple(sorted(bounds, key=lambda each: each.headline)))


def placed(feasible: Sequence[Standing]) -> tuple[Standing, ...]:
    """Feasible policies with their tiers and places.

    Tiers are of the dollars of all episodes, which policies share; the headline orders within a tier.
    """
    if not feasible:
        return ()
    usd = np.array([[each.score.usd for each in standing.entry.episodes] for standing in feasible])
    found = zip(tiers(-usd).tolist(), feasible, strict=True)
    ordered = sorted(found, key=lambda pair: (pair[0], pair[1].headline))
    return tuple(Standing(each.entry, each.figures, place, tier) for place, (tier, each) in enumerate(ordered, 1))


def shortfall(standing: Standing) -> tuple[float, float]:
    """How far a policy misses in its worst episode, and its dollars."""
    return max(each.score.shortfall for each in standing.entry.episodes), standing.figures["usd"]


def rows_of(entry: VerifiedEntry, table: VerifiedTable) -> list[Row]:
    """An entry's episodes with their anchors, which are entries of the same table: tuned reactive, and hindsight."""
    reactive, hindsight = (by_episode(table.entry(name)) for name in (ANCHOR, HINDSIGHT))
    rows = []
    for each in entry.episodes:
        key, anchors = (each.day, each.variant), None
        if key in reactive and key in hindsight:
            above, below = reactive[key], hindsight[key]
            anchors = {"reactive_usd": above.usd, "reactive_is_feasible": above.is_feasible}
            anchors |= {"hindsight_usd": below.usd, "hindsight_is_feasible": below.is_feasible}
        rows.append(each.row(anchors))
    return rows


def by_episode(entry: VerifiedEntry | None) -> dict[tuple[str, int], Any]:
    """Scores of an entry by day and variant."""
    return {} if entry is None else {(each.day, each.variant): each.score for each in entry.episodes}
