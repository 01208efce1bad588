"""Episodes with a wish each, which the agent sees: one agent then serves many prices of breaches, or many service levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from agents.inference.conditioned import CONDITIONS, entry_of, with_condition
from sageserve_env.env.rewards import USD_PER_REWARD

Reals = NDArray[np.float64]

PRICE_RATE = 0.02
"""How far the logarithm of a level's price moves after one episode at most."""

LEAST_FACTOR, MOST_FACTOR = 0.01, 100.0


class ConditionedEnvs(VecEnvWrapper):
    """Draws for each episode a factor on the price of breaches, or a level of IW-F; evenly, as a network sees it.

    The observation gets it as a last entry (:func:`agents.inference.conditioned.with_condition`), and the reward ``money`` counts
    breaches at the factor, or at the factor that :class:`LevelPrices` has found for the level.

    Args:
        venv: Environments with flat observations and the reward ``money``.
        condition: ``"price_factor"`` or ``"level"``.
        least, most: Of the condition.
        seed: Of the draws.

    Attributes:
        values: What the episodes under way were told, shape (num_envs,).
        prices: What levels cost; learned, and of use for levels only.
    """

    def __init__(self, venv: VecEnv, condition: str, least: float, most: float, seed: int) -> None:
        (entries,) = venv.observation_space.shape or (0,)
        super().__init__(venv, observation_space=spaces.Box(-np.inf, np.inf, (entries + 1,), np.float32))
        self.condition, self.prices = condition, LevelPrices()
        self.values = np.full(venv.num_envs, CONDITIONS[condition].usual)
        self._span, self._rng = entry_of(condition, [least, most]), np.random.default_rng(seed)
        self._late, self._due = np.zeros(venv.num_envs), np.zeros(venv.num_envs)

    def reset(self) -> NDArray[np.float32]:
        """Begin in every row."""
        self._draw(np.ones(self.num_envs, np.bool_))
        return self._seen(np.asarray(self.venv.reset()))

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every row; those that begin an episode begin it with a wish of their own."""
        observations, rewards, dones, infos = self.venv.step_wait()
        breach_usd = np.array([info["breach_usd"] for info in infos])
        self._late += [info["breaches_iw_f"] for info in infos]
        self._due += [info["attainable_iw_f"] for info in infos]
        rewards = np.asarray(rewards - (self.factors - 1.0) * breach_usd / USD_PER_REWARD, np.float32)
        for row in np.flatnonzero(dones).tolist():
            last = with_condition(infos[row]["terminal_observation"], self.condition, self.values[row])
            infos[row]["terminal_observation"] = last
            if self.condition == "level":
                self.prices.adapt(float(self.values[row]), float(self._late[row] / max(self._due[row], 1.0)))
        self._draw(dones)
        return self._seen(np.asarray(observations)), rewards, dones, infos

    @property
    def factors(self) -> Reals:
        """On the price of breaches, of the episodes under way, shape (num_envs,)."""
        return self.values if self.condition == "price_factor" else self.prices.factors(self.values)

    def _seen(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        return with_condition(observations, self.condition, self.values)

    def _draw(self, rows: NDArray[np.bool_]) -> None:
        entries = self._rng.uniform(self._span[0], self._span[1], size=int(rows.sum()))
        self.values[rows] = np.exp(entries) if self.condition == "price_factor" else 1.0 / (1.0 + np.exp(-entries))
        self._late[rows] = self._due[rows] = 0.0


class LevelPrices:
    """Lagrange multipliers of all levels: the logarithm of the factor on the price of a breach is a line over the level's log odds.

    After an episode the line moves up where more was late than its level allows, and down where less was.

    Attributes:
        line: Height at the problem's level, and slope.
    """

    def __init__(self) -> None:
        self.line = np.array([0.0, 1.0])  # of a fleet that is late the less the dearer a breach is

    def factors(self, levels: Reals) -> Reals:
        """Of levels, shape (...,)."""
        x = _beyond_usual(levels)
        factors: Reals = np.clip(np.exp(self.line[0] + self.line[1] * x), LEAST_FACTOR, MOST_FACTOR)
        return factors

    def adapt(self, level: float, late: float) -> None:
        """Learn from an episode.

        Args:
            level: That it was to hold.
            late: Share of its IW-F that was late.
        """
        excess = float(np.clip(late / (1.0 - level) - 1.0, -1.0, 1.0))
        self.line += PRICE_RATE * excess * np.array([1.0, _beyond_usual(level)])
        self.line[0] = np.clip(self.line[0], np.log(LEAST_FACTOR), np.log(MOST_FACTOR))

    def state(self) -> dict[str, NDArray[Any]]:
        """As arrays."""
        return {"prices.line": self.line.copy()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from :meth:`state`."""
        self.line = np.array(arrays["prices.line"])


def _beyond_usual(levels: Any) -> Any:
    return entry_of("level", levels) - entry_of("level", CONDITIONS["level"].usual)
