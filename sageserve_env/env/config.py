"""What ``gym.make`` takes, checked once and shared by the single and the vector environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sageserve_env.env.actions import MAX_DELTA, action_space
from sageserve_env.env.core import Engine, RowSnapshot, Settings
from sageserve_env.env.demand import history_window_s
from sageserve_env.env.observe import FORMS, Layout, Observer, ObserverSnapshot, View
from sageserve_env.env.rewards import Reward, as_reward, reward_space
from sageserve_env.errors import InputError
from sageserve_env.forecasters import Forecaster, as_forecaster
from sageserve_env.scenarios import SPLITS, Episode, Problem, load_problem
from sageserve_env.workload.request import Workload
from sageserve_env.world.schema import LeadTimes, World

MAX_IN_FLIGHT = 1 << 22

EnvSnapshot = tuple[RowSnapshot, Episode | None, Mapping[str, Any], ObserverSnapshot]
"""One environment at a control instant: its row, its episode, the state of its random numbers, and what its agent has seen."""


@dataclass(frozen=True)
class Config:
    """Arguments of the environments.

    Attributes:
        problem: Name of a problem (``sageserve_env.scenarios.load_problem``), or the problem itself.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        world: Another world: itself, the name of a preset, or a YAML file.
        workload: Another workload: itself, a name of the catalog, or a trace file.
        control_interval_s: Seconds between two actions.
        horizon_s: Seconds in an episode, a whole number of intervals.
        action_mode: One of ``actions.ACTION_MODES``.
        max_delta: Most instances that one ``delta`` action changes an endpoint by, >= 1.
        reward: Name of a preset (``rewards.REWARDS``), or a reward.
        admission_order: ``"FCFS"``, ``"EDF"``, ``"PF"`` or ``"DPA"``.
        lead_times: Other lead times: a ``LeadTimes``, or seconds by the names of its fields.
        observation: ``"flat"``, one Box, or ``"dict"``: ``endpoints`` (N, F), ``regions`` (R, K), ``time`` (4,), and ``forecast``
            (R, M) and ``action_mask`` where they are on.
        mask_in_observation: Put the action mask (``delta`` only) into the observation, under ``action_mask`` (int8, one entry for
            each choice); a flat observation is then a dict of ``observation`` and ``action_mask``.
        hide_queues: Leave waiting requests and pending tokens out of the observation.
        telemetry_delay: Age of the observation in control intervals, >= 0; until that many have passed, the first one is seen.
            The action mask is always the present one.
        telemetry_noise: Relative standard deviation of normal noise on the entries of utilization, queues and arrivals, >= 0: an
            entry becomes entry * (1 + noise * z), within its bounds. The episode's seed gives it random numbers of its own.
        forecaster: Adds the next hour's demand to the observation: name of an entry point of the group
            ``sageserve.forecasters``, or an object with ``forecast(history, window_s)``. It is given the interactive input
            tokens/s before the episode, where its workload has a past, and in it, in windows of 900 s or one interval if that is
            longer. At a reset the past is played, which takes as long as drawing its requests.
        max_in_flight: Most requests in the system at once.
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


def require_count(name: str, value: Any) -> None:
    """Raise InputError unless an argument is a whole number >= 1."""
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{name} = {value!r}; give a whole number >= 1")


def require_view(config: Config) -> None:
    """Raise InputError unless the options of the observation can be used, also together."""
    if config.observation not in FORMS:
        raise InputError(f"observation = {config.observation!r}; choose one of {', '.join(FORMS)}")
    for name in ("mask_in_observation", "hide_queues"):
        if not isinstance(getattr(config, name), bool):
            raise InputError(f"{name} = {getattr(config, name)!r}; give True or False")
    if config.mask_in_observation and config.action_mode != "delta":
        raise InputError(f"mask_in_observation = True: action_mode = {config.action_mode!r} has no masks; use 'delta'")
    delay, noise = config.telemetry_delay, config.telemetry_noise
    if isinstance(delay, bool) or not isinstance(delay, int) or delay < 0:
        raise InputError(f"telemetry_delay = {delay!r}; give a whole number of control intervals, >= 0")
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not (math.isfinite(noise) and noise >= 0):
        raise InputError(f"telemetry_noise = {noise!r}; give a relative standard deviation >= 0, such as 0.1")


