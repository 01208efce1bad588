"""One fleet as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.config import EnvSnapshot, Setup, config_from
from sageserve_env.env.core import Engine
from sageserve_env.env.encode import Feature
from sageserve_env.env.rendering.dashboard import Dashboard
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.scenarios import Episode
from sageserve_env.sim.latency import percentiles
from sageserve_env.sim.state import N_BINS, N_TIERS, TTFT
from sageserve_env.sim.telemetry import Telemetry

Observation = Any
"""A float32 array, or a dict of arrays (``observation="dict"``, ``mask_in_observation=True``)."""

Info = dict[str, Any]


class FleetEnv(gym.Env[Observation, Any]):
    """A fleet of LLM servers in several regions, controlled at a fixed interval.

    ## Description
    Requests for large language models arrive in several regions. A controller decides how many GPU VMs serve each model in each
    region. Too few and requests miss their service levels; too many and money is wasted; and a VM that changes hands serves nobody
    for a minute, ten minutes or two hours. Between two actions every request is simulated: routing, continuous batching, KV memory,
    queues, provisioning. The problem comes from the SageServe paper (POMACS 9(3) 61, 2025).

    ## Action space
    ``action_mode="delta"`` (default): ``MultiDiscrete``, one choice for each endpoint (region, model, pool) and VM type: choice c
    changes the target number of instances by c - ``max_delta``. A change is clipped to the least instances and to the VMs left in
    the region: falls first, then rises in order. Other modes: see :func:`sageserve_env.env.actions.action_space`.
    Anything outside the space raises :class:`sageserve_env.errors.InputError`.

    ## Observation space
    A flat ``Box`` of float32; ``observation_features`` names each entry, its unit, formula and bounds. ``observation="dict"``: the
    same entries as a ``Dict`` of boxes by endpoint, by region and of time; ``observation_groups`` names them. ``forecaster`` adds
    the next hour's demand, ``mask_in_observation`` the action mask; ``hide_queues``, ``telemetry_delay`` and ``telemetry_noise``
    make the fleet partly observable.

    ## Rewards
    ``reward="money"`` (default): minus the dollars of the interval, in thousands: VM-hours at list price, provisioning and draining
    included, and a price for each avoidable breach of a service level. ``info["reward_terms"]`` holds the terms in their own units.
    ``reward="vector"``: dollars for VMs, breaches and provisioning apart, in ``reward_space``, for multi-objective learners.

    ## Starting state
    The world's initial instances, active, nothing in the system. The episode is drawn from the split with ``np_random``; options:
    ``day``, ``start_s``, ``scale``, ``initial_instances``, ``variant``.

    ## Episode end
    Never terminated; truncated at the horizon.

    ## Arguments
    Those of :class:`sageserve_env.env.config.Config`, and ``render_mode``: None, ``"human"``, ``"rgb_array"`` or ``"ansi"``.

    ## Information
    ``action_mask`` (``delta`` only; bool, for each choice whether it can be made in full), ``reward_terms``, ``cost`` (avoidable
    breaches of the interval), and after a reset ``episode`` (what was drawn).

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
        >>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample(info["action_mask"]))
    """

    metadata = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 12}  # noqa: RUF012

    def __init__(self, *, render_mode: str | None = None, **config: Any) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise InputError(f"render_mode = {render_mode!r}; choose one of {', '.join(self.metadata['render_modes'])}")
        self.render_mode = render_mode
        self.setup = Setup(config_from(config))
        self.action_space = self.setup.action_space
        self.observation_space = self.setup.observation_space
        self.reward_space = self.setup.reward_space
        self._engine = Engine(self.setup.settings, 1)
        self._observer = self.setup.observer(self._engine)
        self._episode: Episode | None = None
        self._dashboard: Dashboard | None = None
        self._seen_ttft: NDArray[np.int64] = np.zeros((N_TIERS, N_BINS), np.int64)

    @property
    def observation_features(self) -> list[Feature]:
        """Name, unit, formula and bounds of each entry of the observation."""
        return self.setup.features

    @property
    def observation_groups(self) -> dict[str, NDArray[Any]]:
        """The features by the names, and in the shapes, of the arrays of ``observation="dict"``."""
        return self.setup.layout.groups

    @property
    def reward_terms(self) -> dict[str, float]:
        """The terms of the last interval, by the names of ``rewards.TERMS``."""
        return dict(zip(TERMS, self._engine.rows["terms"][0].tolist(), strict=True))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Draw an episode and start it.

        Raises:
            InputError: An option is unknown or cannot be used.
        """
        super().reset(seed=seed)
        self._episode = self.setup.sample(self.np_random, options)
        self.setup.begin(self._engine, 0, self._episode)
        self._observer.begin(0, self._episode)
        if self.render_mode is not None:
            self._restart_dashboard(self._episode)
        return self._observer.observation(), self._masked({"episode": dict(self._episode.description)})

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Act, and simulate to the next control instant.

        Raises:
            InputError: The action is not in the action space, or no episode is under way.
        """
        row = self._engine.rows["row"][0]
        if self._episode is None or row["step"] >= self.setup.n_steps:
            raise InputError("step(): no episode is under way; call reset() first")
        self._engine.step(self.setup.checked(np.asarray(action)[None], 1))
        self._observer.update()
        terms = self.reward_terms
        reward = self.setup.reward(self._engine.terms)[0]
        if self.render_mode is not None:
            self._update_dashboard(terms)
        cost = terms["breaches_iw_f"] + terms["breaches_iw_n"] + terms["breaches_niw"]
        info = self._masked({"reward_terms": terms, "cost": cost})
        is_over = bool(self._engine.rows["row"][0]["step"] >= self.setup.n_steps)
        return self._observer.observation(), float(reward) if np.ndim(reward) == 0 else reward, False, is_over, info

    def action_masks(self) -> NDArray[np.bool_]:
        """For each choice of a ``delta`` action, whether it can be made in full, shape (sum of choices,), as sb3-contrib wants it.

        Raises:
            InputError: The action mode is not ``delta``.
        """
        if self.setup.settings.action_mode != "delta":
            raise InputError(f"action_masks(): action_mode = {self.setup.settings.action_mode!r} has no masks; use 'delta'")
        return self._engine.rows["mask"][0].copy()

    def telemetry(self) -> Telemetry:
        """What the fleet looks like now, in physical units."""
        return self._engine.telemetry(0)

    def snapshot(self) -> EnvSnapshot:
        """Everything that decides the future, the state of ``np_random`` included."""
        return self._engine.snapshot(0), self._episode, self.np_random.bit_generator.state, self._observer.snapshot(0)

    def restore(self, snapshot: EnvSnapshot) -> Observation:
        """Return to a snapshot of an environment with the same arguments; what follows is the same, bit for bit."""
        row, self._episode, random_state, seen = snapshot
        self._engine.restore(0, row)
        self._observer.restore(0, seen)
        self.np_random.bit_generator.state = random_state
        return self._observer.observation()

    def render(self) -> Any:
        """The dashboard: an RGB array, a string, or None where a window shows it."""
        if self._dashboard is None:
            return None
        if self.render_mode == "ansi":
            return self._dashboard.ansi()
        return self._dashboard.frame() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the window and stop threads."""
        self._engine.close()
        if self._dashboard is not None:
            self._dashboard.close()

    def _masked(self, info: Info) -> Info:
        if self.setup.settings.action_mode == "delta":
            nvec = self.action_space.nvec  # type: ignore[attr-defined]
            mask = self._engine.rows["mask"][0].astype(np.int8)
            info["action_mask"] = tuple(mask.reshape(len(nvec), nvec[0]))
        return info

    def _restart_dashboard(self, episode: Episode) -> None:
        problem = self.setup.problem
        self._seen_ttft = np.zeros((N_TIERS, N_BINS), np.int64)
        if self._dashboard is None:
            interval_s = problem.control_interval_s
            self._dashboard = Dashboard(self.setup.world, problem.id, problem.horizon_s, episode.week_start_s, interval_s)
        else:
            self._dashboard.restart(self.setup.world, episode.week_start_s)

    def _update_dashboard(self, terms: dict[str, float]) -> None:
        counts = self._engine.state["hist"][0].reshape(-1, N_TIERS, 2, N_BINS)[:, :, TTFT].sum(axis=0, dtype=np.int64)
        p95_s = percentiles(counts - self._seen_ttft, np.array([0.95]))[:, 0]
        self._seen_ttft = counts
        if self._dashboard is not None:
            self._dashboard.update(self.telemetry(), terms, p95_s)
            if self.render_mode == "human":
                self._dashboard.show()
