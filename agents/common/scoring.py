"""What agents are worth on held-out days, all played side by side: for choosing among checkpoints, on the validation split.

The protocol's own scores, on the test split and behind a wall, are those of ``sageserve evaluate``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from sageserve_env.env import VectorFleetEnv
from sageserve_env.evaluation.locked.entrant import Agent
from sageserve_env.evaluation.locked.protocol import held_out
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, EpisodeScore, episode_score
from sageserve_env.scenarios import load_problem

SPLIT = "validation"


@dataclass(frozen=True)
class Scores:
    """What an agent made of several episodes.

    Attributes:
        episodes: The score of each.
    """

    episodes: tuple[EpisodeScore, ...]

    @property
    def usd(self) -> float:
        """Dollars of an episode, mean."""
        return float(np.mean([score.usd for score in self.episodes]))

    @property
    def shortfall(self) -> float:
        """How far the worst tier of the worst episode is below its level, as a share; 0 where every level is held."""
        return max(score.shortfall for score in self.episodes)

    def told(self) -> dict[str, Any]:
        """For a log."""
        names = list(self.episodes[0].attainment)
        return {
            "usd": self.usd,
            "shortfall": self.shortfall,
            "feasible": sum(score.is_feasible for score in self.episodes),
            "episodes": len(self.episodes),
            "vm_usd": round(float(np.mean([score.terms["vm_usd"] for score in self.episodes])), 2),
            "breach_usd": round(float(np.mean([score.terms["breach_usd"] for score in self.episodes])), 2),
            "worst_attainment": {name: round(min(each.attainment[name] for each in self.episodes), 6) for name in names},
        }


def rank_of(told: Mapping[str, Any]) -> tuple[int, float, float]:
    """The protocol's order of scores as a log tells them; less is better.

    What holds every level in every episode goes by dollars, then come the others by how far they miss in the worst one.
    """
    usd, shortfall = float(told["usd"]), float(told["shortfall"])
    return (0, usd, 0.0) if shortfall == 0.0 else (1, shortfall, usd)


def played_out(envs: VectorFleetEnv, observations: Any, act: Callable[[Any], Any]) -> list[EpisodeScore]:
    """Play every row of a vector to the end of the episode that it has begun.

    Args:
        envs: Whose episodes do not begin again by themselves.
        observations: Of its reset.
        act: Gives the actions of all rows for their observations.
    """
    scores: list[EpisodeScore | None] = [None] * envs.num_envs
    while True:
        observations, _, _, ended, _ = envs.step(act(observations))
        for row in np.flatnonzero(ended).tolist():
            scores[row] = scores[row] or episode_score(envs.rows[row])
        played = [score for score in scores if score is not None]
        if len(played) == envs.num_envs:
            return played
        if ended.any():  # one that was overfull plays on, for nothing
            observations, _ = envs.reset(options={"reset_mask": ended})


class Validation:
    """The validation episodes of a problem, the same whenever they are played.

    Args:
        problem: Name of a problem.
        episodes: Only so many, the first ones in the protocol's order: every day as recorded, then perturbed; None: all.
        num_threads: Of the environments; None: one for each core.
        **config: Arguments of the environments.

    Raises:
        InputError: An argument cannot be used.
    """

    def __init__(self, problem: str, episodes: int | None = None, num_threads: int | None = None, **config: Any) -> None:
        listed = held_out(load_problem(problem), SPLIT)[:episodes]
        self._options = [{}] if config.get("workload") is not None else listed
        mode = AutoresetMode.DISABLED
        self._envs = VectorFleetEnv(
            len(self._options), problem=problem, split=SPLIT, autoreset_mode=mode, num_threads=num_threads, **config
        )

    def play(self, new_agent: Callable[[], Agent]) -> Scores:
        """Play every episode.

        Args:
            new_agent: Makes an agent, one for each episode.
        """
        envs, n = self._envs, self._envs.num_envs
        observations, _ = envs.reset(seed=[EPISODE_SEED] * n, options=self._options)
        agents = [new_agent() for _ in range(n)]
        for row, agent in enumerate(agents):
            agent.reset(row)
        actions = np.zeros(envs.action_space.shape or (), envs.action_space.dtype)

        def act(observations: Any) -> Any:
            masks = envs.action_masks() if envs.setup.has_masks else [None] * n
            for row, agent in enumerate(agents):
                actions[row] = agent.act(observations[row], masks[row])
            return actions

        return Scores(tuple(played_out(envs, observations, act)))

    def close(self) -> None:
        """Stop the threads."""
        self._envs.close()
