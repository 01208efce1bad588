"""A configuration, checked once and shared by the single and the vector environment: spaces, settings, episodes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sageserve_env.env.actions import ACTION_MODES, MASKED_MODES, action_space, mask_shape
from sageserve_env.env.config import MOST_IN_FLIGHT, Config, require_view, whole_steps
from sageserve_env.env.core import Engine
from sageserve_env.env.observation.demand import history_window_s
from sageserve_env.env.observation.encode import Feature
from sageserve_env.env.observation.observe import Layout, Observer, View
from sageserve_env.env.rewards import as_reward, reward_space
from sageserve_env.env.tables import Settings
from sageserve_env.errors import InputError
from sageserve_env.forecasters import as_forecaster
from sageserve_env.scenarios import SPLITS, Episode, Problem, load_problem
from sageserve_env.world.checks import require_choice, require_count


class Setup:
    """A checked configuration: the problem to play, the spaces, the engine's settings, the layout of observations.

    Attributes:
        reward_space: Where a vector reward lies; None for a number.
        reward_dim: Numbers in a reward.
        n_steps: Steps of an episode that reaches its horizon.
        mask_shape: Shape of one action mask.

    Raises:
        InputError: An argument is unknown to its list or out of its range.
    """

    def __init__(self, config: Config) -> None:
        require_choice("split", config.split, SPLITS)
        require_choice("action_mode", config.action_mode, ACTION_MODES)
        require_view(config)
        self.problem = read_problem(config.problem).with_overrides(
            world=config.world,
            workload=config.workload,
            control_interval_s=config.control_interval_s,
            horizon_s=config.horizon_s,
            lead_times=config.lead_times,
            admission_order=config.admission_order,
        )
        self.split = config.split
        self.world = self.problem.world()
        self.n_steps = whole_steps(self.problem.horizon_s, self.problem.control_interval_s)
        most_vms = max(sum(region.vm_capacity.values()) for region in self.world.regions)
        for name, least, most in (
            ("max_delta", 1, most_vms),
            ("max_in_flight", 1, MOST_IN_FLIGHT),
            ("telemetry_delay", 0, self.n_steps),
        ):
            require_count(name, getattr(config, name), least, most)
        self.reward = as_reward(config.reward, self.world, self.problem.breach_prices_usd)
        self.reward_space = reward_space(self.reward)
        self.reward_dim = 1 if self.reward_space is None else self.reward_space.shape[0]
        self.settings = Settings(
            world=self.world,
            action_mode=config.action_mode,
            reward=self.reward,
            control_interval_s=self.problem.control_interval_s,
            max_delta=int(config.max_delta),
            admission_order=self.problem.admission_order,
            max_in_flight=int(config.max_in_flight),
            n_steps=self.n_steps,
            grace_s=self.problem.niw_grace_s,
        )
        self.action_space = action_space(config.action_mode, self.world, self.settings.max_delta)
        self.mask_shape = mask_shape(self.action_space)
        self.layout = Layout(self._view(config), self.world)
        self.features = self.layout.features
        self.observation_space = self.layout.space

    @cached_property
    def identity(self) -> dict[str, str]:
        """What a snapshot must have in common with an environment that takes it: all but the reward and the observation's form."""
        view, problem = self.layout.view, self.problem
        values = {"problem": problem.name, "split": self.split, "workload": problem.source, "horizon_s": problem.horizon_s}
        values |= {"telemetry_delay": view.delay, "telemetry_noise": view.noise, "forecaster": type(view.forecaster).__name__}
        return {**{name: str(value) for name, value in values.items()}, **self.settings.identity()}

    @property
    def has_masks(self) -> bool:
        """Whether a mask can forbid choices of the action mode."""
        return self.settings.action_mode in MASKED_MODES

    def require_masks(self) -> None:
        """Raise InputError unless the action mode has masks."""
        if not self.has_masks:
            modes = " or ".join(repr(mode) for mode in MASKED_MODES)
            raise InputError(f"action_masks(): action_mode = {self.settings.action_mode!r} has no masks; use {modes}")

    def observer(self, engine: Engine) -> Observer:
        """What the agents of an engine's rows see."""
        return Observer(self.layout, engine, self.n_steps)

    def sample(self, rng: np.random.Generator, options: dict[str, Any] | None) -> Episode:
        """Draw an episode of the split."""
        return self.problem.sample(self.split, rng, options)

    def checked(self, array: NDArray[Any]) -> NDArray[Any]:
        """A batch of actions as the engine takes them, shape (E, A); whole numbers may be floats, and ``discrete`` has A = 1.

        Raises:
            InputError: The shape is wrong, or an entry is NaN, or no choice of the action space.
        """
        shape = self.action_space.shape or ()
        if array.shape[1:] != shape:
            raise InputError(f"action has shape {array.shape[1:]}; the action space has {shape}")
        if isinstance(self.action_space, spaces.Box):
            require_everywhere(~np.isnan(array), array, "is no number; give -1 to 1, or more to be clipped")
        else:
            most = self.mask_shape[-1] - 1
            is_choice = (array >= 0) & (array <= most)
            if array.dtype.kind == "f":
                is_choice &= array == np.floor(array)
            require_everywhere(is_choice, array, f"is outside the action space; give a whole number from 0 to {most}")
        return array.reshape(len(array), -1)

    def _view(self, config: Config) -> View:
        forecaster = None if config.forecaster is None else as_forecaster(config.forecaster)
        if forecaster is not None:
            history_window_s(self.problem.control_interval_s)
        return View(
            form=config.observation,
            n_choices=int(np.prod(self.mask_shape)) if config.mask_in_observation else 0,
            hides_queues=config.hide_queues,
            delay=int(config.telemetry_delay),
            noise=float(config.telemetry_noise),
            forecaster=forecaster,
        )


def read_problem(problem: Any) -> Problem:
    """A problem, itself or by its name or id.

    Raises:
        InputError: It is none.
    """
    if isinstance(problem, str):
        return load_problem(problem)
    if not isinstance(problem, Problem):
        raise InputError(f"problem = {problem!r} is none; give the name of a problem, its id, or a Problem")
    return problem.validated()


class Described:
    """What the single and the vector environment tell alike of their setup.

    Attributes:
        setup: The checked arguments.
    """

    setup: Setup

    @property
    def observation_features(self) -> list[Feature]:
        """Name, unit, formula and bounds of each entry of an observation."""
        return self.setup.features

    @property
    def observation_groups(self) -> dict[str, NDArray[Any]]:
        """The features by the names, and in the shapes, of the arrays of one ``observation="dict"``."""
        return self.setup.layout.groups


def as_numbers(actions: Any) -> NDArray[Any]:
    """Actions as an array of numbers.

    Raises:
        InputError: They are ragged, or hold something else.
    """
    try:
        array = np.asarray(actions)
    except ValueError:
        raise InputError("action has rows of different lengths; give one array of numbers") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"action has dtype {array.dtype}; give numbers")
    return array


def require_everywhere(is_good: NDArray[np.bool_], array: NDArray[Any], problem: str) -> None:
    """Raise InputError for the first entry of a batch of actions that is not good."""
    if not is_good.all():
        place = tuple(int(i) for i in np.argwhere(~is_good)[0])
        raise InputError(f"action{list(place[1:]) if len(place) > 1 else ''} = {array[place]} {problem}")
