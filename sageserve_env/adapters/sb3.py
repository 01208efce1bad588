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
from sageserve_env.registration import IDS
from sageserve_env.world.checks import require_count

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError:
    raise MissingExtra(f"SB3VecEnv needs stable-baselines3, which is not installed; {install_hint('agents')}") from None


class SB3VecEnv(VecEnv):
    """A :class:`VectorFleetEnv` behind Stable-Baselines3's ``VecEnv``: no wrapper for each environment, no process, no copy more.

    A row whose episode ends begins the next at once (SAME_STEP); its ``infos`` entry then holds ``terminal_observation`` and
    ``TimeLimit.truncated`` (True: episodes end at their horizon), and ``episode``, the return ``r`` and length ``l`` that
    Stable-Baselines3 logs. All other entries are empty.

    Args:
        num_envs: Environments, >= 1.
        **config: Arguments of ``VectorFleetEnv`` but ``autoreset_mode``; the reward must be a single number.

    Raises:
        InputError: An argument is unknown or cannot be used.

    Example:
        >>> envs = SB3VecEnv(2, problem="mini", horizon_s=3600.0)
        >>> envs.seed(0)
        [0, 1]
        >>> envs.reset().shape
        (2, 85)
    """

    def __init__(self, num_envs: int, **config: Any) -> None:
        if "autoreset_mode" in config:
            raise InputError(f"autoreset_mode = {config['autoreset_mode']!r}: Stable-Baselines3 needs SAME_STEP; leave it out")
        self.envs = VectorFleetEnv(num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **config)
        self.render_mode = None
        self._actions: NDArray[np.generic] | None = None
        if self.envs.reward_space is not None:
            raise InputError("reward: Stable-Baselines3 learns from one number; give a reward without objectives, such as 'money'")
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, np.int64)
        super().__init__(num_envs, self.envs.single_observation_space, self.envs.single_action_space)

    def reset(self) -> Any:
        """Begin an episode in every row, with the seeds and options given beforehand."""
        seeds = list(self._seeds) if any(seed is not None for seed in self._seeds) else None
        options = next((options for options in self._options if options), None)
        observations, _ = self.envs.reset(seed=seeds, options=options)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:] = 0.0, 0
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions, shape (num_envs, A)."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step every row."""
        observations, rewards, _, truncated, more = self.envs.step(np.asarray(self._actions))
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(truncated).tolist():
            infos[row] = {
                "TimeLimit.truncated": True,
                "terminal_observation": more["final_obs"][row],
                "episode": {"r": float(self._returns[row]), "l": int(self._lengths[row]), "t": 0.0},
            }
            self._returns[row], self._lengths[row] = 0.0, 0
        return observations, rewards.astype(np.float32), truncated, infos

    def close(self) -> None:
        """Stop the threads."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """An attribute of the vector environment, the same for every row."""
        return [getattr(self.envs, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Set an attribute of the vector environment: of all rows at once."""
        if indices is not None and len(list(self._get_indices(indices))) != self.num_envs:
            raise InputError(f"set_attr({attr_name!r}): rows share one environment; leave indices out")
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: int | Iterable[int] | None = None, **kwargs: Any) -> list[Any]:
        """A method's result for each row; ``action_masks`` is what sb3-contrib asks for.

        Raises:
            InputError: The method has no result for each row.
        """
        if method_name not in ("action_masks", "snapshot"):
            raise InputError(f"env_method({method_name!r}) is none of a row; call it on the attribute envs")
        if method_name == "snapshot":
            return [self.envs.snapshot(row) for row in self._get_indices(indices)]
        masks = self.envs.action_masks()
        return [masks[row] for row in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        """Whether the vector environment has an attribute; sb3-contrib looks for ``action_masks`` so."""
        return hasattr(self.envs, attr_name)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: int | Iterable[int] | None = None) -> list[bool]:
        """Never: there is nothing to wrap in a row."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """None: rows are not drawn; render a single environment."""
        return [None] * self.num_envs


def make_sb3_env(env_id: str, n_envs: int = 1, seed: int = 0, **config: Any) -> SB3VecEnv:
    """A seeded vector environment by its id.

    Args:
        env_id: A registered id, e.g. ``"SageServe/Mini-v0"``.
        n_envs: Environments, >= 1.
        seed: Row i begins with seed + i.
        **config: Further arguments of :class:`SB3VecEnv`.

    Raises:
        InputError: The id is unknown, or an argument cannot be used.
    """
    problems = {name: problem for problem, name in IDS.items()}
    if env_id not in problems:
        raise InputError(f"env_id = {env_id!r} is not known; choose one of {', '.join(problems)}")
    require_count("n_envs", n_envs, 1)
    envs = SB3VecEnv(n_envs, problem=problems[env_id], **config)
    envs.seed(seed)
    return envs
