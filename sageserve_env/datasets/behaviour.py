"""Behaviours whose episodes are recorded: random, an expert, and the expert with errors; all by actions of mode ``target``."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sageserve_env.datasets.fleets import Bounds
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import Policy, policy_name
from sageserve_env.evaluation.runner import policy_rng
from sageserve_env.scenarios.scenario import Scenario

Action = NDArray[np.float32]

MODE = "target"

HOLD_S = 3600.0
"""Mean seconds between two draws of a level: a fleet that is redrawn at each step only ever provisions."""

LARGEST_ERROR = 0.5
"""Standard deviation of the errors of the worst noisy episode, in actions, whose range is 2."""


class Behaviour(Protocol):
    """Acts in one episode after another."""

    def begin(self, seed: int, options: dict[str, Any], rng: np.random.Generator) -> None:
        """Begin the episode of a seed and options of ``reset``; ``rng`` draws what is random of the behaviour."""
        ...

    def act(self) -> Action:
        """The next action, float32 in [-1, 1], shape (N * K,)."""
        ...


class Expert:
    """Follows a controller, which sets knobs, by actions.

    The controller plays a fleet of its own through the same episode. At each control instant the action asks for the instances that
    this fleet has or gets then, brought within the floors and caps that the controller sets. So what a plan sets is asked for at
    once, what the autoscaling tick does between two instants at the second one, and nothing is known before it happens.

    Args:
        policy: The controller.
        shadow: An environment for its fleet, with the arguments of the one that is recorded.

    Raises:
        InputError: The policy knows the future, or wants another fleet.
    """

    def __init__(self, policy: Policy, shadow: FleetEnv) -> None:
        prepare = getattr(policy, "prepare", None)
        if callable(getattr(policy, "foresee", None)):
            raise InputError(f"policy '{policy_name(policy)}' knows the future, and nobody learns to; choose another")
        if prepare is not None and prepare(shadow.setup.world) != shadow.setup.world:
            raise InputError(f"policy '{policy_name(policy)}' asks for a fleet of its own; choose another")
        self._policy, self._shadow, self._bounds = policy, shadow, Bounds(shadow.setup.world)

    def begin(self, seed: int, options: dict[str, Any], rng: np.random.Generator) -> None:
        """Begin the episode of a seed and options of ``reset``."""
        self._shadow.reset(seed=seed, options=options)
        problem, episode = self._shadow.setup.problem, self._shadow.episode
        scenario = Scenario(problem.name, self._shadow.setup.world, episode.workload, problem.control_interval_s)
        self._policy.reset(scenario, policy_rng(seed))

    def act(self) -> Action:
        """The next action."""
        telemetry = self._shadow.telemetry()
        knobs = self._policy.decide(telemetry)
        wanted = self._bounds.held(telemetry, knobs.floor, knobs.cap)
        self._shadow.follow(knobs)
        return self._bounds.action(wanted)


class Random:
    """Levels drawn evenly from all that are possible, each held for an hour on average."""

    def __init__(self, env: FleetEnv) -> None:
        self._n, self._redraws = len(Bounds(env.setup.world).most), Redraws(env)

    def begin(self, seed: int, options: dict[str, Any], rng: np.random.Generator) -> None:
        """Begin an episode; ``rng`` draws."""
        self._rng, self._levels = rng, rng.uniform(-1.0, 1.0, self._n)

    def act(self) -> Action:
        """The next action."""
        action = self._levels.astype(np.float32)
        self._levels = self._redraws(self._levels, self._rng.uniform(-1.0, 1.0, self._n), self._rng)
        return action


class Noisy:
    """The expert with errors, each held for an hour on average; how large they are differs from episode to episode."""

    def __init__(self, expert: Expert, env: FleetEnv) -> None:
        self._expert, self._n, self._redraws = expert, len(Bounds(env.setup.world).most), Redraws(env)

    def begin(self, seed: int, options: dict[str, Any], rng: np.random.Generator) -> None:
        """Begin an episode; ``rng`` draws the errors."""
        self._expert.begin(seed, options, rng)
        self._rng, self._size = rng, rng.uniform(0.0, LARGEST_ERROR)
        self._errors = rng.normal(0.0, self._size, self._n)

    def act(self) -> Action:
        """The next action."""
        action = np.clip(self._expert.act() + self._errors, -1.0, 1.0).astype(np.float32)
        self._errors = self._redraws(self._errors, self._rng.normal(0.0, self._size, self._n), self._rng)
        return action


class Redraws:
    """Replaces each of some values now and then, once in ``HOLD_S`` on average."""

    def __init__(self, env: FleetEnv) -> None:
        self._chance = min(env.setup.problem.control_interval_s / HOLD_S, 1.0)

    def __call__(self, values: NDArray[Any], others: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """The values, some of them replaced by the others."""
        return np.where(rng.random(len(values)) < self._chance, others, values)
