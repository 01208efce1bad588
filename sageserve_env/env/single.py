"""One fleet as a Gymnasium environment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from sageserve_env.env.config import config_from, read_seed
from sageserve_env.env.core import Engine
from sageserve_env.env.row import DRAWABLE_MODES, FleetRow, Info, require_render_mode
from sageserve_env.env.setup import Setup, as_numbers
from sageserve_env.sim.knobs import Knobs

Observation = Any
"""A float32 array, or a dict of arrays (``observation="dict"``, ``mask_in_observation=True``)."""


class FleetEnv(FleetRow, gym.Env[Observation, Any]):
    """A fleet of LLM servers in several regions, controlled at a fixed interval.

    ## Description
    Requests for large language models arrive in several regions. A controller decides how many GPU VMs serve each model in each
    region. Too few and requests miss their service levels; too many and money is wasted; and a VM that changes hands serves nobody
    for a minute, ten minutes or two hours. Between two actions every request is simulated: routing, continuous batching, KV memory,
    queues, provisioning. The problem comes from the SageServe paper (POMACS 9(3) 61, 2025).

    ## Action space
    ``action_mode="delta"`` (default): ``MultiDiscrete``, one choice for each endpoint (region, model, pool) and VM type: choice c
    changes the target number of instances by c - ``max_delta``. A change is clipped to the least instances and to the VMs left in
    the region: falls first, then rises in order. ``"discrete"``: one such change at a time, or none. ``"target"``, ``"knobs"`` and
    ``"multi_timescale"``: a ``Box`` in [-1, 1]; what lies outside is clipped. See :func:`sageserve_env.env.actions.action_space`.
    NaN, a wrong shape, and what is no choice raise :class:`sageserve_env.errors.InputError`.

    ## Observation space
    A flat ``Box`` of float32; ``observation_features`` names each entry, its unit, formula and bounds. ``observation="dict"``:
    the same as a ``Dict`` of boxes by endpoint, by region, of time, and of what varies by the hour; ``observation_groups`` names
    them. ``forecaster`` adds the next hour's demand, ``mask_in_observation`` the action mask; ``hide_queues``, ``telemetry_delay``
    and ``telemetry_noise`` make the fleet partly observable.

    ## Rewards
    ``reward="money"`` (default): minus the dollars of the interval, in thousands: VM-hours at list price, provisioning and draining
    included, and a price for each avoidable breach of a service level; in worlds that count them, traffic between regions and a
    price for carbon. Breaches cost what the problem says. The info holds the terms in their own units.
    ``reward="constrained"``: all but the breaches, which are ``info["cost"]``.
    ``reward="vector"``: dollars for VMs, breaches, provisioning and those, apart, for multi-objective learners (``reward_space``).

    ## Starting state
    The world's initial instances, active, nothing in the system. The episode is drawn from the split with ``np_random``; options:
    ``day``, ``start_s``, ``scale``, ``initial_instances``, ``variant``.

    ## Episode end
    Never terminated; truncated at the horizon, or where more than ``max_in_flight`` requests would be in the system: then the
    interval ends early, the last observation, terms and reward are those of that moment, and ``info["is_overfull"]`` is 1.

    ## Arguments
    Those of :class:`sageserve_env.env.config.Config`, and ``render_mode``: None, ``"human"``, ``"rgb_array"`` or ``"ansi"``.

    ## Information
    The same keys from ``reset`` and ``step``, numbers and arrays only: every term of ``rewards.TERMS`` (0 after a reset), ``cost``
    (avoidable breaches of the interval), ``is_overfull``, what was drawn for the episode (``day``, ``start_s``, ``scale``,
    ``variant``, ``workload_seed``), and ``action_mask`` (``delta``, ``discrete``; int8: for each choice whether it can be made in
    full). ``env.unwrapped.episode_description`` says in words what was drawn.

    ## Vectorised use
    ``gym.make_vec("SageServe/Mini-v0", num_envs=8, vectorization_mode="vector_entry_point")``: :class:`VectorFleetEnv`, whose rows
    are bit-identical to this environment's.

    ## Version history
    * v0: first version.

    Example:
        >>> import gymnasium as gym
        >>> import sageserve_env
        >>> env = gym.make("SageServe/Mini-v0")
        >>> observation, info = env.reset(seed=0)
        >>> action = env.action_space.sample(tuple(info["action_mask"]))
        >>> observation, reward, terminated, truncated, info = env.step(action)
    """

    metadata = {"render_modes": list(DRAWABLE_MODES), "render_fps": 12}  # noqa: RUF012

    def __init__(self, *, render_mode: str | None = None, **config: Any) -> None:
        require_render_mode(render_mode)
        setup = Setup(config_from(config, FleetEnv))
        engine = Engine(setup.settings, 1)
        super().__init__(setup, engine, setup.observer(engine), 0, render_mode)
        self._spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """How ``gym.make`` made the environment, with the steps of its own episodes as ``max_episode_steps``."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = None if spec is None else replace(spec, max_episode_steps=self.setup.n_steps)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Draw an episode and start it.

        Raises:
            InputError: The seed is no whole number >= 0; an option is unknown or cannot be used.
        """
        super().reset(seed=read_seed(seed))
        self._begin(options)
        return self._observer.observation(), self._info()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Act, and simulate to the next control instant.

        Raises:
            InputError: The action is not in the action space, or no episode is under way.
        """
        self._episode_under_way("step()")
        self._engine.step(self.setup.checked(as_numbers(action)[None]))
        return self._outcome()

    def follow(self, knobs: Knobs) -> tuple[Observation, float, bool, bool, Info]:
        """What ``step`` does, under the knobs of a reference policy in place of an action.

        Floors and caps are brought within what actions can reach, so policies and agents have the same fleets to choose from.

        Args:
            knobs: What is in force until the next control instant.

        Raises:
            InputError: The knobs do not fit the world, or no episode is under way.
        """
        self._episode_under_way("follow()")
        self._engine.follow([knobs])
        return self._outcome()

    def _outcome(self) -> tuple[Observation, float, bool, bool, Info]:
        """What a step returns."""
        self._observer.update()
        reward = self.setup.reward(self._engine.terms)[0]
        self._update_dashboard()
        is_scalar = np.ndim(reward) == 0
        return self._observer.observation(), float(reward) if is_scalar else reward, False, self.is_over, self._info()

    def close(self) -> None:
        """Close the window and stop threads."""
        self._engine.close()
        self._close_dashboard()
