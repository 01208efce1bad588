"""Many fleets as one Gymnasium vector environment: one kernel over all of them, on all cores."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sageserve_env.env.config import EnvSnapshot, Setup, config_from, require_count
from sageserve_env.env.core import Engine
from sageserve_env.env.encode import Feature
from sageserve_env.errors import InputError
from sageserve_env.scenarios import Episode

Observations = Any
"""A float32 array, or a dict of arrays, the environment on the first axis."""

Infos = dict[str, Any]


class VectorFleetEnv(VectorEnv[Observations, NDArray[Any], NDArray[Any]]):
    """``num_envs`` independent :class:`sageserve_env.env.FleetEnv`, stepped together.

    Row i is bit-identical to a single environment with the same arguments that is reset with seed + i, at any width, in every
    autoreset mode and on any number of threads.

    Args:
        num_envs: Environments, >= 1.
        autoreset_mode: ``"NextStep"``, ``"SameStep"`` or ``"Disabled"``, or the members of ``AutoresetMode``. Disabled: reset the
            rows that ended with ``reset(options={"reset_mask": mask})``.
        copy: Return copies of the observations; False returns a view that the next step overwrites.
        num_threads: Threads to step on; None takes one for each core.
        **config: Arguments of ``sageserve_env.env.config.Config``.

    Raises:
        InputError: An argument is unknown or cannot be used.

    Example:
        >>> import gymnasium as gym
        >>> import sageserve_env
        >>> envs = gym.make_vec("SageServe/Mini-v0", num_envs=2, vectorization_mode="vector_entry_point")
        >>> observations, infos = envs.reset(seed=0)
        >>> observations.shape
        (2, 85)
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
        num_threads: int | None = None,
        **config: Any,
    ) -> None:
        require_count("num_envs", num_envs)
        if num_threads is not None:
            require_count("num_threads", num_threads)
        self.num_envs = num_envs
        self.autoreset_mode = read_autoreset_mode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode}
        self.copy = copy
        self.setup = Setup(config_from(config))
        self.single_action_space = self.setup.action_space
        self.single_observation_space = self.setup.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.reward_space = None if self.setup.reward_space is None else batch_space(self.setup.reward_space, num_envs)
        self._engine = Engine(self.setup.settings, num_envs, num_threads or os.cpu_count() or 1)
        self._observer = self.setup.observer(self._engine)
        self._rngs: list[np.random.Generator] = [seeding.np_random()[0] for _ in range(num_envs)]
        self._episodes: list[Episode | None] = [None] * num_envs

    @property
    def observation_features(self) -> list[Feature]:
        """Name, unit, formula and bounds of each entry of an observation."""
        return self.setup.features

    @property
    def observation_groups(self) -> dict[str, NDArray[Any]]:
        """The features by the names, and in the shapes, of the arrays of one ``observation="dict"``."""
        return self.setup.layout.groups

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, Infos]:
        """Start an episode in every row, or in the rows of ``options["reset_mask"]``.

        Args:
            seed: Row i takes seed + i, or the i-th of a list; None goes on with the rows' random numbers.
            options: ``reset_mask`` (bool, shape (num_envs,)) and those of the single environment.

        Raises:
            InputError: An option is unknown or cannot be used, or a row that was never reset is left out.
        """
        wanted = dict(options or {})
        mask = self._read_mask(wanted.pop("reset_mask", None))
        seeds = [None if seed is None else seed + i for i in range(self.num_envs)] if not isinstance(seed, list) else seed
        if len(seeds) != self.num_envs:
            raise InputError(f"reset(seed=...): {len(seeds)} seeds for {self.num_envs} environments; give one for each")
        for row in np.flatnonzero(mask):
            if seeds[row] is not None:
                self._rngs[row] = seeding.np_random(seeds[row])[0]
            self._begin(int(row), wanted)
        infos = self._masked({})
        return self._observations(), infos | self._episode_infos(mask)

    def step(self, actions: NDArray[Any]) -> tuple[Observations, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """Act in every row and simulate to the next control instant.

        Raises:
            InputError: An action is not in the action space, or a row has no episode under way.
        """
        ended = self._ended()
        if None in self._episodes or (self.autoreset_mode is AutoresetMode.DISABLED and ended.any()):
            rows = [row for row, episode in enumerate(self._episodes) if episode is None or ended[row]]
            raise InputError(f"step(): rows {rows} have no episode under way; reset them with options={{'reset_mask': mask}}")
        active = ~ended
        self._engine.step(self.setup.checked(actions, self.num_envs), active)
        self._observer.update(active)
        terms = {name: np.where(active, values, 0.0) for name, values in self._engine.terms.items()}
        rewards = np.asarray(self.setup.reward(terms))
        rewards[ended] = 0.0
        for row in np.flatnonzero(ended):
            self._begin(int(row), {})
        truncated = active & self._ended()
        infos = self._step_infos(terms, active) | self._episode_infos(ended)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and truncated.any():
            infos = self._reset_now(truncated, infos)
        return self._observations(), rewards, np.zeros(self.num_envs, np.bool_), truncated, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """For each row and choice of a ``delta`` action, whether it can be made in full, shape (num_envs, sum of choices).

        Raises:
            InputError: The action mode is not ``delta``.
        """
        if self.setup.settings.action_mode != "delta":
            raise InputError(f"action_masks(): action_mode = {self.setup.settings.action_mode!r} has no masks; use 'delta'")
        return self._engine.rows["mask"].copy()

    def snapshot(self, row: int) -> EnvSnapshot:
        """Everything that decides the future of a row, its random numbers included."""
        random_state = self._rngs[row].bit_generator.state
        return self._engine.snapshot(row), self._episodes[row], random_state, self._observer.snapshot(row)

    def restore(self, snapshot: EnvSnapshot, rows: list[int] | None = None) -> Observations:
        """Put rows (all by default) where a snapshot of any row, or of a single environment, was; returns all observations."""
        state, episode, random_state, seen = snapshot
        for row in range(self.num_envs) if rows is None else rows:
            self._engine.restore(row, state)
            self._observer.restore(row, seen)
            self._episodes[row] = episode
            self._rngs[row].bit_generator.state = random_state
        return self._observations()

    def close_extras(self, **_: Any) -> None:
        """Stop the threads."""
        self._engine.close()

    def _begin(self, row: int, options: dict[str, Any]) -> None:
        episode = self.setup.sample(self._rngs[row], options)
        self._episodes[row] = episode
        self.setup.begin(self._engine, row, episode)
        self._observer.begin(row, episode)

    def _ended(self) -> NDArray[np.bool_]:
        return np.asarray(self._engine.rows["row"]["step"] >= self.setup.n_steps)

    def _read_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        array = np.asarray(mask)
        if array.shape != (self.num_envs,) or array.dtype != np.bool_:
            raise InputError(f"reset_mask has shape {array.shape} and dtype {array.dtype}; give bool of shape ({self.num_envs},)")
        missing = [row for row in np.flatnonzero(~array).tolist() if self._episodes[row] is None]
        if missing:
            raise InputError(f"reset_mask leaves out rows {missing}, which were never reset; reset them first")
        return array

    def _reset_now(self, truncated: NDArray[np.bool_], infos: Infos) -> Infos:
        """Start anew the rows that ended, keeping what they ended with."""
        final: Infos = {
            "final_obs": self._observer.observations(),
            "_final_obs": truncated,
            "final_info": {**infos, **{f"_{key}": truncated for key in infos if not key.startswith("_")}},
            "_final_info": truncated,
        }
        for row in np.flatnonzero(truncated):
            self._begin(int(row), {})
        return self._masked(dict(infos)) | final | self._episode_infos(truncated)

    def _observations(self) -> Observations:
        return self._observer.observations(copy=self.copy)

    def _step_infos(self, terms: dict[str, NDArray[np.float64]], active: NDArray[np.bool_]) -> Infos:
        marked: dict[str, Any] = dict(terms)
        marked |= {f"_{name}": active for name in terms}
        cost = terms["breaches_iw_f"] + terms["breaches_iw_n"] + terms["breaches_niw"]
        return self._masked({"reward_terms": marked, "_reward_terms": active, "cost": cost, "_cost": active})

    def _masked(self, infos: Infos) -> Infos:
        if self.setup.settings.action_mode == "delta":
            infos["action_mask"] = self._engine.rows["mask"].copy()
            infos["_action_mask"] = np.ones(self.num_envs, np.bool_)
        return infos

    def _episode_infos(self, rows: NDArray[np.bool_]) -> Infos:
        """What was drawn for the rows that have just begun."""
        if not rows.any():
            return {}
        drawn = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(rows):
            episode = self._episodes[row]
            drawn[row] = None if episode is None else dict(episode.description)
        return {"episode": drawn, "_episode": rows.copy()}


def read_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    """An autoreset mode by its value, e.g. ``"SameStep"``.

    Raises:
        InputError: There is no such mode.
    """
    try:
        return AutoresetMode(mode)
    except ValueError:
        raise InputError(f"autoreset_mode = {mode!r}; choose one of {', '.join(m.value for m in AutoresetMode)}") from None
