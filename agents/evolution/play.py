"""What sets of weights are worth: every candidate plays the same episodes, all as rows of one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from agents.inference.shared import SharedPolicy
from agents.inference.shared.facts import Facts
from sageserve_env.env import VectorFleetEnv
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, LEVELS, EpisodeScore, episode_score
from sageserve_env.scenarios import load_problem

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Of C candidates in B episodes.

    Attributes:
        usd: Dollars, shape (C, B).
        attainment: By tier, shape (C, B, 3); 0 where an episode was overfull.
    """

    usd: Reals
    attainment: Reals

    @classmethod
    def of(cls, scores: Sequence[EpisodeScore], candidates: int) -> Scores:
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

    def summary(self) -> dict[str, Any]:
        """Of the first candidate, for logs."""
        tiers = self.attainment[0]
        return {
            "usd": float(self.usd[0].mean()),
            "feasible": int(self.is_feasible[0].sum()),
            "episodes": self.usd.shape[1],
            "worst": [round(float(share), 5) for share in tiers.min(axis=0)],
            "mean": [round(float(share), 5) for share in tiers.mean(axis=0)],
        }


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

    def train(self, candidates: Reals, seeds: Sequence[int]) -> Scores:
        """Play train episodes by their seeds, the same for all candidates, shape (C, W)."""
        envs = self._vector("train", len(candidates) * len(seeds))
        every: list[int | None] = [*map(int, seeds)] * len(candidates)
        observations, _ = envs.reset(seed=every)
        return self._play(envs, observations, candidates, len(seeds))

    def held_out(self, split: str, weights: Reals) -> Scores:
        """Play every held-out episode of a split with the seed of the protocol; weights of shape (W,)."""
        episodes = load_problem(self._facts.name).split(split).held_out()
        envs = self._vector(split, len(episodes))
        seeds: list[int | None] = [EPISODE_SEED] * len(episodes)
        observations, _ = envs.reset(seed=seeds, options=list(episodes))
        return self._play(envs, observations, weights[None], len(episodes))

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

    def _play(self, envs: VectorFleetEnv, observations: Any, candidates: Reals, episodes: int) -> Scores:
        """To the end of every row's episode; one that ends early is begun again, and no longer counts."""
        policy = SharedPolicy(self._facts, np.repeat(candidates, episodes, axis=0))
        scores: list[EpisodeScore | None] = [None] * envs.num_envs
        while True:
            observations, _, _, ended, _ = envs.step(policy.act_all(observations))
            for row in np.flatnonzero(ended).tolist():
                scores[row] = scores[row] or episode_score(envs.rows[row])
            played = [score for score in scores if score is not None]
            if len(played) == envs.num_envs:
                return Scores.of(played, len(candidates))
            if ended.any():
                observations, _ = envs.reset(options={"reset_mask": ended})
