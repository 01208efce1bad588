"""What dollars are measured against: the tuned reactive policy, 0, and the plans found in hindsight, 1, where both are shipped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.locked.protocol import EPISODE_SEED, SPLIT, Episode
from sageserve_env.evaluation.policy import hushed, installed_policies, load_policy
from sageserve_env.evaluation.problems.card import TUNED_ON
from sageserve_env.evaluation.problems.episodes import play_policy
from sageserve_env.evaluation.tuned import shipped
from sageserve_env.scenarios import Problem

REACTIVE, PLAN = "reactive", "plan"
PLANS = "plans"
"""In the package of the policy ``plan``: ``plans/<problem>.json``, what ``sageserve search`` wrote."""


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
    def of(cls, problem: Problem) -> Anchors | None:
        """Those that are shipped for a problem, with its horizon and the protocol's seed; None where one of the two is not."""
        known, tuned = installed_policies(), TUNED_ON.get(problem.name, problem.name)
        if REACTIVE not in known or PLAN not in known:
            return None
        log = shipped(known[REACTIVE]) / tuned / f"{REACTIVE}.json"
        plans = shipped(known[PLAN]).with_name(PLANS) / f"{problem.name}.json"
        if not log.is_file() or not plans.is_file():
            return None
        facts = json.loads(plans.read_text(encoding="utf-8"))
        of = {"problem": problem.name, "split": SPLIT, "episode_seed": EPISODE_SEED}
        if any(facts[name] != value for name, value in of.items()) or facts["horizon_s"] not in (None, problem.horizon_s):
            return None
        rows = {
            (str(plan["episode"]["day"]), int(plan["episode"]["variant"])): (float(plan["usd"]), plan["shortfall"] == 0.0)
            for plan in facts["plans"]
        }
        return cls(tuned, rows)

    def of_episode(self, env: FleetEnv, episode: Episode) -> dict[str, Any] | None:
        """Dollars of both in an episode, and whether they hold every level there; None where there is no plan for it."""
        plan = self.plans.get((str(episode["day"]), int(episode["variant"])))
        if plan is None:
            return None
        with hushed():
            played = play_policy(env, load_policy(REACTIVE, tuned=self.tuned), dict(episode), EPISODE_SEED)
        reactive = {"reactive_usd": played.usd, "reactive_is_feasible": played.is_feasible}
        return {**reactive, "hindsight_usd": plan[0], "hindsight_is_feasible": plan[1]}
