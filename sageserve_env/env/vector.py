"""Many fleets as one Gymnasium vector environment: one kernel over all of them, on all cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sageserve_env.env.config import config_from, read_autoreset_mode, read_row_options, read_rows, read_seeds, read_steps
from sageserve_env.env.core import Engine, require_own
from sageserve_env.env.observation.observe import Observer, row_of
from sageserve_env.env.rewards import TERMS, breaches
from sageserve_env.env.row import EnvSnapshot, FleetRow, require_render_mode
from sageserve_env.env.setup import Described, Setup, as_numbers
from sageserve_env.env.single import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.world.checks import require_count

Observations = Any
"""A float32 array, or a dict of arrays, the environment on the first axis."""

Infos = dict[str, Any]

MOST_ENVS = 1 << 16


class VectorRow(FleetRow):
    """One environment of a vector: what ``call``, ``get_attr`` and ``set_attr`` reach. It is reset and stepped with the others."""

    metadata = FleetEnv.metadata

    def __init__(self, setup: Setup, engine: Engine, observer: Observer, row: int, render_mode: str | None) -> None:
        super().__init__(setup, engine, observer, row, render_mode)
        self.np_random = seeding.np_random()[0]


class VectorFleetEnv(Described, VectorEnv[Observations, NDArray[Any], NDArray[Any]]):
    """``num_envs`` independent :class:`sageserve_env.env.FleetEnv`, stepped together.

    Row i is bit-identical to a single environment with the same arguments that is reset with seed + i, at any width, in every
    autoreset mode and on any number of threads. Infos are those that Gymnasium's ``SyncVectorEnv`` makes of single environments:
    ``infos[key]`` with the environment on the first axis, ``infos["_" + key]`` for the rows that have it, and in mode SameStep
    ``final_obs`` and ``final_info``.

    Args:
        num_envs: Environments, 1 to 65,536.
        autoreset_mode: ``"NextStep"``, ``"SameStep"`` or ``"Disabled"``, or the members of ``AutoresetMode``. Disabled: reset the
            rows that ended with ``reset(options={"reset_mask": mask})``.
        max_episode_steps: Steps after which an episode is truncated before its horizon; None and -1 leave that to the horizon.
        copy: Return copies of the observations; False returns a view that the next step overwrites.
        num_threads: Threads to step on; None takes one for each core.
        render_mode: None, ``"human"``, ``"rgb_array"`` or ``"ansi"``.
        **config: Arguments of ``sageserve_env.env.config.Config``.

    Attributes:
        rows: A view of each environment, with the attributes and methods that :meth:`call` reaches.

    Raises:
        InputError: An argument cannot be used.
        TypeError: An argument is unknown.

    Example:
        >>> import gymnasium as gym
        >>> import sageserve_env
        >>> envs = gym.make_vec("SageServe/Mini-v0", num_envs=2, vectorization_mode="vector_entry_point")
        >>> observations, infos = envs.reset(seed=0)
        >>> observations.shape
        (2, 87)
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        copy: bool = True,
        num_threads: int | None = None,
        render_mode: str | None = None,
        **config: Any,
    ) -> None:
        self.closed = True  # Gymnasium 1.2 closes what it deletes, also what was refused half-way
        require_count("num_envs", num_envs, 1, MOST_ENVS)
        if num_threads is not None:
            require_count("num_threads", num_threads, 1)
        require_render_mode(render_mode)
        if not isinstance(copy, bool):
            raise InputError(f"copy = {copy!r}; give True or False")
        self.num_envs, self.render_mode, self.copy = int(num_envs), render_mode, copy
        self.autoreset_mode = read_autoreset_mode(autoreset_mode)
        self.metadata = {**FleetEnv.metadata, "autoreset_mode": self.autoreset_mode}
        self.setup = Setup(config_from(config, VectorFleetEnv))
        self.n_steps = read_steps(max_episode_steps, self.setup.n_steps)
        self.single_action_space = self.setup.action_space
        self.single_observation_space = self.setup.observation_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.reward_space, self.reward_dim = self.setup.reward_space, self.setup.reward_dim
        self._engine = Engine(self.setup.settings, self.num_envs, num_threads or os.cpu_count() or 1)
        self._observer = self.setup.observer(self._engine)
        self.closed = False
        self.rows = [VectorRow(self.setup, self._engine, self._observer, row, render_mode) for row in range(self.num_envs)]
        self._drawn: dict[str, NDArray[Any]] = {}
        self._has_begun = np.zeros(self.num_envs, np.bool_)
        self._spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """How ``gym.make_vec`` made the environments, with the steps of their own episodes as ``max_episode_steps``."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = None if spec is None else replace(spec, max_episode_steps=self.n_steps)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | list[dict[str, Any]] | None = None
    ) -> tuple[Observations, Infos]:
        """Start an episode in every row, or in the rows of ``options["reset_mask"]``; those alone have infos then.

        Args:
            seed: Row i takes seed + i, or the i-th of a list; None goes on with the rows' random numbers.
            options: ``reset_mask`` (bool, shape (num_envs,)) and those of the single environment; or a list, the i-th for row i.

        Raises:
            InputError: A seed or an option is unknown or cannot be used, or a row that was never reset is left out.
        """
        given = dict(options) if isinstance(options, Mapping) else options
        mask = self._read_mask(given.pop("reset_mask", None) if isinstance(given, dict) else None)
        wanted, seeds = read_row_options(given, self.num_envs), read_seeds(seed, self.num_envs)
        for row in np.flatnonzero(mask).tolist():
            if seeds[row] is not None:
                self.rows[row].np_random = seeding.np_random(seeds[row])[0]
            self._begin(row, wanted[row])
        return self._observations(), self._infos(mask)

    def step(self, actions: NDArray[Any]) -> tuple[Observations, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """Act in every row and simulate to the next control instant.

        Raises:
            InputError: An action is not in the action space, or a row has no episode under way.
        """
        ended = self._ended()
        is_idle = ~self._has_begun
        if self.autoreset_mode is AutoresetMode.DISABLED:
            is_idle |= ended
        if is_idle.any():
            rows = np.flatnonzero(is_idle).tolist()
            raise InputError(f"step(): rows {rows} have no episode under way; reset them with options={{'reset_mask': mask}}")
        active = ~ended
        self._engine.step(self.setup.checked(self._read_actions(actions)), active)
        self._observer.update(active)
        for row in np.flatnonzero(active).tolist() if self.render_mode else ():
            self.rows[row]._update_dashboard()
        for row in np.flatnonzero(ended).tolist():
            self._begin(row, {})
        rewards = np.array(self.setup.reward(self._terms()), np.float64)
        rewards[ended] = 0.0
        truncated = active & self._ended()
        final = self._begin_again(truncated) if self.autoreset_mode is AutoresetMode.SAME_STEP and truncated.any() else {}
        infos = self._infos(np.ones(self.num_envs, np.bool_)) | final
        return self._observations(), rewards, np.zeros(self.num_envs, np.bool_), truncated, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """For each row and choice, whether it can be made in full, shape (num_envs, choices), end to end as sb3-contrib wants them.

        Raises:
            InputError: The action mode has no masks.
        """
        self.setup.require_masks()
        return self._engine.rows["mask"].copy()

    def snapshot(self, row: int) -> EnvSnapshot:
        """Everything that decides the future of a row, its random numbers included; it sees the true future.

        Raises:
            InputError: There is no such row.
        """
        return self._row(row).snapshot()

    def fork(self, row: int, seed: int) -> EnvSnapshot:
        """A snapshot of a row whose future is drawn anew: see :meth:`FleetRow.fork`.

        Raises:
            InputError: There is no such row, the seed is none, or the row cannot be forked.
        """
        return self._row(row).fork(seed)

    def restore(self, snapshot: EnvSnapshot, rows: list[int] | None = None) -> Observations:
        """Put rows (all by default) where a snapshot of any row, or of a single environment, was; returns all observations.

        Raises:
            InputError: It is no snapshot, or one of an environment with other arguments, or there is no such row; nothing is
                changed then.
        """
        chosen = list(range(self.num_envs)) if rows is None else read_rows(rows, self.num_envs)
        require_own(snapshot, EnvSnapshot, self.setup.identity)
        for row in chosen:
            self.rows[row]._return_to(snapshot)
            self._note(row)
        return self._observations()

    def render(self) -> tuple[Any, ...]:
        """The dashboard of each row, as :meth:`FleetEnv.render` returns it."""
        return tuple(row.render() for row in self.rows)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """What a method of each row returns, or the value of an attribute that is none; e.g. ``call("telemetry")``.

        Raises:
            AttributeError: Rows have no such attribute.
        """
        found = [getattr(row, name) for row in self.rows]
        return tuple(value(*args, **kwargs) if callable(value) else value for value in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of each row, e.g. ``"episode_description"``."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of each row: to the i-th of a list or tuple, or to one value for all.

        Raises:
            InputError: There are more or fewer values than rows.
            AttributeError: The attribute can only be read.
        """
        given = list(values) if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(given) != self.num_envs:
            raise InputError(f"set_attr({name!r}): {len(given)} values for {self.num_envs} environments; give one for each, or one")
        for row, value in zip(self.rows, given, strict=True):
            setattr(row, name, value)

    def close_extras(self, **_: Any) -> None:
        """Stop the threads and close the windows."""
        self._engine.close()
        for row in self.rows:
            row._close_dashboard()

    def _row(self, row: int) -> VectorRow:
        chosen = read_rows(row, self.num_envs)
        if len(chosen) != 1:
            raise InputError(f"row = {row!r}; give one row, 0 to {self.num_envs - 1}")
        return self.rows[chosen[0]]

    def _begin(self, row: int, options: dict[str, Any] | None) -> None:
        self.rows[row]._begin(options)
        self._note(row)

    def _note(self, row: int) -> None:
        """Keep in arrays what was drawn for a row's episode."""
        episode = self.rows[row]._episode
        self._has_begun[row] = episode is not None
        if episode is None:
            return
        for name, value in episode.drawn.items():
            if name not in self._drawn:
                self._drawn[name] = np.zeros(self.num_envs, type(value))
            self._drawn[name][row] = value

    def _begin_again(self, truncated: NDArray[np.bool_]) -> Infos:
        """Start anew the rows that ended; returns what they ended with."""
        observations = self._observer.observations()
        final_obs = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(truncated).tolist():
            final_obs[row] = row_of(observations, row)
        final = {"final_obs": final_obs, "final_info": self._infos(truncated)}
        for row in np.flatnonzero(truncated).tolist():
            self._begin(row, {})
        return final | {f"_{name}": truncated.copy() for name in final}

    def _ended(self) -> NDArray[np.bool_]:
        rows = self._engine.rows["row"]
        return np.asarray((rows["step"] >= self.n_steps) | (rows["is_overfull"] == 1))

    def _observations(self) -> Observations:
        return self._observer.observations(copy=self.copy)

    def _terms(self) -> dict[str, NDArray[np.float64]]:
        """The terms of the last interval, each of shape (num_envs,); zeros in rows that have just begun."""
        return dict(zip(TERMS, self._engine.rows["terms"].T.copy(), strict=True))

    def _infos(self, told: NDArray[np.bool_]) -> Infos:
        """The infos of some rows; zeros in the others."""
        terms = self._terms()
        values: Infos = {**terms, "cost": breaches(terms), "is_overfull": self._engine.rows["row"]["is_overfull"].astype(np.int8)}
        values |= {name: drawn.copy() for name, drawn in self._drawn.items()}
        if self.setup.has_masks:
            masks = self._engine.rows["mask"].astype(np.int8)
            values["action_mask"] = masks.reshape(self.num_envs, *self.setup.mask_shape)
        if not told.all():
            for array in values.values():
                array[~told] = 0
        return values | {f"_{name}": told.copy() for name in values}

    def _read_actions(self, actions: Any) -> NDArray[Any]:
        array = as_numbers(actions)
        if array.ndim == 0 or len(array) != self.num_envs:
            raise InputError(f"actions have shape {array.shape}; give one for each of the {self.num_envs} environments")
        return array

    def _read_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            kind = f"shape {mask.shape} and dtype {mask.dtype}" if isinstance(mask, np.ndarray) else f"type {type(mask).__name__}"
            raise InputError(f"reset_mask has {kind}; give an array of bool, shape ({self.num_envs},)")
        missing = np.flatnonzero(~mask & ~self._has_begun).tolist()
        if missing:
            raise InputError(f"reset_mask leaves out rows {missing}, which were never reset; reset them first")
        return mask
