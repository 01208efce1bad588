"""What a policy's episode of a problem is worth: dollars, and whether every service level was held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import breaches, dollars
from sageserve_env.env.row import FleetRow
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import Policy, check_policy, policy_name
from sageserve_env.evaluation.runner import policy_rng
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.sim.knobs import Knobs
from sageserve_env.world.schema import TIERS

EPISODE_SEED = 2025
"""Of ``reset``, and of policies, in every held-out episode that is tuned on, searched or scored: the same traffic for all."""

LEVELS = (0.95, 0.95, 0.99)
"""Least share by tier of the requests that some fleet can serve in time, to be served in time in each episode."""


@dataclass(frozen=True)
class EpisodeScore:
    """What one episode cost and achieved.

    Attributes:
        terms: Sums of ``rewards.TERMS`` over the episode, by name.
        is_overfull: The episode ended before its horizon because too many requests were in the system.
    """

    terms: Mapping[str, float]
    is_overfull: bool = False

    @property
    def usd(self) -> float:
        """VMs, breaches, egress and carbon, in dollars."""
        return float(dollars(self.terms))

    @property
    def breaches(self) -> float:
        """Avoidable breaches of all tiers."""
        return float(breaches(self.terms))

    @property
    def attainment(self) -> dict[str, float]:
        """Share by tier of the attainable requests that kept their service level; 1 where there were none."""
        names = [tier.lower().replace("-", "_") for tier in TIERS]
        counts = [(self.terms[f"breaches_{name}"], self.terms[f"attainable_{name}"]) for name in names]
        return {tier: 1.0 - late / all_ if all_ else 1.0 for tier, (late, all_) in zip(TIERS, counts, strict=True)}

    @property
    def shortfall(self) -> float:
        """How far the worst tier is below its level, as a share of its requests; 0 where all are held, 1 where overfull."""
        if self.is_overfull:
            return 1.0
        return max(0.0, *(level - self.attainment[tier] for tier, level in zip(TIERS, LEVELS, strict=True)))

    @property
    def rank(self) -> tuple[int, float, float]:
        """Less is better: those that hold every level by dollars, then the others by how far they miss."""
        return (0, self.usd, 0.0) if self.is_feasible else (1, self.shortfall, self.usd)

    @property
    def is_feasible(self) -> bool:
        """Whether every tier holds its level."""
        return self.shortfall == 0.0


def play_policy(env: FleetEnv, policy: Policy, options: dict[str, Any] | None = None, seed: int = 0) -> EpisodeScore:
    """Play a reference policy through one episode of an environment, which accounts for it as for an agent.

    Args:
        env: Any environment; its action mode and observation do not matter.
        policy: Who decides, at every control instant. One that knows the future is shown the episode's.
        options: Of ``reset``.
        seed: Of ``reset``, and in a stream of its own of the policy.

    Raises:
        InputError: The policy is none, asks for another fleet, or decides what is no valid knobs.
    """
    check_policy(policy)
    _require_same_fleet(env, policy)
    env.reset(seed=seed, options=options)
    for knobs in decisions(env, policy, seed):
        try:
            env.follow(knobs)
        except InputError as error:
            raise InputError(f"policy '{policy_name(policy)}' at {env.telemetry().now_s:g} s: {error}") from None
    return episode_score(env)


def decisions(row: FleetRow, policy: Policy, seed: int) -> Iterator[Knobs]:
    """What a reference policy decides in the episode that has begun, from its first instant on: who carries it out goes on then.

    Args:
        row: Any fleet.
        policy: Who decides. One that knows the future is shown the episode's.
        seed: Of the policy, in a stream of its own.
    """
    problem, episode = row.setup.problem, row.episode
    foresee = getattr(policy, "foresee", None)
    if foresee is not None:
        foresee(episode.workload, episode.workload_seed)
    policy.reset(Scenario(problem.name, row.setup.world, episode.workload, problem.control_interval_s), policy_rng(seed))
    while not row.is_over:
        yield policy.decide(row.telemetry())


def _require_same_fleet(env: FleetEnv, policy: Policy) -> None:
    """Raise InputError where a policy is defined on another fleet than the environment's."""
    prepare = getattr(policy, "prepare", None)
    if prepare is not None and prepare(env.setup.world) != env.setup.world:
        raise InputError(
            f"policy '{policy_name(policy)}' asks for a fleet of its own; an environment plays all on one: choose another"
        )


def episode_score(row: FleetRow) -> EpisodeScore:
    """The score of an environment's, or a row's, episode so far."""
    return EpisodeScore(row.episode_terms, row.is_overfull)
