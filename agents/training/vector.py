"""The training environments as an algorithm sees them: drawn starts, normalised observations, centred and scaled rewards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper, VecFrameStack, VecMonitor

from agents.common.moments import Moments
from agents.common.rewards import priced
from agents.inference.mlp import LEAST_VARIANCE
from agents.residual import ResidualEnv
from agents.training.conditioned import ConditionedEnvs
from agents.training.settings import Settings
from sageserve_env.adapters.sb3 import SB3VecEnv
from sageserve_env.env import FleetEnv

CLIP = 10.0
"""Bound of normalised observations, and of scaled rewards."""

DEFAULT_GAMMA = 0.99
"""Of the return by which rewards are scaled, where the algorithm is given no discount."""


class DrawnStarts(SB3VecEnv):
    """Episodes that begin with so many instances of each endpoint, drawn anew for each.

    Args:
        num_envs: Environments.
        least, most: Instances.
        seed: Of the draws.
        **config: Of the environments.
    """

    def __init__(self, num_envs: int, least: int, most: int, seed: int, **config: Any) -> None:
        super().__init__(num_envs, **config)
        self._span, self._rng = (least, most + 1), np.random.default_rng(seed)

    def reset(self) -> Any:
        """Begin in every row."""
        self.set_options([self._drawn() for _ in range(self.num_envs)])
        return super().reset()

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every row; those that begin an episode begin it with a fleet of their own."""
        observations, rewards, dones, infos = super().step_wait()
        for row in np.flatnonzero(dones).tolist():
            only = np.arange(self.num_envs) == row
            observations, _ = self.envs.reset(options={**self._drawn(), "reset_mask": only})
        return observations, rewards, dones, infos

    def _drawn(self) -> dict[str, Any]:
        models = [model.name for model in self.envs.setup.world.models]
        return {"initial_instances": {model: int(self._rng.integers(*self._span)) for model in models}}


class Normalised(VecEnvWrapper):
    """Observations and rewards by what was seen so far.

    An observation becomes (x - mean) / deviation, a reward (r - mean) / deviation of the discounted return, each part as the
    settings say and within ``CLIP``. Where an episode ends, ``terminal_observation`` is normalised too; ``episode`` is not.

    Args:
        venv: Environments with flat observations.
        settings: Which parts.
        gamma: Discount of the return.
    """

    def __init__(self, venv: VecEnv, settings: Settings, gamma: float) -> None:
        super().__init__(venv)
        self.seen, self.rewarded, self.returned = Moments(venv.observation_space.shape or ()), Moments(), Moments()
        self._settings, self._gamma = settings, gamma
        self._return = np.zeros(venv.num_envs)

    def reset(self) -> NDArray[np.float32]:
        """Begin in every row."""
        self._return[:] = 0.0
        return self._observed(self.venv.reset())

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every row."""
        observations, rewards, dones, infos = self.venv.step_wait()
        for row in np.flatnonzero(dones).tolist():
            infos[row]["terminal_observation"] = self.normalised(infos[row]["terminal_observation"])
        return self._observed(observations), self._scaled(np.asarray(rewards, np.float64), dones), dones, infos

    def normalised(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """Observations by what was seen so far, shape (..., O)."""
        if not self._settings.normalise_observations:
            return np.asarray(observations, np.float32)
        scaled = (observations - self.seen.mean) / np.sqrt(self.seen.variance + LEAST_VARIANCE)
        return np.clip(scaled, -CLIP, CLIP).astype(np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """What was seen so far, as arrays."""
        prices = self.venv.prices.state() if isinstance(self.venv, ConditionedEnvs) else {}
        return self.seen.state("seen") | self.rewarded.state("rewarded") | self.returned.state("returned") | prices

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from :meth:`state`."""
        for name in ("seen", "rewarded", "returned"):
            getattr(self, name).restore(name, arrays)
        if isinstance(self.venv, ConditionedEnvs):
            self.venv.prices.restore(arrays)

    def _observed(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        if self._settings.normalise_observations:
            self.seen.update(observations)
        return self.normalised(observations)

    def _scaled(self, rewards: NDArray[np.float64], dones: NDArray[np.bool_]) -> NDArray[np.float32]:
        if self._settings.centre_rewards:
            self.rewarded.update(rewards)
            rewards = rewards - self.rewarded.mean
        self._return = self._return * self._gamma + rewards
        self.returned.update(self._return)
        self._return[dones] = 0.0
        if self._settings.scale_rewards:
            rewards = np.clip(rewards / np.sqrt(self.returned.variance + LEAST_VARIANCE), -CLIP, CLIP)
        return rewards.astype(np.float32)


def residual_env(reference: str, config: dict[str, Any]) -> ResidualEnv:
    """An environment whose actions correct a reference policy."""
    return ResidualEnv(FleetEnv(**config), reference)


def training_envs(problem: str, settings: Settings, seed: int, num_threads: int | None) -> tuple[VecEnv, Normalised]:
    """The environments of a training, seeded: as the algorithm sees them, and the layer that keeps what was seen.

    Raises:
        InputError: A setting cannot be used.
    """
    reward = priced(problem, settings.environment.get("reward", "money"), settings.breach_factor)
    config = {**settings.environment, "problem": problem, "split": "train", "num_threads": num_threads, "reward": reward}
    if settings.train_horizon_s is not None:
        config["horizon_s"] = settings.train_horizon_s
    fleet: VecEnv
    if settings.residual is not None:
        config.pop("num_threads")
        make = partial(residual_env, settings.residual, config)
        fleet = VecMonitor(DummyVecEnv([make] * settings.n_envs))
    elif settings.initial_instances is None:
        fleet = SB3VecEnv(settings.n_envs, **config)
    else:
        fleet = DrawnStarts(settings.n_envs, *settings.initial_instances, seed, **config)
    if settings.condition is not None:
        fleet = ConditionedEnvs(fleet, *settings.condition, seed)
    fleet.seed(seed)
    normalised = Normalised(fleet, settings, float(settings.algorithm.get("gamma", DEFAULT_GAMMA)))
    return (VecFrameStack(normalised, settings.frame_stack) if settings.frame_stack > 1 else normalised), normalised
