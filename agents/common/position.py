"""Where environments are in their episodes, as plain arrays: what each was drawn from, and what was done since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from sageserve_env.env import VectorFleetEnv


class Course:
    """The episodes of a vector of mode SameStep, so far.

    An episode is decided by the random numbers that it was drawn from and the actions in it, so these are its position:
    :meth:`restore` draws it anew and acts again, which takes as long as it took.

    Args:
        envs: The vector.
    """

    def __init__(self, envs: VectorFleetEnv) -> None:
        self._envs = envs
        self._drawn_from: list[Any] = []
        self._next: list[Any] = []
        self._steps = np.zeros(envs.num_envs, np.int64)
        self._acted: list[NDArray[Any]] = []

    def reset(self, seed: int) -> NDArray[Any]:
        """Begin: row i with seed + i."""
        for k, row in enumerate(self._envs.rows):
            row.np_random = seeding.np_random(seed + k)[0]
        self._drawn_from, self._steps, self._acted = self._random_states(), np.zeros_like(self._steps), []
        observations = self._envs.reset()[0]
        self._next = self._random_states()
        return np.asarray(observations)

    def note(self, actions: NDArray[Any], is_over: NDArray[np.bool_]) -> None:
        """Take down a step: the actions of all rows, and which rows ended an episode with it and began the next."""
        self._acted.append(np.array(actions))
        self._steps = np.where(is_over, 0, self._steps + 1)
        if is_over.any():
            now = self._random_states()
            for row in np.flatnonzero(is_over).tolist():
                self._drawn_from[row], self._next[row] = self._next[row], now[row]
            self._acted = self._acted[len(self._acted) - int(self._steps.max()) :]

    def state(self) -> dict[str, NDArray[Any]]:
        """As arrays; in ``acted`` are the actions of as many steps as the longest episode has."""
        drawn_from = np.array([json.dumps(state) for state in self._drawn_from])
        acted = np.array(self._acted) if self._acted else np.zeros((0, *(self._envs.action_space.shape or ())))
        return {"drawn_from": drawn_from, "steps": self._steps, "acted": acted}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Go to where :meth:`state` was; the observations there."""
        self._drawn_from = [json.loads(str(text)) for text in arrays["drawn_from"]]
        self._steps, self._acted = np.array(arrays["steps"]), list(arrays["acted"])
        n = len(self._acted)
        observations = self._begin(np.ones(len(self._steps), np.bool_))
        for k, actions in enumerate(self._acted):
            observations = self._envs.step(actions)[0]
            if (starts := self._steps == n - 1 - k).any():  # what these rows did before was of no episode of now
                observations = self._begin(starts)
        self._next = self._random_states()
        return np.asarray(observations)

    def _begin(self, starts: NDArray[np.bool_]) -> Any:
        """Draw some rows' episodes from what they were drawn from."""
        for row in np.flatnonzero(starts).tolist():
            self._envs.rows[row].np_random.bit_generator.state = self._drawn_from[row]
        return self._envs.reset(options={"reset_mask": starts})[0]

    def _random_states(self) -> list[Any]:
        return [row.np_random.bit_generator.state for row in self._envs.rows]
