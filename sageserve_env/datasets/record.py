"""Episodes as they are recorded: what was seen and done, what came of it, and digests of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import sageserve_env
from sageserve_env.datasets.behaviour import MODE, Behaviour, Expert, Noisy, Random
from sageserve_env.datasets.mix import kinds_of
from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS, dollars
from sageserve_env.evaluation.locked.protocol import Rolling, dynamics_digest, problem_digest
from sageserve_env.evaluation.policy import Policy, policy_name, policy_options
from sageserve_env.world.checks import require_choice, require_count

FORMAT = 1

SPLITS = ("train", "validation")
"""What data may be of: nobody is to learn from the held-out days."""

MOST_EPISODES = 100_000

KEPT = (
    "Of a controller, the instances of each endpoint and VM type at every control instant are kept: those that its own fleet had "
    "or got then in the same episode, within the floors and caps that it set. Its thresholds, cool-downs, routing, release levels "
    "and order are not: the recorded fleet has the world's."
)


@dataclass(frozen=True)
class Recorded:
    """An episode of T steps.

    Attributes:
        kind: The behaviour.
        seed: Of ``reset``.
        description: What was drawn: day, start, perturbation.
        observations: Shape (T + 1, O), float32.
        actions: Shape (T, A), float32.
        rewards: Shape (T,).
        is_truncated: Shape (T,), bool; no episode is terminated.
        infos: By name, each of shape (T + 1,): the terms of the interval before, ``cost``, and what was drawn.
        digests: Rolling digests of actions and of outcomes, as of evaluations.
    """

    kind: str
    seed: int
    description: dict[str, Any]
    observations: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float64]
    is_truncated: NDArray[np.bool_]
    infos: dict[str, NDArray[Any]]
    digests: tuple[str, str]

    def facts(self) -> dict[str, Any]:
        """What is to be told of it beside its data."""
        usd = float(sum(dollars({name: self.infos[name][t] for name in TERMS}) for t in range(1, len(self.rewards) + 1)))
        told = {"kind": self.kind, "seed": self.seed, **self.description, "steps": len(self.rewards), "usd": usd}
        return {**told, "actions": self.digests[0], "outcomes": self.digests[1]}


class Recording:
    """Records episodes of a mix of behaviours.

    Args:
        policy: The expert.
        env_id: Id of the environment.
        shares: Of each kind, which make 1.
        episodes: How many.
        seed: Of everything that is drawn: episodes, their order, noise.
        split: ``"train"`` or ``"validation"``.
        config: Further arguments of the environment; its action mode is ``target``.

    Raises:
        InputError: A number is out of range, the policy does not suit, or an argument cannot be used.
    """

    def __init__(
        self,
        policy: Policy,
        env_id: str,
        shares: dict[str, float],
        episodes: int,
        *,
        seed: int = 0,
        split: str = "train",
        **config: Any,
    ) -> None:
        require_count("episodes", episodes, 1, MOST_EPISODES)
        require_count("seed", seed, 0)
        require_choice("split", split, SPLITS)
        self.shares, self.seed, self.split, self.policy = shares, seed, split, policy
        self.env_id, self.config = env_id, {**config, "action_mode": MODE, "split": split}
        self.env = gym.make(env_id, disable_env_checker=True, **self.config)
        self._fleet: FleetEnv = self.env.unwrapped  # type: ignore[assignment]
        shadow: Any = gym.make(env_id, disable_env_checker=True, **self.config).unwrapped
        expert = Expert(policy, shadow)
        self._behaviours: dict[str, Behaviour] = {
            "random": Random(self._fleet),
            "noisy": Noisy(expert, self._fleet),
            "expert": expert,
        }
        self.kinds = kinds_of(shares, episodes, np.random.default_rng([seed, 0]))

    def episodes(self) -> Iterator[Recorded]:
        """Play and record them, one by one; each depends on its number and the seed only."""
        for number, kind in enumerate(self.kinds):
            yield self.episode(kind, number)

    def episode(self, kind: str, number: int) -> Recorded:
        """Play and record one."""
        rng = np.random.default_rng([self.seed, 1, number])
        seed = int(rng.integers(2**31))
        behaviour, env = self._behaviours[kind], self.env
        observation, info = env.reset(seed=seed)
        behaviour.begin(seed, {}, rng)
        seen: list[Any] = [observation]
        infos, actions, rewards, ends = [info], [], list[Any](), list[bool]()
        digests = Rolling(), Rolling()
        while not (ends and ends[-1]):
            actions.append(behaviour.act())
            observation, reward, _, is_over, info = env.step(actions[-1])
            digests[0].add(actions[-1])
            digests[1].add([info[name] for name in TERMS])
            seen.append(observation)
            infos.append(info)
            rewards.append(reward)
            ends.append(is_over)
        return Recorded(
            kind,
            seed,
            self._fleet.episode_description,
            np.stack(seen),
            np.stack(actions),
            np.array(rewards, np.float64),
            np.array(ends),
            {name: np.stack([each[name] for each in infos]) for name in infos[0]},
            (digests[0].hexdigest(), digests[1].hexdigest()),
        )

    def provenance(self, recorded: list[Recorded]) -> dict[str, Any]:
        """Where the data come from, with a digest of all of them."""
        problem = self._fleet.setup.problem
        return {
            "format": FORMAT,
            "package": sageserve_env.__version__,
            "env": self.env_id,
            "config": self.config,
            "problem_digest": problem_digest(problem),
            "dynamics_digest": dynamics_digest(problem),
            "policy": policy_name(self.policy),
            "options": {name: str(value) for name, value in policy_options(self.policy).items()},
            "mix": self.shares,
            "seed": self.seed,
            "kept": KEPT,
            "data_digest": data_digest(recorded),
            "episodes": [each.facts() for each in recorded],
        }


def data_digest(recorded: list[Recorded]) -> str:
    """Of every array of every episode, bit for bit."""
    hashed = blake2b(digest_size=16)
    for each in recorded:
        for array in (each.observations, each.actions, each.rewards, each.is_truncated, *each.infos.values()):
            hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()
