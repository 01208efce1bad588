"""The forecast in the observation: the next hour's peak of interactive input tokens/s by region and model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.observation.encode import REFERENCE_PROMPT_TOKENS, Feature, rate_scales
from sageserve_env.errors import InputError
from sageserve_env.forecasters import Forecaster
from sageserve_env.scenarios import Episode
from sageserve_env.sim.state import N_TIERS
from sageserve_env.workload.rates import INTERACTIVE, PAST_SEED, WINDOW_S, past_rates
from sageserve_env.world.schema import World

HOUR_S = 3600.0


def forecast_features(world: World) -> list[Feature]:
    """Entries of the forecast, in order: region by region, model by model."""
    formula = (
        f"min(1, x / what the region's VMs prefill in prompts of {REFERENCE_PROMPT_TOKENS} tokens), x the greatest forecast of "
        "IW-F and IW-N by region of origin in a window of the coming hour; refreshed at each full hour, 0 without any history"
    )
    places = [f"{region.name}/{model.name}" for region in world.regions for model in world.models]
    return [Feature(f"{place}/forecast", "prompt tokens/s", formula) for place in places]


def history_window_s(interval_s: float) -> float:
    """Length of the windows of the history, which begin and end at control instants.

    Raises:
        InputError: The control interval fits neither the window nor the hour.
    """
    if WINDOW_S % interval_s == 0:
        return WINDOW_S
    if interval_s % WINDOW_S == 0 and HOUR_S % interval_s == 0:
        return interval_s
    what = f"forecaster: control_interval_s = {interval_s:g} does not fit windows of {WINDOW_S:g} s"
    raise InputError(f"{what}; give a divisor of {WINDOW_S:g}, or 1800 or 3600")


@dataclass(frozen=True)
class DemandSnapshot:
    """A row's forecast and its history. Opaque; immutable by convention.

    Attributes:
        past: Rates before the episode, shape (S, P); shared, not copied.
        counts: Tokens arrived by the window's start, shape (W + 1, S).
        entries: Of the observation, shape (S,).
    """

    past: NDArray[np.float64]
    counts: NDArray[np.int64]
    entries: NDArray[np.float32]


class Demand:
    """Histories and forecasts of E rows. S = R * M series, region by region.

    Attributes:
        entries: What the observations show, shape (E, S), float32.
    """

    def __init__(self, forecaster: Forecaster, world: World, interval_s: float, n_steps: int, n_envs: int) -> None:
        self._forecaster, self._world = forecaster, world
        self._window_s = history_window_s(interval_s)
        self._steps_in_window = round(self._window_s / interval_s)
        self._steps_in_hour = round(HOUR_S / interval_s)
        self._scale = rate_scales(world).ravel()
        self._past = [np.zeros((self._scale.size, 0))] * n_envs
        self._counts = np.zeros((n_envs, n_steps // self._steps_in_window + 1, self._scale.size), np.int64)
        self.entries = np.zeros((n_envs, self._scale.size), np.float32)

    def begin(self, row: int, episode: Episode) -> None:
        """Play what came before an episode."""
        rates = past_rates(episode.workload, self._world, episode.workload_seed ^ PAST_SEED, self._window_s)
        self._past[row] = rates.reshape(self._scale.size, -1)
        self._counts[row] = 0

    def update(self, rows: NDArray[np.intp], steps: NDArray[np.int64], origins: NDArray[np.void]) -> None:
        """Take what has arrived by a control instant, and forecast anew at a full hour.

        Args:
            rows: Rows, shape (n,).
            steps: Number of each one's control instant in its episode, shape (n,).
            origins: Records of origins of all rows, shape (E, R * M * T).
        """
        is_edge = steps % self._steps_in_window == 0
        if is_edge.any():
            tokens = origins["prompt_tokens"][rows[is_edge]].reshape(-1, self._scale.size, N_TIERS)
            self._counts[rows[is_edge], steps[is_edge] // self._steps_in_window] = tokens[:, :, INTERACTIVE].sum(axis=2)
        is_hour = steps % self._steps_in_hour == 0
        if is_hour.any():
            self._forecast_rows(rows[is_hour].tolist(), steps[is_hour].tolist())

    def history(self, row: int, step: int) -> NDArray[np.float64]:
        """Interactive input tokens/s before and in the episode, oldest window first, shape (S, n)."""
        counts = self._counts[row, : step // self._steps_in_window + 1]
        return np.concatenate([self._past[row], np.diff(counts, axis=0).T / self._window_s], axis=1)

    def snapshot(self, row: int) -> DemandSnapshot:
        """What decides the forecasts of a row from here on."""
        return DemandSnapshot(self._past[row], self._counts[row].copy(), self.entries[row].copy())

    def restore(self, row: int, snapshot: DemandSnapshot) -> None:
        """Put a row where a snapshot was."""
        self._past[row], self._counts[row], self.entries[row] = snapshot.past, snapshot.counts, snapshot.entries

    def _forecast_rows(self, rows: list[int], steps: list[int]) -> None:
        """Forecast rows anew: those with as long a history at once, where the forecaster treats each series by itself."""
        groups: dict[int, list[tuple[int, NDArray[np.float64]]]] = {}
        for row, step in zip(rows, steps, strict=True):
            history = self.history(row, step)
            key = history.shape[1] if getattr(self._forecaster, "is_by_series", False) else -row - 1
            groups.setdefault(key, []).append((row, history))
        for group in groups.values():
            together, histories = zip(*group, strict=True)
            self.entries[list(together)] = self._forecast(np.concatenate(histories)).reshape(len(group), -1)

    def _forecast(self, history: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the observations show of a history of the series of one row or several, flat."""
        if history.shape[1] == 0:
            return np.zeros(len(history))
        point = np.asarray(self._forecaster.forecast(history, self._window_s).point, np.float64)
        if point.ndim != 2 or len(point) != len(history) or not np.isfinite(point).all():
            raise InputError(f"forecaster: the forecast has shape {point.shape} or is not finite; give ({len(history)}, windows)")
        return np.clip(point.max(axis=1).reshape(-1, self._scale.size) / self._scale, 0.0, 1.0).ravel()
