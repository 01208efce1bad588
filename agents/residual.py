"""An environment whose actions correct a reference policy: what is learned is added to what the reference would do anyway."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.common.scoring import SPLIT, Scores
from agents.inference.residual import Reference
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.play.briefing import briefing
from sageserve_env.evaluation.locked.protocol import held_out
from sageserve_env.evaluation.policy import Policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, episode_score
from sageserve_env.evaluation.runner import policy_rng
from sageserve_env.scenarios import Scenario, load_problem


class ResidualEnv(gym.Wrapper[NDArray[np.float32], NDArray[np.int64], Any, Any]):
    """A fleet that a reference policy steers, and an agent corrects.

    An action has a choice for each fleet, as in mode ``delta``: choice c adds c - ``max_delta`` instances to the floor and the cap
    that the reference wants now, within what actions can reach. The middle choice everywhere is exactly the reference. Observations
    are :func:`agents.inference.residual.features`; rewards and infos are the environment's.

    Args:
        env: In mode ``delta``.
        reference: Name of an installed policy, with options: ``"forecast-program:tuned=mini"``.

    Raises:
        InputError: The mode is another, or there is no such policy.

    Example:
        >>> from sageserve_env.env import FleetEnv
        >>> env = ResidualEnv(FleetEnv(problem="mini", max_delta=1), "reactive:tuned=mini")
        >>> observation, _ = env.reset(seed=0)
        >>> observation.shape, env.action_space
        ((56,), MultiDiscrete([3 3 3]))
    """

    def __init__(self, env: FleetEnv, reference: str) -> None:
        super().__init__(env)
        if not isinstance(env.action_space, spaces.MultiDiscrete):
            raise InputError(f"residual = '{reference}' needs action_mode = 'delta', whose choices are its corrections; give that")
        self._fleet, self._reference = env, Reference(reference)
        self._most = env.setup.settings.max_delta
        fleets, world = len(env.action_space.nvec), env.setup.world
        endpoints, origins = fleets // len(world.vm_types), len(world.regions) * len(world.models)
        self.observation_space = spaces.Box(-np.inf, np.inf, (2 + 4 * fleets + 7 * endpoints + 7 * origins,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray[np.float32], Any]:
        """Begin an episode, of which the reference is told what a controller may know."""
        _, info = self._fleet.reset(seed=seed, options=options)
        begin(self._reference, self._fleet)
        return self._look(), unmasked(info)

    def step(self, action: NDArray[np.int64]) -> tuple[NDArray[np.float32], float, bool, bool, Any]:
        """Correct what the reference wants, and simulate to the next control instant.

        Raises:
            InputError: The action is not in the action space.
        """
        choices = self._fleet.setup.checked(np.asarray(action)[None])[0]
        knobs = self._reference.corrected(choices - self._most)
        _, reward, terminated, truncated, info = self._fleet.follow(knobs)
        return self._look(), reward, terminated, truncated, unmasked(info)

    def _look(self) -> NDArray[np.float32]:
        return self._reference.look(self._fleet.telemetry())


def begin(policy: Policy | Reference, env: FleetEnv) -> None:
    """Tell a policy of the episode that an environment has begun, as evaluations do."""
    episode = env.episode
    told = Scenario(**briefing(env.setup.problem, episode, episode.workload_seed))
    policy.reset(told, policy_rng(episode.workload_seed))


def unmasked(info: dict[str, Any]) -> dict[str, Any]:
    """An info without the mask of ``delta``, which forbids no correction."""
    return {name: value for name, value in info.items() if name != "action_mask"}


class Followed:
    """The validation episodes of a problem for policies that set knobs, see :class:`agents.common.scoring.Validation`.

    Args:
        problem: Name of a problem.
        episodes: Only so many, the first ones in the protocol's order; None: all.
        **config: Arguments of the environments.

    Raises:
        InputError: An argument cannot be used.
    """

    def __init__(self, problem: str, episodes: int | None = None, **config: Any) -> None:
        listed = held_out(load_problem(problem), SPLIT)[:episodes]
        self._options = [{}] if config.get("workload") is not None else listed
        self._env = FleetEnv(problem=problem, split=SPLIT, **config)

    def play(self, policy: Policy) -> Scores:
        """Play every episode."""
        env, scores = self._env, []
        for options in self._options:
            env.reset(seed=EPISODE_SEED, options=dict(options))
            begin(policy, env)
            is_over = False
            while not is_over:
                *_, is_over, _ = env.follow(policy.decide(env.telemetry()))
            scores.append(episode_score(env))
        return Scores(tuple(scores))

    def close(self) -> None:
        """Stop the environment's threads."""
        self._env.close()
