"""The vector environment as Stable-Baselines3 wants it. Needs the extra ``agents``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from sageserve_env.env.vector import VectorFleetEnv
from sageserve_env.errors import InputError
from sageserve_env.extras import MissingExtra, install_hint
from sageserve_env.registration import problem_name
from sageserve_env.world.checks import require_count

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError:
    raise MissingExtra(f"SB3VecEnv needs stable-baselines3, which is not installed; {install_hint('agents')}") from None

Indices = int | Iterable[int] | None
"""Rows: one, several, or all."""


class SB3VecEnv(VecEnv):
    """A :class:`VectorFleetEnv` behind Stable-Baselines3's ``VecEnv``: no wrapper for each environment, no process, no copy more.

    It does what ``DummyVecEnv`` does with as many single environments, the same numbers included. A row's ``infos`` are the single
    environment's, with ``TimeLimit.truncated``; a row whose episode ends begins the next at once (SAME_STEP), and its ``infos``
    also hold ``terminal_observation`` and ``episode``, the return ``r`` and length ``l`` that Stable-Baselines3 logs. Attributes
    and methods of a row are those of ``VectorFleetEnv.rows``.

    Args:
        num_envs: Environments, >= 1.
        render_mode: None, ``"human"``, ``"rgb_array"`` or ``"ansi"``; ``render()`` tiles the rows' pictures.
        **config: Arguments of ``VectorFleetEnv`` but ``autoreset_mode``; the reward must be a single number.

    Raises:
        InputError: An argument cannot be used.
        TypeError: An argument is unknown.

    Example:
        >>> envs = SB3VecEnv(2, problem="mini", horizon_s=3600.0)
        >>> envs.seed(0)
        [0, 1]
        >>> envs.reset().shape
        (2, 87)
    """

    def __init__(self, num_envs: int, *, render_mode: str | None = None, **config: Any) -> None:
        if "autoreset_mode" in config:
            raise InputError(f"autoreset_mode = {config['autoreset_mode']!r}: Stable-Baselines3 needs SAME_STEP; leave it out")
        self.envs = VectorFleetEnv(num_envs, autoreset_mode=AutoresetMode.SAME_STEP, render_mode=render_mode, **config)
        if self.envs.reward_space is not None:
            raise InputError("reward: Stable-Baselines3 learns from one number; give a reward without objectives, such as 'money'")
        self._actions: NDArray[np.generic] | None = None
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, np.int64)
        super().__init__(num_envs, self.envs.single_observation_space, self.envs.single_action_space)
        self.metadata = self.envs.metadata

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Options of the next reset: one dict for all rows, or a list with one for each.

        Raises:
            InputError: The list has another length.
        """
        if isinstance(options, list) and len(options) != self.num_envs:
            raise InputError(
                f"set_options(): {len(options)} dicts for {self.num_envs} rows; give one for each, or one dict for all"
            )
        super().set_options(options)

    def reset(self) -> Any:
        """Begin an episode in every row, with the seeds and options given beforehand."""
        observations, infos = self.envs.reset(seed=list(self._seeds), options=self._options)
        self.reset_infos = by_row(infos)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:] = 0.0, 0
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions, shape (num_envs, A), or (num_envs,) where they are ``discrete``."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every row."""
        observations, rewards, _, truncated, told = self.envs.step(np.asarray(self._actions))
        self._returns += rewards
        self._lengths += 1
        infos = by_row(told)
        if truncated.any():
            self._end_episodes(np.flatnonzero(truncated).tolist(), infos, told)
        for row, is_over in enumerate(truncated.tolist()):
            infos[row]["TimeLimit.truncated"] = is_over
        return observations, rewards.astype(np.float32), truncated, infos

    def close(self) -> None:
        """Stop the threads."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """An attribute of each row."""
        return [getattr(row, attr_name) for row in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of each row to one value."""
        for row in self._rows(indices):
            setattr(row, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any) -> list[Any]:
        """What a method of each row returns; ``action_masks`` is what sb3-contrib asks for."""
        return [getattr(row, method_name)(*method_args, **method_kwargs) for row in self._rows(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """Never: there is nothing to wrap in a row."""
        return [False for _ in self._rows(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """The rows' pictures, each of shape (720, 1280, 3)."""
        return self.envs.render()

    def _rows(self, indices: Indices) -> list[Any]:
        return [self.envs.rows[row] for row in self._get_indices(indices)]

    def _end_episodes(self, rows: list[int], infos: list[dict[str, Any]], told: dict[str, Any]) -> None:
        """Put into the infos of rows that ended what they ended with; what they begin with goes to ``reset_infos``."""
        final = by_row(told["final_info"])
        for row in rows:
            self.reset_infos[row] = infos[row]
            infos[row] = final[row] | {
                "terminal_observation": told["final_obs"][row],
                "episode": {"r": float(self._returns[row]), "l": int(self._lengths[row]), "t": 0.0},
            }
            self._returns[row], self._lengths[row] = 0.0, 0


def make_sb3_env(env_id: str, n_envs: int = 1, seed: int = 0, **config: Any) -> SB3VecEnv:
    """A seeded vector environment by its id.

    Args:
        env_id: An id in any form that ``gym.make`` takes, e.g. ``"SageServe/Mini-v0"``, or the name of a problem.
        n_envs: Environments, >= 1.
        seed: Row i begins with seed + i.
        **config: Further arguments of :class:`SB3VecEnv`.

    Raises:
        InputError: The id is unknown, or an argument cannot be used.
        TypeError: An argument is unknown.
    """
    problem = problem_name(env_id, "env_id")
    require_count("n_envs", n_envs, 1)
    envs = SB3VecEnv(n_envs, problem=problem, **config)
    envs.seed(seed)
    return envs


def by_row(infos: dict[str, Any]) -> list[dict[str, Any]]:
    """A vector's infos as a dict for each row: numbers, and arrays where an entry is one."""
    columns = {
        name: values.tolist() if values.ndim == 1 else list(values)
        for name, values in infos.items()
        if not name.startswith("_") and name not in ("final_obs", "final_info")
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