def whole_steps(horizon_s: float, interval_s: float) -> int:
    """Steps of an episode.

    Raises:
        InputError: The horizon is not a whole number of intervals.
    """
    steps = round(horizon_s / interval_s)
    if steps < 1 or abs(steps * interval_s - horizon_s) > 1e-6:
        raise InputError(f"horizon_s = {horizon_s:g} is no whole number of control intervals; give a multiple of {interval_s:g} s")
    return steps


class Setup:
    """A checked configuration: the problem to play, the spaces, the engine's settings, the layout of observations.

    Raises:
        InputError: An argument is unknown to its list or out of its range.
    """

    def __init__(self, config: Config) -> None:
        if config.split not in SPLITS:
            raise InputError(f"split = {config.split!r}; choose one of {', '.join(SPLITS)}")
        require_count("max_delta", config.max_delta)
        require_count("max_in_flight", config.max_in_flight)
        require_view(config)
        problem = load_problem(config.problem) if isinstance(config.problem, str) else config.problem
        self.problem = problem.with_overrides(
            world=config.world,
            workload=config.workload,
            control_interval_s=config.control_interval_s,
            horizon_s=config.horizon_s,
            lead_times=config.lead_times,
            admission_order=config.admission_order,
        )
        self.split = config.split
        self.world = self.problem.world()
        self.reward = as_reward(config.reward)
        self.reward_space = reward_space(self.reward)
        self.n_steps = whole_steps(self.problem.horizon_s, self.problem.control_interval_s)
        self.settings = Settings(
            world=self.world,
            action_mode=config.action_mode,
            reward=self.reward,
            control_interval_s=self.problem.control_interval_s,
            max_delta=config.max_delta,
            admission_order=self.problem.admission_order,
            max_in_flight=config.max_in_flight,
        )
        self.action_space = action_space(config.action_mode, self.world, config.max_delta)
        self.layout = Layout(self._view(config), self.world)
        self.features = self.layout.features
        self.observation_space = self.layout.space

    def observer(self, engine: Engine) -> Observer:
        """What the agents of an engine's rows see."""
        return Observer(self.layout, engine, self.n_steps)

    def sample(self, rng: np.random.Generator, options: dict[str, Any] | None) -> Episode:
        """Draw an episode of the split."""
        return self.problem.sample(self.split, rng, options)

    def begin(self, engine: Engine, row: int, episode: Episode) -> None:
        """Start an episode in a row of an engine."""
        engine.begin(row, episode.workload, episode.workload_seed, episode.week_start_s, episode.initial_instances)

    def _view(self, config: Config) -> View:
        forecaster = None if config.forecaster is None else as_forecaster(config.forecaster)
        if forecaster is not None:
            history_window_s(self.problem.control_interval_s)
        return View(
            form=config.observation,
            n_choices=int(self.action_space.nvec.sum()) if config.mask_in_observation else 0,  # type: ignore[attr-defined]
            hides_queues=config.hide_queues,
            delay=config.telemetry_delay,
            noise=float(config.telemetry_noise),
            forecaster=forecaster,
        )

    def checked(self, actions: Any, n_envs: int) -> NDArray[Any]:
        """Actions as an array of shape (n_envs, A).

        Raises:
            InputError: The shape is wrong, or a value is NaN or outside the action space.
        """
        shape = (n_envs, *(self.action_space.shape or ()))
        array = np.asarray(actions)
        if array.shape != shape:
            raise InputError(f"action has shape {array.shape[1:]}; the action space has {shape[1:]}")
        if isinstance(self.action_space, spaces.MultiDiscrete):
            if array.dtype.kind not in "iu":
                raise InputError(f"action has dtype {array.dtype}; a MultiDiscrete action holds integers")
            low, high = 0, int(self.action_space.nvec[0]) - 1
        else:
            low, high = 0, 1
        if array.size and not (array.min() >= low and array.max() <= high):
            place = tuple(int(i) for i in np.argwhere(~((array >= low) & (array <= high)))[0])
            raise InputError(f"action{list(place[1:])} = {array[place]} is outside the action space; give {low} to {high}")
        return array


def config_from(arguments: dict[str, Any]) -> Config:
    """A configuration from keyword arguments.

    Raises:
        InputError: There is no such argument.
    """
    unknown = sorted(set(arguments) - set(Config.__dataclass_fields__))
    if unknown:
        raise InputError(f"argument {unknown[0]!r} is unknown; choose from {', '.join(Config.__dataclass_fields__)}")
    return Config(**arguments)
