"""Where a search begins: the fleets that reference policies had in the episode, and the same fleets a little smaller or larger."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.search.schedule import PARTS, Room, Schedule
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import Policy, hushed, load_policy
from sageserve_env.evaluation.problems.episodes import play_policy
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
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
            with hushed():
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


def of_agent(search_env: FleetEnv, room: Room, agent: Any, options: dict[str, Any], seed: int) -> Schedule | None:
    """The fleets that a saved agent had in the episode; where it sets knobs, their medians. None where the episode broke off."""
    setup = search_env.setup
    env = FleetEnv(problem=setup.problem, split=setup.split, **agent.VIEW)
    observation, info = env.reset(seed=seed, options=options)
    agent.reset(seed)
    fleets, actions, is_over = [], [], False
    while not is_over:
        actions.append(np.asarray(agent.act(observation, info.get("action_mask")), np.float64).ravel())
        observation, _, _, is_over, info = env.step(actions[-1])
        fleets.append(fleet_of(env.telemetry()))
    env.close()
    if len(fleets) < setup.n_steps:
        return None
    held = Schedule.holding(room.fit(np.array(fleets)), setup.world)
    if agent.VIEW.get("action_mode") != "knobs":
        return held
    parts = np.rint(PARTS * (np.median(actions, axis=0)[-3 * held.routing.size :] + 1) / 2).astype(np.int64).clip(0, PARTS)
    routing, high, low = parts.reshape(3, -1)
    return replace(held, routing=routing, release=np.stack([high, np.minimum(low, high)], axis=1))


def tuned_or(name: str, options: dict[str, Any], problem: str) -> Policy:
    """A policy as it is tuned for a problem, or with options where it is not."""
    try:
        return load_policy(name, tuned=problem)
    except InputError:
        return load_policy(name, **options)
