"""One fleet among those of an engine: its episode, what is told about it, its picture, its snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.config import read_fork_seed
from sageserve_env.env.core import Engine, RowSnapshot, require_own
from sageserve_env.env.observation.observe import Observer, ObserverSnapshot
from sageserve_env.env.rendering.dashboard import Dashboard
from sageserve_env.env.rewards import TERMS, breaches
from sageserve_env.env.setup import Described, Setup
from sageserve_env.errors import InputError
from sageserve_env.extras import MissingExtra, install_hint
from sageserve_env.scenarios import Episode
from sageserve_env.sim.readout.spending import Spending
from sageserve_env.sim.readout.telemetry import Places, Telemetry
from sageserve_env.sim.serving.latency import percentiles
from sageserve_env.sim.state import N_BINS, N_LATENCIES, N_TIERS, TTFT
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.redrawn import Fork, redrawn
from sageserve_env.world.checks import require_choice

RENDER_MODES = ("human", "rgb_array", "ansi")
DRAWABLE_MODES = RENDER_MODES if find_spec("matplotlib") else ("ansi",)
"""Those that this installation can show."""

Info = dict[str, Any]


@dataclass(frozen=True)
class EnvSnapshot:
    """One environment at a control instant. Opaque; immutable by convention.

    Attributes:
        row: Its row of the engine.
        episode: What it plays; None before the first reset.
        random_state: Of the random numbers that draw the episodes to come.
        seen: What its agent has seen.
        identity: What an environment that takes it must have in common with the one that it is of.
    """

    row: RowSnapshot
    episode: Episode | None
    random_state: Mapping[str, Any]
    seen: ObserverSnapshot
    identity: Mapping[str, str]


class FleetRow(Described):
    """A row of an engine: what the single environment and each environment of a vector have in common.

    Attributes:
        setup: The checked arguments.
        render_mode: None, or one of ``RENDER_MODES``.
        np_random: Draws the episodes.
    """

    np_random: np.random.Generator

    def __init__(self, setup: Setup, engine: Engine, observer: Observer, row: int, render_mode: str | None) -> None:
        self.setup, self.render_mode = setup, render_mode
        self.action_space, self.observation_space = setup.action_space, setup.observation_space
        self.reward_space, self.reward_dim = setup.reward_space, setup.reward_dim
        self._engine, self._observer, self._index = engine, observer, row
        self._episode: Episode | None = None
        self._dashboard: Dashboard | None = None
        self._seen_ttft: NDArray[np.int64] = np.zeros((N_TIERS, N_BINS), np.int64)

    @property
    def episode(self) -> Episode:
        """What is played: its workload and its seed, which a fair policy does not look at.

        Raises:
            InputError: No episode was begun.
        """
        if self._episode is None:
            raise InputError("episode: none was begun; call reset() first")
        return self._episode

    @property
    def episode_description(self) -> dict[str, float | str]:
        """What was drawn for the episode, in words and numbers: day, start, perturbation. Empty before the first reset."""
        return {} if self._episode is None else dict(self._episode.description)

    @property
    def reward_terms(self) -> dict[str, float]:
        """The terms of the last interval, by the names of ``rewards.TERMS``; zeros at the start of an episode."""
        return dict(zip(TERMS, self._engine.rows["terms"][self._index].copy(), strict=True))

    @property
    def episode_terms(self) -> dict[str, float]:
        """Sums of the terms over the episode so far, by the names of ``rewards.TERMS``."""
        return dict(zip(TERMS, self._engine.rows["totals"][self._index].tolist(), strict=True))

    @property
    def is_overfull(self) -> bool:
        """Whether the episode ended early for too many requests in the system."""
        return bool(self._engine.rows["row"][self._index]["is_overfull"])

    @property
    def is_over(self) -> bool:
        """Whether the episode has ended, at its horizon or before."""
        return bool(self._engine.rows["row"][self._index]["step"] >= self.setup.n_steps) or self.is_overfull

    def action_masks(self) -> NDArray[np.bool_]:
        """For each choice, whether it can be made in full, shape (choices,), end to end as sb3-contrib wants them.

        Raises:
            InputError: The action mode has no masks.
        """
        self.setup.require_masks()
        return self._engine.rows["mask"][self._index].copy()

    def telemetry(self) -> Telemetry:
        """What the fleet looks like now, in physical units."""
        return self._engine.telemetry(self._index)

    def write_telemetry(self, places: Places) -> None:
        """Write the telemetry into arrays that are there, one for each field, of its shape and dtype: no object is made."""
        self._engine.write_telemetry(self._index, places)

    def spending(self) -> Spending:
        """What the fleet has spent since the start of the episode, by endpoint and by origin."""
        return self._engine.spending(self._index)

    def snapshot(self) -> EnvSnapshot:
        """Everything that decides the future, the state of ``np_random`` included.

        What follows a snapshot is the true future, request by request: to plan without knowing it, take a :meth:`fork`.
        """
        return EnvSnapshot(
            self._engine.snapshot(self._index),
            self._episode,
            self.np_random.bit_generator.state,
            self._observer.snapshot(self._index),
            self.setup.identity,
        )

    def fork(self, seed: int) -> EnvSnapshot:
        """A snapshot of now whose future is drawn anew, from what is known now: for planners that are not to see the true one.

        The state is that of now, bit for bit, and what has begun stays: requests in the system, instances on their way, what is
        down. Requests to come are drawn by the workload's law with another seed, levels of noise go on from where they are, faults
        and lead times to come are drawn anew given how long all has gone well, and so is the noise of the telemetry. The episode
        itself is not changed. The same seed gives the same future. Restore the fork wherever a snapshot may be restored.

        Args:
            seed: Of the future, 0 to 2**64 - 1.

        Raises:
            InputError: The seed is none, no episode is under way, or its requests are recorded ones, which have no law.
        """
        given, episode = read_fork_seed(seed), self._episode_under_way("fork()")
        workload = episode.workload
        if not isinstance(workload, IntensityWorkload):
            kind = f"the requests of {workload.name!r} are recorded and have no law"
            raise InputError(f"fork(): {kind} to draw others by; use snapshot(), which sees the true future")
        now = Fork(float(self._engine.rows["row"][self._index]["until_s"]), given)
        forks = (*episode.forks, now)
        tables = redrawn(workload, self.setup.world, episode.workload_seed, forks)
        return EnvSnapshot(
            self._engine.fork(self._index, tables, now.word(0)),
            replace(episode, forks=forks),
            self.np_random.bit_generator.state,
            self._observer.fork(self._index, now.word(0)),
            self.setup.identity,
        )

    def restore(self, snapshot: EnvSnapshot) -> Any:
        """Return to a snapshot of an environment, or of a row of a vector, with the same arguments; what follows is the same.

        The reward and the form of the observation may be others.

        Raises:
            InputError: It is no snapshot, or one of an environment with other arguments; nothing is changed then.
        """
        require_own(snapshot, EnvSnapshot, self.setup.identity)
        self._return_to(snapshot)
        return self._observer.observation(self._index)

    def render(self) -> Any:
        """The dashboard: an RGB array, shape (720, 1280, 3), a string, or None where a window shows it.

        Raises:
            InputError: No episode was begun.
        """
        if self.render_mode is None:
            return None
        if self._dashboard is None:
            raise InputError("render(): no episode was begun; call reset() first")
        if self.render_mode == "ansi":
            return self._dashboard.ansi()
        return self._dashboard.frame() if self.render_mode == "rgb_array" else None

    def _episode_under_way(self, what: str) -> Episode:
        """The episode, for what can only be done while it lasts.

        Raises:
            InputError: None was begun, or it is over.
        """
        if self._episode is None or self.is_over:
            raise InputError(f"{what}: no episode is under way; call reset() first")
        return self._episode

    def _begin(self, options: dict[str, Any] | None) -> None:
        """Draw an episode and start it."""
        self._episode = self.setup.sample(self.np_random, options)
        self._engine.begin(
            self._index,
            self._episode.workload,
            self._episode.workload_seed,
            self._episode.week_start_s,
            self._episode.initial_instances,
        )
        self._observer.begin(self._index, self._episode)
        self._restart_dashboard()

    def _info(self) -> Info:
        """What is told beside the observation, by the same names at every control instant: NumPy's numbers, and arrays."""
        assert self._episode is not None
        terms = self.reward_terms
        drawn = {name: np.asarray(value)[()] for name, value in self._episode.drawn.items()}
        info: Info = {**terms, "cost": breaches(terms), "is_overfull": np.int8(self.is_overfull), **drawn}
        if self.setup.has_masks:
            info["action_mask"] = self._engine.rows["mask"][self._index].astype(np.int8).reshape(self.setup.mask_shape)
        return info

    def _return_to(self, snapshot: EnvSnapshot) -> None:
        """Put the row where a snapshot that belongs here was."""
        self._engine.restore(self._index, snapshot.row)
        self._observer.restore(self._index, snapshot.seen)
        self.np_random.bit_generator.state = snapshot.random_state
        is_other, self._episode = self._episode is not snapshot.episode, snapshot.episode
        if is_other:
            self._restart_dashboard()

    def _restart_dashboard(self) -> None:
        if self.render_mode is None or self._episode is None:
            return
        problem, week_start_s = self.setup.problem, self._episode.week_start_s
        self._seen_ttft = self._ttft_counts()
        if self._dashboard is None:
            interval_s = problem.control_interval_s
            self._dashboard = Dashboard(self.setup.world, problem.id, problem.horizon_s, week_start_s, interval_s)
        else:
            self._dashboard.restart(self.setup.world, week_start_s)

    def _update_dashboard(self) -> None:
        """Draw the interval that has just ended, where anybody looks."""
        if self._dashboard is None:
            return
        counts = self._ttft_counts()
        p95_s = percentiles(counts - self._seen_ttft, np.array([0.95]))[:, 0]
        self._seen_ttft = counts
        self._dashboard.update(self.telemetry(), self.reward_terms, p95_s)
        if self.render_mode == "human":
            self._dashboard.show()

    def _close_dashboard(self) -> None:
        """Close the window, if one is open."""
        if self._dashboard is not None:
            self._dashboard.close()

    def _ttft_counts(self) -> NDArray[np.int64]:
        """Requests by tier and time to first token so far, shape (T, bins)."""
        hist = self._engine.state["hist"][self._index].reshape(-1, N_TIERS, N_LATENCIES, N_BINS)
        return np.asarray(hist[:, :, TTFT].sum(axis=0, dtype=np.int64))


def require_render_mode(mode: str | None) -> None:
    """Check a render mode before any work is done.

    Raises:
        InputError: There is no such mode.
        MissingExtra: matplotlib, which it needs, is not installed.
    """
    if mode is None:
        return
    require_choice("render_mode", mode, RENDER_MODES)
    if mode != "ansi" and find_spec("matplotlib") is None:
        raise MissingExtra(f"render_mode = {mode!r} needs matplotlib, which is not installed; {install_hint('plots')}")
