"""Episodes with a price of breaches each, which the agent sees: one agent then serves many prices."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from agents.inference.conditioned import with_price
from sageserve_env.env.rewards import USD_PER_REWARD


class ConditionedEnvs(VecEnvWrapper):
    """Draws for each episode a factor on the price of breaches, evenly on a logarithmic scale.

    The observation gets it as a last entry (:func:`agents.inference.conditioned.with_price`), and the reward ``money`` counts
    breaches at it.

    Args:
        venv: Environments with flat observations and the reward ``money``.
        least, most: Factors, above 0.
        seed: Of the draws.

    Attributes:
        factors: Of the episodes under way, shape (num_envs,).
    """

    def __init__(self, venv: VecEnv, least: float, most: float, seed: int) -> None:
        (entries,) = venv.observation_space.shape or (0,)
        super().__init__(venv, observation_space=spaces.Box(-np.inf, np.inf, (entries + 1,), np.float32))
        self._span, self._rng = np.log([least, most]), np.random.default_rng(seed)
        self.factors = np.ones(venv.num_envs)

    def reset(self) -> NDArray[np.float32]:
        """Begin in every row."""
        self._draw(np.ones(self.num_envs, np.bool_))
        return with_price(np.asarray(self.venv.reset()), self.factors)

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every row; those that begin an episode begin it with a factor of their own."""
        observations, rewards, dones, infos = self.venv.step_wait()
        breach_usd = np.array([info["breach_usd"] for info in infos])
        rewards = np.asarray(rewards - (self.factors - 1.0) * breach_usd / USD_PER_REWARD, np.float32)
        for row in np.flatnonzero(dones).tolist():
            infos[row]["terminal_observation"] = with_price(infos[row]["terminal_observation"], self.factors[row])
        self._draw(dones)
        return with_price(np.asarray(observations), self.factors), rewards, dones, infos

    def _draw(self, rows: NDArray[np.bool_]) -> None:
        self.factors[rows] = np.exp(self._rng.uniform(self._span[0], self._span[1], size=int(rows.sum())))
