"""From the kernel's flat rows to what the agent gets: forecasts, noise, delay, hidden entries, and the form of the observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sageserve_env.env.core import Engine
from sageserve_env.env.observation.demand import Demand, DemandSnapshot, forecast_features
from sageserve_env.env.observation.encode import Feature, hourly_entries, observation_features
from sageserve_env.forecasters import Forecaster
from sageserve_env.scenarios import Episode
from sageserve_env.world.schema import World

FORMS = ("flat", "dict")
"""Forms of an observation: one Box, or a Dict of one Box for each kind of thing."""

MASK = "action_mask"
NOISE_STREAM = 0x6E6F6973
"""Key of the noise among the streams of random numbers that an episode's seed gives."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """How the agent sees the fleet.

    Attributes:
        form: One of ``FORMS``.
        n_choices: Entries of the action mask in the observation; 0 leaves it out.
        hides_queues: Whether what the queues hold is left out.
        delay: Age of what is seen in control intervals, >= 0.
        noise: Relative standard deviation of what is measured, >= 0.
        forecaster: Adds the next hour's demand; None adds nothing.
    """

    form: str = "flat"
    n_choices: int = 0
    hides_queues: bool = False
    delay: int = 0
    noise: float = 0.0
    forecaster: Forecaster | None = None


class Layout:
    """Where each entry of an observation is.

    Attributes:
        every: Every entry before any is hidden, in the order of the flat row.
        seen: Which of them the agent sees, shape (len(every),), bool.
        features: Those that the agent sees, in order.
        groups: What the ``dict`` form holds, as the entries' features in the shape of the arrays.
        space: Space of one observation.
    """

    def __init__(self, view: View, world: World) -> None:
        self.view = view
        self.every = observation_features(world) + ([] if view.forecaster is None else forecast_features(world))
        self.seen = np.array([not (view.hides_queues and feature.is_queue_internal) for feature in self.every])
        self.is_whole = bool(self.seen.all())
        self.features: list[Feature] = [feature for feature, is_seen in zip(self.every, self.seen, strict=True) if is_seen]
        self._shapes = self._group_shapes(world)
        self.groups: dict[str, NDArray[Any]] = self._split(np.array(self.features, object))
        self.space = self._space()

    def assemble(self, flat: Floats, masks: NDArray[np.bool_]) -> Any:
        """Observations in the form that the agent gets.

        Args:
            flat: What the agent sees, shape (..., len(features)).
            masks: Action masks, shape (..., choices).

        Returns:
            ``flat`` itself, or a dict of views of it, and a copy of the masks where the observation holds them.
        """
        parts = self._split(flat) if self.view.form == "dict" else {"observations": flat}
        if self.view.n_choices:
            parts[MASK] = masks.astype(np.int8)
        elif self.view.form == "flat":
            return flat
        return dict(sorted(parts.items()))

    def _group_shapes(self, world: World) -> dict[str, tuple[int, ...]]:
        """Shapes of the groups, in the order of the flat row."""
        shapes: dict[str, tuple[int, ...]] = {"regions": (len(world.regions), len(world.vm_types)), "time": (6,)}
        if hourly_entries(world):
            shapes["hours"] = (len(world.regions), hourly_entries(world))
        if self.view.forecaster is not None:
            shapes["forecast"] = (len(world.regions), len(world.models))
        of_endpoints = len(self.features) - sum(int(np.prod(shape)) for shape in shapes.values())
        return {"endpoints": (world.n_endpoints, of_endpoints // world.n_endpoints), **shapes}

    def _split(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Views of the last axis by group."""
        parts, first = {}, 0
        for name, shape in self._shapes.items():
            end = first + int(np.prod(shape))
            parts[name] = flat[..., first:end].reshape(*flat.shape[:-1], *shape)
            first = end
        return parts

    def _space(self) -> spaces.Space[Any]:
        low = np.array([feature.low for feature in self.features], np.float32)
        high = np.array([feature.high for feature in self.features], np.float32)
        whole = spaces.Box(low, high, dtype=np.float32)
        if self.view.form == "flat" and not self.view.n_choices:
            return whole
        parts: dict[str, spaces.Space[Any]] = {"observations": whole}
        if self.view.form == "dict":
            lows, highs = self._split(low), self._split(high)
            parts = {name: spaces.Box(lows[name], highs[name], dtype=np.float32) for name in self._shapes}
        if self.view.n_choices:
            parts[MASK] = spaces.MultiBinary(self.view.n_choices)
        return spaces.Dict(parts)


@dataclass(frozen=True)
class ObserverSnapshot:
    """What a row remembers of its observations. Opaque; immutable by convention.

    Attributes:
        frames: The last observations, shape (delay + 1, O).
        noise: State of the noise's random numbers; None without noise.
        demand: Forecast and history; None without a forecaster.
    """

    frames: Floats
    noise: Mapping[str, Any] | None
    demand: DemandSnapshot | None


