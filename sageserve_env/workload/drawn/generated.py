"""Workloads that are described by intensities: tables for the kernel, the stream, and the workload itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError, shown
from sageserve_env.identity import digest
from sageserve_env.workload.checks import check_chunk_rows, check_seed, index_of
from sageserve_env.workload.drawn import kernel
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.drawn.sizes import MAX_TOKENS
from sageserve_env.workload.play import Mark, place_of
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, preference_orders
from sageserve_env.workload.transforms.compose import Composable, past_under
from sageserve_env.workload.transforms.operations import Operation, Slice
from sageserve_env.workload.transforms.sun import FollowSun
from sageserve_env.world.schema import TIERS, World

CHUNK_ROWS = 32_768
"""Requests in a chunk unless the workload says otherwise."""


def alias_rows(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Walker's alias tables (Vose's construction) for relative weights.

    Args:
        weights: Shape (n,), >= 0, sum > 0.

    Returns:
        Acceptance probabilities and aliases, both of shape (n,).
    """
    scaled = weights * (weights.size / weights.sum())
    accept, alias = np.ones(weights.size), np.arange(weights.size)
    small = [k for k in range(weights.size) if scaled[k] < 1]
    large = [k for k in range(weights.size) if scaled[k] >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        accept[low], alias[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return accept, alias


def label_rows(series: Series, world: World, where: str) -> NDArray[np.void]:
    """Every combination of tier, origin and preference of a series, with alias tables.

    Returns:
        Array of shape (n_labels,), dtype ``kernel.LABEL``; n_labels depends on the number of regions only.
    """
    names = [region.name for region in world.regions]
    regions = np.zeros(len(names))
    for name, share in (series.regions or dict.fromkeys(names, 1.0)).items():
        regions[index_of("region", name, names, where)] = share
    n_orders = preference_orders(len(names)).shape[1]
    tier, origin, preference = (grid.ravel() for grid in np.indices((len(TIERS), len(names), n_orders)))
    rows = np.zeros(tier.size, kernel.LABEL)
    rows["accept"], rows["alias"] = alias_rows(np.asarray(series.tiers)[tier] * regions[origin])
    rows["tier"], rows["origin"], rows["preference"] = tier, origin, preference
    rows["model"] = index_of("model", series.model, [model.name for model in world.models], where)
    return rows


@dataclass(frozen=True)
class Tables:
    """What :func:`kernel.fill` reads; ``arrays`` in its order.

    Attributes:
        bins: Dtype ``kernel.BIN``, shape (n_series, n_bins).
        edges: Seconds, shape (n_bins + 1,).
        sizes: Shape (n_series, 2, CELLS + 1), float32.
        labels: Dtype ``kernel.LABEL``, shape (n_series, n_labels).
    """

    bins: NDArray[np.void]
    edges: NDArray[np.float64]
    sizes: NDArray[np.float32]
    labels: NDArray[np.void]

    @classmethod
    def build(cls, intensity: Intensity, world: World, where: str) -> Tables:
        """Look up names in the world and lay out the arrays.

        Raises:
            InputError: A model or region is not in the world.
        """
        bins = np.zeros(intensity.rate.shape, kernel.BIN)
        for name in ("rate", "prompt_factor", "shape", "law"):
            bins[name] = getattr(intensity, name)
        sizes = np.array([[s.prompt, s.output] for s in intensity.series], dtype=np.float32)
        if float(sizes[:, 0].max()) * float(bins["prompt_factor"].max()) > MAX_TOKENS or float(sizes.max()) > MAX_TOKENS:
            raise InputError(f"{where}: prompts of more than {MAX_TOKENS} tokens could arise; lower the prompt sizes")
        labels = np.stack([label_rows(s, world, where) for s in intensity.series])
        return cls(bins, intensity.edges, sizes, labels)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Arguments of ``kernel.fill`` between ``state`` and ``out``."""
        return self.bins, self.edges, self.sizes, self.labels

    @cached_property
    def digest(self) -> str:
        """Equal for equal tables; made once, when a snapshot first needs it."""
        return digest(*self.arrays)

    def since(self, now_s: float) -> Tables:
        """What is left from an instant on, at least a part of the last bin; times stay what they are."""
        first = int(np.searchsorted(self.edges, now_s, side="right")) - 1
        if first >= self.bins.shape[1]:  # nothing is left
            end_s = self.edges[-1]
            return replace(self, bins=np.zeros_like(self.bins[:, -1:]), edges=np.array([now_s, max(end_s, now_s) + 1.0]))
        return replace(self, bins=self.bins[:, first:].copy(), edges=np.concatenate([[now_s], self.edges[first + 1 :]]))

    def start(self, seed: int) -> NDArray[np.void]:
        """A fresh state for ``kernel.fill``, dtype ``kernel.SERIES_STATE``, shape (n_series,)."""
        state = np.zeros(self.bins.shape[0], kernel.SERIES_STATE)
        kernel.start(np.uint64(check_seed(seed)), self.bins, self.edges, state)
        return state


class GeneratedStream:
    """Requests drawn from intensities as they are asked for. A snapshot is a copy of about 1 KB."""

    def __init__(self, tables: Tables, seed: int, chunk_rows: int = CHUNK_ROWS) -> None:
        self.tables = tables
        self.seed = seed
        self.state = tables.start(seed)
        self.chunk_rows = chunk_rows

    @cached_property
    def identity(self) -> str:
        """What is played: the tables and the seed."""
        return digest("generated", self.tables.digest, self.seed)

    def next_chunk(self) -> Chunk:
        """The next ``chunk_rows`` requests, fewer at the end."""
        chunk = np.zeros(self.chunk_rows, REQUEST_DTYPE)
        count = kernel.fill(self.state, *self.tables.arrays, chunk)
        return chunk[:count]

    def snapshot(self) -> Mark:
        """The state's bytes (NumPy copies structured arrays field by field, forty times as slowly)."""
        return Mark(self.identity, self.state.tobytes())

    def restore(self, snapshot: Mark) -> None:
        """Continue from a snapshot."""
        self.state.view(np.uint8)[:] = np.frombuffer(place_of(snapshot, self.identity), np.uint8)


class IntensityWorkload(Composable):
    """A workload whose arrivals follow given intensities.

    Transforms (``scale``, ``slice``, ``shift``, ``burst``, ``tier_mix``, ``model_mix``, ``noise``) fold exactly into intensities.

    Args:
        name: Shown in reports.
        intensity: Rates and series.
        chunk_rows: Most requests in a chunk; changes nothing else.
        week_start_s: Seconds from Monday 00:00 to the workload's time 0, where known; only figures use it.
        operations: Transforms, applied in order when a stream starts.
        past: What came before time 0, where known.
    """

    def __init__(
        self,
        name: str,
        intensity: Intensity,
        *,
        chunk_rows: int = CHUNK_ROWS,
        week_start_s: float | None = None,
        operations: tuple[Operation, ...] = (),
        past: Composable | None = None,
    ) -> None:
        self.name = name
        self.intensity = intensity
        self.chunk_rows = check_chunk_rows(chunk_rows)
        self.week_start_s = week_start_s
        self.operations = operations
        self.past = past
        self._tables: dict[tuple[tuple[str, ...], ...], Tables] = {}

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        duration = self.intensity.duration_s
        for operation in self.operations:
            duration = operation.duration(duration, cyclic=True)
        return duration

    def apply(self, operation: Operation) -> IntensityWorkload:
        """This workload under one more transform."""
        operation.check(self.duration_s)
        return IntensityWorkload(
            operation.label(self.name),
            self.intensity,
            chunk_rows=self.chunk_rows,
            week_start_s=operation.week_start(self.week_start_s),
            operations=(*self.operations, operation),
            past=past_under(self, operation),
        )

    def slice(self, start_s: float, duration_s: float) -> IntensityWorkload:
        """The part in [start, start + duration) seconds, its time counted from its start."""
        return self.apply(Slice(start_s, duration_s))

    def follow_sun(self, utc_offsets_h: dict[str, float]) -> IntensityWorkload:
        """The same requests by the clock of each region of origin: the curve is local time, the workload's time UTC.

        Args:
            utc_offsets_h: Hours that each region's clock is ahead of UTC, by region.

        Raises:
            InputError: The workload is not whole days, or a number is out of range; when it is played, a region has no clock.
        """
        if not isinstance(utc_offsets_h, Mapping):
            raise InputError(f"follow_sun: utc_offsets_h = {shown(utc_offsets_h)} is no mapping; give hours ahead of UTC by region")
        return self.apply(FollowSun(tuple(utc_offsets_h.items())))

    def folded(self, seed: int) -> Intensity:
        """The intensity with all transforms folded in; the seed matters only to noise without a seed of its own."""
        intensity = self.intensity
        for number, operation in enumerate(self.operations):
            intensity = operation.fold(intensity, check_seed(seed), number)
        return intensity

    def tables(self, world: World, seed: int) -> Tables:
        """Arrays for ``kernel.fill``; the vector environment feeds many of them to one kernel call.

        Raises:
            InputError: A model or region is not in the world, or the seed is not usable.
        """
        if any(operation.varies_with_seed for operation in self.operations):
            return Tables.build(self.folded(seed), world, self.name)
        key = (tuple(model.name for model in world.models), tuple(region.name for region in world.regions))
        if key not in self._tables:
            self._tables[key] = Tables.build(self.folded(0), world, self.name)
        return self._tables[key]

    def stream(self, world: World, seed: int) -> GeneratedStream:
        """Start playing; the same world and seed give the same requests, bit for bit, whatever ``chunk_rows``."""
        return GeneratedStream(self.tables(world, seed), check_seed(seed), self.chunk_rows)
