"""Protocol v1: which episodes are played, with which seeds, how long a policy may think, and what tells problems apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.identity import digest
from sageserve_env.scenarios import Problem

PROTOCOL = "v1"

SPLIT = "test"

PROBE_STEPS = 6
"""Of the run whose digest says what the dynamics are."""

DIGITS = 6
"""Of what is digested: processors differ in the last ones."""

Episode = dict[str, Any]
"""Options of ``reset``: ``day`` and ``variant``."""


@dataclass(frozen=True)
class Limits:
    """Seconds that a policy may take, by the clock on the wall.

    Attributes:
        start_s: To be loaded, in a new process.
        reset_s: For a ``reset``; kernels that it calls may have to be compiled first.
        decision_s: For a decision.
        episode_s: For all decisions of an episode together.
    """

    start_s: float = 120.0
    reset_s: float = 900.0
    decision_s: float = 30.0
    episode_s: float = 1800.0


LIMITS = Limits()


def held_out(problem: Problem, split: str = SPLIT) -> list[Episode]:
    """The episodes of a split, in order: every day as recorded, then every day under each perturbation."""
    return sorted(problem.split(split).held_out(), key=lambda episode: int(episode["variant"]))


def policy_seed(problem: Problem, episode: Episode) -> int:
    """The seed that a policy is given for an episode, 0 to 2**32 - 1: it tells nothing of the traffic."""
    text = f"{PROTOCOL} {problem.id} {episode['day']} {episode.get('variant', 'drawn')}"
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "little")


def problem_digest(problem: Problem) -> str:
    """What the problem is: its world, traffic, splits, horizon and prices."""
    return digest(problem)


def dynamics_digest(problem: Problem) -> str:
    """What the simulator makes of it: the terms of a few steps of random actions on the train split, to ``DIGITS`` digits."""
    env, rolling = FleetEnv(problem=problem), Rolling()
    _, info = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(min(PROBE_STEPS, env.setup.n_steps)):
        *_, info = env.step(env.action_space.sample(tuple(info["action_mask"])))
        rolling.add([info[name] for name in TERMS])
    env.close()
    return rolling.hexdigest()


class Rolling:
    """A digest of numbers that go on coming."""

    def __init__(self) -> None:
        self._hashed = blake2b(digest_size=16)

    def add(self, values: Any) -> None:
        """Add an array of numbers, to ``DIGITS`` digits; zeros have no sign."""
        self._hashed.update((np.round(np.asarray(values, np.float64), DIGITS) + 0.0).tobytes())

    def hexdigest(self) -> str:
        """The digest so far."""
        return self._hashed.hexdigest()


def rolled(steps: Sequence[Any] | NDArray[Any]) -> str:
    """The digest of the numbers of all steps: at once, which is quicker and gives the same, where all have one shape."""
    rolling = Rolling()
    try:
        rolling.add(np.asarray(steps, np.float64))
    except ValueError:  # shapes differ
        for each in steps:
            rolling.add(each)
    return rolling.hexdigest()
