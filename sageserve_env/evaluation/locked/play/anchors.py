"""What dollars are measured against: the tuned reactive policy, 0, and the plans found in hindsight, 1, where both are shipped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sageserve_env.env.config import Config
from sageserve_env.env.fleets import Fleet
from sageserve_env.env.setup import Setup
from sageserve_env.evaluation.locked.play.together import Playing, Stop
from sageserve_env.evaluation.locked.protocol import SPLIT, Episode
from sageserve_env.evaluation.policy import installed_policies, load_policy
from sageserve_env.evaluation.problems.card import TUNED_ON
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, decisions, episode_score
from sageserve_env.evaluation.tuned import shipped_log
from sageserve_env.identity import digest

REACTIVE = "reactive"
PLANS = "plans"
"""In the package of that policy: ``plans/<problem>.json``, what ``sageserve search`` wrote."""


@dataclass(frozen=True)
class Anchors:
    """The anchors of a problem.

    Attributes:
        tuned: The problem that the reactive policy is tuned on.
        plans: By day and variant, dollars of the plan and whether it holds every level.
    """

    tuned: str
    plans: dict[tuple[str, int], tuple[float, bool]] = field(repr=False)

    @classmethod
    def of(cls, setup: Setup) -> Anchors | None:
        """Those that are shipped for a problem as it is now; None where one of the two is not."""
        known, problem = installed_policies(), setup.problem
        if REACTIVE not in known:
            return None
        tuned = TUNED_ON.get(problem.name, problem.name)
        log = shipped_log(REACTIVE, tuned, known[REACTIVE])
        plans = log.parents[1].with_name(PLANS) / f"{problem.name}.json"
        if not log.is_file() or not plans.is_file():
            return None
        facts = json.loads(plans.read_text(encoding="utf-8"))
        searched = plans_digest(Setup(Config(problem=problem, split=setup.split)))  # an agent's view changes no anchor
        wanted = {"split": SPLIT, "episode_seed": EPISODE_SEED, "horizon_s": problem.horizon_s, "problem": searched}
        if any(facts[name] != value for name, value in wanted.items()):
            return None
        rows = {
            (str(plan["episode"]["day"]), int(plan["episode"]["variant"])): (float(plan["usd"]), plan["shortfall"] == 0.0)
            for plan in facts["plans"]
        }
        return cls(tuned, rows)

    def playing(self, fleet: Fleet, episode: Episode) -> Playing[dict[str, Any] | None]:
        """Play an episode.

        Returns:
            Dollars of both, and whether they hold every level there; None where there is no plan for it.
        """
        plan = self.plans.get((str(episode["day"]), int(episode["variant"])))
        if plan is None:
            return None
        fleet.begin(EPISODE_SEED, dict(episode))
        for knobs in decisions(fleet, load_policy(REACTIVE, tuned=self.tuned), EPISODE_SEED):
            fleet.follow(knobs)
            yield Stop.DECIDED
        played = episode_score(fleet)
        reactive = {"reactive_usd": played.usd, "reactive_is_feasible": played.is_feasible}
        return {**reactive, "hindsight_usd": plan[0], "hindsight_is_feasible": plan[1]}


def plans_digest(setup: Setup) -> str:
    """What ``sageserve search`` calls the problem of its plans: plans of one that has changed since are no anchor."""
    return digest(setup.identity, repr(setup.problem.split(setup.split)), setup.problem.breach_prices_usd)
