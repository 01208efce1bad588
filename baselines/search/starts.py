"""Where a search begins: the fleets that reference policies had in the episode, and the same fleets a little smaller or larger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.search.schedule import Room, Schedule
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import Policy, load_policy
from sageserve_env.evaluation.problems.episodes import play_policy
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.telemetry import Telemetry
from sageserve_env.workload import Workload

STARTS: tuple[tuple[str, dict[str, Any]], ...] = (("oracle", {}), ("oracle", {"head_room": 1.25}))
"""Policies and their options where none are tuned for the problem."""

OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (("hpa", {}), ("reactive", {}), ("static-by-model", {}))
"""Those of a world that the first cannot play."""

SIZES = (1.0, 0.8, 0.9, 1.1, 1.25)
"""Factors on the instances of each."""


@dataclass
class Recorded:
    """A policy, and what its fleet was in each control interval.

    Attributes:
        policy: Who decides.
        seen: Bounds and fleet at each control instant, each of shape (F,).
    """

    policy: Policy
    seen: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = field(default_factory=list)

    def foresee(self, workload: Workload, seed: int) -> None:
        """Pass on what a bound is shown."""
        if hasattr(self.policy, "foresee"):
            self.policy.foresee(workload, seed)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin an episode."""
        self.seen = []
        self.policy.reset(scenario, rng)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """What the policy decides."""
        knobs = self.policy.decide(telemetry)
        self.seen.append((fleet_of(telemetry), np.ravel(knobs.floor).copy(), np.ravel(knobs.cap).copy()))
        return knobs

    def targets(self, after: Telemetry) -> NDArray[Any]:
        """Instances at the end of each interval, within its bounds, shape (S, F): where a policy sets a target, the target."""
        fleets = [fleet for fleet, _, _ in self.seen[1:]] + [fleet_of(after)]
        return np.array([np.clip(fleet, low, high) for fleet, (_, low, high) in zip(fleets, self.seen, strict=True)])


def fleet_of(telemetry: Telemetry) -> NDArray[Any]:
    """Instances that serve or are on their way, shape (F,)."""
    return np.ravel(telemetry.active + telemetry.provisioning)


def starts(env: FleetEnv, room: Room, options: dict[str, Any], seed: int) -> dict[str, Schedule]:
    """Schedules to begin with, by name; a policy that cannot play the problem is left out, and so is an episode that broke off."""
    return _recorded(STARTS, env, room, options, seed) or _recorded(OTHERS, env, room, options, seed)


def _recorded(
    policies: tuple[tuple[str, dict[str, Any]], ...], env: FleetEnv, room: Room, options: dict[str, Any], seed: int
) -> dict[str, Schedule]:
    """The fleets of some policies, in all sizes."""
    found: dict[str, Schedule] = {}
    for name, own in policies:
        recorded = Recorded(tuned_or(name, own, env.setup.problem.name))
        try:
            play_policy(env, recorded, options, seed)
        except InputError:
            continue
        targets = recorded.targets(env.telemetry())
        if len(targets) < env.setup.n_steps:
            continue
        label = name + "".join(f":{option}={value:g}" for option, value in own.items())
        for size in SIZES:
            scaled = room.fit(np.rint(size * targets).astype(np.int64))
            found[label if size == 1 else f"{label} x{size:g}"] = Schedule.holding(scaled, env.setup.world)
    return found


def tuned_or(name: str, options: dict[str, Any], problem: str) -> Policy:
    """A policy as it is tuned for a problem, or with options where it is not."""
    try:
        return load_policy(name, tuned=problem)
    except InputError:
        return load_policy(name, **options)
