"""What ``gym.make`` takes: the arguments of the single and the vector environment, and their checks one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from sageserve_env.env.actions import MASKED_MODES, MAX_DELTA
from sageserve_env.env.observation.observe import FORMS
from sageserve_env.env.rewards import Reward
from sageserve_env.errors import InputError, shown
from sageserve_env.forecasters import Forecaster
from sageserve_env.scenarios import Problem
from sageserve_env.workload.request import Workload
from sageserve_env.world.checks import is_number, require_choice, require_count
from sageserve_env.world.schema import LeadTimes, World

MAX_IN_FLIGHT = 1 << 22
MOST_IN_FLIGHT = 1 << 30
"""Slots that the kernels' indices can name."""

MOST_NOISE = 100.0
NO_LIMIT = -1


@dataclass(frozen=True)
class Config:
    """Arguments of the environments.

    Attributes:
        problem: Name or id of a problem (``sageserve_env.scenarios.load_problem``), or the problem itself.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        world: Another world: itself, the name of a preset, or a YAML file.
        workload: Another workload: itself, a name of the catalog, or a trace file.
        control_interval_s: Seconds between two actions, at most ten million in an episode.
        horizon_s: Seconds in an episode, a whole number of intervals, at most a leap year.
        action_mode: One of ``actions.ACTION_MODES``.
        max_delta: Most instances that one ``delta`` or ``discrete`` action changes an endpoint by, 1 to the VMs of a region.
        reward: Name of a preset (``rewards.REWARDS``), or a reward.
        admission_order: ``"FCFS"``, ``"EDF"``, ``"PF"`` or ``"DPA"``.
        lead_times: Other lead times: a ``LeadTimes``, or seconds by the names of its fields.
        observation: ``"flat"``, one Box, or ``"dict"``: ``endpoints`` (N, F), ``regions`` (R, K), ``time`` (6,), and ``forecast``
            (R, M) and ``action_mask`` where they are on.
        mask_in_observation: Put the action mask (``delta`` and ``discrete`` only) into the observation, under ``action_mask``
            (int8, one entry for each choice); a flat observation is then a dict of ``observations`` and ``action_mask``.
        hide_queues: Leave waiting requests and pending tokens out of the observation.
        telemetry_delay: Age of the observation in control intervals, 0 to those of an episode; until that many have passed, the
            first one is seen. The action mask is always the present one.
        telemetry_noise: Relative standard deviation of normal noise on the entries of utilization, queues and arrivals, 0 to 100:
            an entry becomes entry * (1 + noise * z), within its bounds. The episode's seed gives it random numbers of its own.
        forecaster: Adds the next hour's demand to the observation: name of an entry point of the group
            ``sageserve.forecasters``, or an object with ``forecast(history, window_s)``. It is given the interactive input
            tokens/s before the episode, where its workload has a past, and in it, in windows of 900 s or one interval if that is
            longer. At a reset the past is played, which takes as long as drawing its requests.
        max_in_flight: Most requests in the system at once; an episode that would have more is truncated there (``is_overfull``).
    """

    problem: str | Problem = "mini"
    split: str = "train"
    world: World | str | Path | None = None
    workload: Workload | str | Path | None = None
    control_interval_s: float | None = None
    horizon_s: float | None = None
    action_mode: str = "delta"
    max_delta: int = MAX_DELTA
    reward: str | Reward = "money"
    admission_order: str | None = None
    lead_times: LeadTimes | dict[str, float] | None = None
    observation: str = "flat"
    mask_in_observation: bool = False
    hide_queues: bool = False
    telemetry_delay: int = 0
    telemetry_noise: float = 0.0
    forecaster: str | Forecaster | None = None
    max_in_flight: int = MAX_IN_FLIGHT


