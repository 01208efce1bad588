"""A policy with a memory as an agent: it has no form in NumPy, and plays with PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.inference.conditioned import CONDITIONS, with_condition
from agents.training.settings import Settings
from agents.training.vector import Normalised


class Remembering:
    """Plays a model of RecurrentPPO.

    Args:
        model: The model.
        settings: Of its training.
        seen: What was seen of observations.
    """

    def __init__(self, model: Any, settings: Settings, seen: Normalised) -> None:
        self._model, self._settings, self._seen = model, settings, seen
        self.VIEW = settings.view

    def reset(self, seed: int) -> None:
        """Begin an episode; draws, where actions are sampled, are PyTorch's."""
        self._state: Any = None
        self._is_first = np.ones(1, np.bool_)
        n = self._model.observation_space.shape[0]
        self._frames = np.zeros(n, np.float32)

    def act(self, observation: Any, mask: NDArray[Any] | None) -> NDArray[Any]:
        """The action for an observation."""
        seen = np.asarray(observation)
        if self._settings.condition is not None:
            name = self._settings.condition[0]
            seen = with_condition(seen, name, CONDITIONS[name].usual)
        now = self._seen.normalised(seen)
        self._frames = np.concatenate([self._frames[len(now) :], now])
        action, self._state = self._model.predict(
            self._frames, state=self._state, episode_start=self._is_first, deterministic=self._settings.choose == "likeliest"
        )
        self._is_first = np.zeros(1, np.bool_)
        return np.asarray(action)