class Observer:
    """What the agents of an engine's rows see, the present and the remembered.

    A row's observation is measured once, at its control instant: forecasts are appended, then noise is applied. What is shown is
    the measurement of ``delay`` instants ago, less what is hidden; the action mask is always the present one.
    """

    def __init__(self, layout: Layout, engine: Engine, n_steps: int) -> None:
        view, settings = layout.view, engine.settings
        self._layout, self._engine = layout, engine
        self._depth = view.delay + 1
        self._remembers = view.delay > 0 or view.noise > 0 or view.forecaster is not None
        width = len(layout.every) if self._remembers else 0
        self._frames = np.zeros((engine.n_envs, self._depth, width), np.float32)
        self._noisy = np.array([feature.is_noisy for feature in layout.every])
        self._low = np.array([feature.low for feature in layout.every], np.float32)
        self._high = np.array([feature.high for feature in layout.every], np.float32)
        self._rngs: list[np.random.Generator] = [np.random.default_rng(0) for _ in range(engine.n_envs if view.noise else 0)]
        self._demand: Demand | None = None
        if view.forecaster is not None:
            self._demand = Demand(view.forecaster, settings.world, settings.control_interval_s, n_steps, engine.n_envs)

    def begin(self, row: int, episode: Episode) -> None:
        """Observe the first instant of an episode that the engine has begun."""
        if not self._remembers:
            return
        if self._rngs:
            self._rngs[row] = noise_rng(episode.workload_seed)
        if self._demand is not None:
            self._demand.begin(row, episode)
        self._measure(np.array([row]))

    def update(self, is_active: NDArray[np.bool_] | None = None) -> None:
        """Observe the rows that the engine has stepped, shape (E,); None observes all."""
        if self._remembers:
            self._measure(np.arange(self._engine.n_envs) if is_active is None else np.flatnonzero(is_active))

    def observations(self, *, copy: bool = True) -> Any:
        """What the agents see, the environment on the first axis.

        Args:
            copy: Whether the arrays are the caller's own; without it they may be views that the next step overwrites.
        """
        flat = self._shown() if self._remembers else self._engine.rows["observation"]
        if not self._layout.is_whole:
            flat = flat[:, self._layout.seen]
        elif copy and not self._remembers:
            flat = flat.copy()
        return self._layout.assemble(flat, self._engine.rows["mask"])

    def observation(self, row: int = 0) -> Any:
        """What the agent of a row sees."""
        return row_of(self.observations(), row)

    def snapshot(self, row: int) -> ObserverSnapshot:
        """Everything that decides what the row's agent will see, beside the engine's state."""
        noise = self._rngs[row].bit_generator.state if self._rngs else None
        demand = None if self._demand is None else self._demand.snapshot(row)
        return ObserverSnapshot(self._frames[row].copy(), noise, demand)

    def fork(self, row: int, seed: int) -> ObserverSnapshot:
        """A snapshot whose noise to come is drawn anew."""
        snapshot = self.snapshot(row)
        if snapshot.noise is None:
            return snapshot
        return replace(snapshot, noise=noise_rng(seed).bit_generator.state)

    def restore(self, row: int, snapshot: ObserverSnapshot) -> None:
        """Put a row where a snapshot was."""
        self._frames[row] = snapshot.frames
        if snapshot.noise is not None:
            self._rngs[row].bit_generator.state = snapshot.noise
        if self._demand is not None and snapshot.demand is not None:
            self._demand.restore(row, snapshot.demand)

    def _shown(self) -> Floats:
        steps = self._engine.rows["row"]["step"]
        seen = np.maximum(steps - self._layout.view.delay, 0) % self._depth
        return np.asarray(self._frames[np.arange(len(steps)), seen])

    def _measure(self, rows: NDArray[np.intp]) -> None:
        """Write the frames of the present instant of rows, shape (n,)."""
        steps = self._engine.rows["row"]["step"][rows]
        now = self._engine.rows["observation"]
        frames = np.empty((len(rows), self._frames.shape[2]), np.float32)
        frames[:, : now.shape[1]] = now[rows]
        if self._demand is not None:
            self._demand.update(rows, steps, self._engine.state["origin"])
            frames[:, now.shape[1] :] = self._demand.entries[rows]
        if self._rngs:
            for frame, row in zip(frames, rows.tolist(), strict=True):
                self._blur(frame, self._rngs[row])
        self._frames[rows, steps % self._depth] = frames

    def _blur(self, frame: Floats, rng: np.random.Generator) -> None:
        """Put noise on the entries of a frame that have any."""
        noisy = self._noisy
        factors = 1.0 + self._layout.view.noise * rng.standard_normal(int(noisy.sum()))
        frame[noisy] = np.clip(frame[noisy] * factors, self._low[noisy], self._high[noisy])


def noise_rng(seed: int) -> np.random.Generator:
    """The random numbers of an episode's telemetry noise."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(NOISE_STREAM,)))


def row_of(observations: Any, row: int) -> Any:
    """One row of batched observations, which may be a dict."""
    return {name: array[row] for name, array in observations.items()} if isinstance(observations, dict) else observations[row]