def config_from(arguments: dict[str, Any], owner: type) -> Config:
    """A configuration from the keyword arguments that a class was given beside its own.

    Raises:
        TypeError: There is no such argument; the message is Python's own, and a remedy.
    """
    own = [name for name, parameter in signature(owner).parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
    known = [*own, *Config.__dataclass_fields__]
    for name in arguments:
        if name not in Config.__dataclass_fields__:
            nearest = get_close_matches(name, known, n=1)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"choose from {', '.join(known)}"
            raise TypeError(f"{owner.__name__}.__init__() got an unexpected keyword argument {name!r}; {remedy}")
    return Config(**arguments)


def require_view(config: Config) -> None:
    """Raise InputError unless the options of the observation can be used, also together."""
    require_choice("observation", config.observation, FORMS)
    for name in ("mask_in_observation", "hide_queues"):
        if not isinstance(getattr(config, name), bool):
            raise InputError(f"{name} = {getattr(config, name)!r}; give True or False")
    if config.mask_in_observation and config.action_mode not in MASKED_MODES:
        modes = " or ".join(repr(mode) for mode in MASKED_MODES)
        raise InputError(f"mask_in_observation = True: action_mode = {config.action_mode!r} has no masks; use {modes}")
    noise = config.telemetry_noise
    if not is_number(noise) or not 0 <= noise <= MOST_NOISE:
        raise InputError(f"telemetry_noise = {noise!r}; give a relative standard deviation from 0 to {MOST_NOISE:g}, such as 0.1")


def whole_steps(horizon_s: float, interval_s: float) -> int:
    """Steps of an episode.

    Raises:
        InputError: The horizon is not a whole number of intervals.
    """
    steps = round(horizon_s / interval_s)
    if steps < 1 or abs(steps * interval_s - horizon_s) > 1e-6:
        raise InputError(f"horizon_s = {horizon_s:g} is no whole number of control intervals; give a multiple of {interval_s:g} s")
    return steps


def read_seed(seed: Any) -> int | None:
    """A seed of ``reset`` as a plain integer; None stays None.

    Raises:
        InputError: It is no whole number >= 0.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, Integral) or int(seed) < 0:
        raise InputError(f"reset(seed={seed!r}): give a whole number >= 0")
    return int(seed)


def read_fork_seed(seed: Any) -> int:
    """A seed of ``fork`` as a plain integer.

    Raises:
        InputError: It is no whole number from 0 to 2**64 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= int(seed) < 2**64:
        raise InputError(f"fork(seed={shown(seed)}): give a whole number from 0 to 2**64 - 1")
    return int(seed)


def read_seeds(seed: Any, n_envs: int) -> list[int | None]:
    """A seed for each environment: those of a list, or one and those that follow it.

    Raises:
        InputError: One is no whole number >= 0, or there are more or fewer than environments.
    """
    if is_list(seed):
        if len(seed) != n_envs:
            raise InputError(f"reset(seed=...): {len(seed)} seeds for {n_envs} environments; give one for each")
        return [read_seed(one) for one in seed]
    first = read_seed(seed)
    return [None if first is None else first + row for row in range(n_envs)]


def read_row_options(options: Any, n_envs: int) -> list[dict[str, Any] | None]:
    """Options of a reset for each environment: those of a list, or the same for all.

    Raises:
        InputError: One is no dict, or there are more or fewer than environments.
    """
    each = list(options) if is_list(options) else [options] * n_envs
    if len(each) != n_envs:
        raise InputError(f"reset(options=...): {len(each)} dicts for {n_envs} environments; give one for each, or one for all")
    for one in each:
        if one is not None and not isinstance(one, Mapping):
            raise InputError(f"options = {one!r} is no dict; give reset_mask, or options of the single environment")
    return each


def read_rows(rows: Any, n_envs: int) -> list[int]:
    """Numbers of rows, or the number of one.

    Raises:
        InputError: There is no such row.
    """
    given = list(rows) if is_list(rows) else [rows]
    for row in given:
        if isinstance(row, bool) or not isinstance(row, Integral) or not 0 <= int(row) < n_envs:
            raise InputError(f"row = {row!r} is none of these environments; give 0 to {n_envs - 1}")
    return [int(row) for row in given]


def is_list(values: Any) -> bool:
    """Whether something is a list of values, rather than one."""
    return isinstance(values, list | tuple | range) or (isinstance(values, np.ndarray) and values.ndim == 1)


def read_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    """An autoreset mode by its value, e.g. ``"SameStep"``.

    Raises:
        InputError: There is no such mode.
    """
    try:
        return AutoresetMode(mode)
    except ValueError:
        raise InputError(f"autoreset_mode = {mode!r}; choose one of {', '.join(m.value for m in AutoresetMode)}") from None


def read_steps(most: int | None, n_steps: int) -> int:
    """Steps of an episode: up to its horizon, or fewer.

    Raises:
        InputError: The limit is neither -1 nor a whole number >= 1.
    """
    if most is None or (isinstance(most, int) and most == NO_LIMIT):
        return n_steps
    require_count("max_episode_steps", most, 1)
    return min(int(most), n_steps)
