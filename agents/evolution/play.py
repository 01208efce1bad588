"""What sets of weights are worth: every candidate plays the same episodes, all as rows of one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from agents.common.scoring import SPLIT, Scores, played_out
from agents.inference.shared import SharedPolicy
from agents.inference.shared.facts import Facts
from sageserve_env.env import VectorFleetEnv
from sageserve_env.evaluation.locked.protocol import held_out
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, LEVELS, EpisodeScore
from sageserve_env.scenarios import load_problem

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """Of C candidates in B episodes.

    Attributes:
        usd: Dollars, shape (C, B).
        attainment: By tier, shape (C, B, 3); 0 where an episode was overfull.
    """

    usd: Reals
    attainment: Reals

    @classmethod
    def of(cls, scores: Sequence[EpisodeScore], candidates: int) -> Outcomes:
        """Of the rows, candidate by candidate."""
        usd = np.array([score.usd for score in scores])
        attained = np.array([[0.0] * len(LEVELS) if score.is_overfull else list(score.attainment.values()) for score in scores])
        return cls(usd.reshape(candidates, -1), attained.reshape(candidates, -1, len(LEVELS)))

    @property
    def is_feasible(self) -> NDArray[np.bool_]:
        """Whether every level was held, shape (C, B)."""
        return np.asarray((self.attainment >= np.array(LEVELS)).all(axis=2))

    def cost(self, penalty: float, worst: float, margins: Sequence[float]) -> Reals:
        """Mean dollars, and a part of them more for what is missing, shape (C,); see ``Settings``."""
        missing = np.maximum(np.array(LEVELS) + np.array(margins) - self.attainment, 0.0).sum(axis=2)
        return np.asarray(self.usd.mean(axis=1) * (1.0 + penalty * (missing.mean(axis=1) + worst * missing.max(axis=1))))


class Player:
    """Plays weights in vectors that are made once.

    Args:
        facts: Of the problem.
        threads: That simulate.
        horizon_s: Of an episode; None: the problem's.
    """

    def __init__(self, facts: Facts, threads: int = 1, horizon_s: float | None = None) -> None:
        self._facts, self._threads, self._horizon_s = facts, threads, horizon_s
        self._envs: dict[str, VectorFleetEnv] = {}

    def train(self, candidates: Reals, seeds: Sequence[int]) -> Outcomes:
        """Play train episodes by their seeds, the same for all candidates, shape (C, W)."""
        envs = self._vector("train", len(candidates) * len(seeds))
        every: list[int | None] = [*map(int, seeds)] * len(candidates)
        observations, _ = envs.reset(seed=every)
        return Outcomes.of(self._play(envs, observations, candidates, len(seeds)), len(candidates))

    def score(self, weights: Reals, split: str = SPLIT) -> Scores:
        """Play every episode of a held-out split with the seed of the protocol; weights of shape (W,)."""
        return self.score_each(weights[None], split)[0]

    def score_each(self, candidates: Reals, split: str = SPLIT) -> list[Scores]:
        """The same for several, shape (C, W), side by side."""
        episodes = held_out(load_problem(self._facts.name), split)
        envs = self._vector(split, len(candidates) * len(episodes))
        observations, _ = envs.reset(seed=[EPISODE_SEED] * envs.num_envs, options=episodes * len(candidates))
        played = self._play(envs, observations, candidates, len(episodes))
        return [Scores(tuple(played[k : k + len(episodes)])) for k in range(0, len(played), len(episodes))]

    @property
    def n_steps(self) -> int:
        """Of an episode, once train episodes have been played."""
        return self._envs["train"].n_steps

    def close(self) -> None:
        """Stop the threads."""
        for envs in self._envs.values():
            envs.close()

    def _vector(self, split: str, rows: int) -> VectorFleetEnv:
        envs = self._envs.get(split)
        if envs is None or envs.num_envs != rows:
            self._envs[split] = VectorFleetEnv(
                rows,
                problem=self._facts.name,
                split=split,
                horizon_s=self._horizon_s,
                autoreset_mode=AutoresetMode.DISABLED,
                num_threads=self._threads,
                copy=False,
                **SharedPolicy.VIEW,
            )
        return self._envs[split]

    def _play(self, envs: VectorFleetEnv, observations: Any, candidates: Reals, episodes: int) -> list[EpisodeScore]:
        """The episodes of candidate after candidate."""
        policy = SharedPolicy(self._facts, np.repeat(candidates, episodes, axis=0))
        return played_out(envs, observations, policy.act_all)
