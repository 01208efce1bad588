"""Requests described by rates: several series, each with an intensity that is constant within each bin of time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_number, check_shares
from sageserve_env.workload.drawn.kernel import GAMMA, POISSON
from sageserve_env.workload.drawn.sizes import CELLS
from sageserve_env.world.checks import MOST_S
from sageserve_env.world.schema import TIERS

MOST_RATE = 1e9
"""Requests per second of a series, and whatever else is a factor or a shape; beyond, arrivals would no longer move a clock."""


@dataclass(frozen=True)
class Series:
    """What the requests of one series are.

    Attributes:
        model: Name of the model.
        tiers: Relative share of each tier, in the order of ``TIERS``.
        regions: Relative share of each region of origin, by name; ``None`` means equal shares over the world's regions.
        prompt: Sizes at probabilities 0 to 1, as made by
            :func:`~sageserve_env.workload.drawn.sizes.size_table`, shape (CELLS + 1,), tokens.
        output: The same for output tokens.
    """

    model: str
    tiers: tuple[float, ...]
    regions: dict[str, float] | None
    prompt: NDArray[np.float64] = field(repr=False)
    output: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        """Check shares and shapes."""
        check_shares(f"series of {self.model}: tiers", dict(zip(TIERS, self.tiers, strict=True)))
        if self.regions is not None:
            check_shares(f"series of {self.model}: regions", self.regions)
        if self.prompt.shape != (CELLS + 1,) or self.output.shape != (CELLS + 1,):
            shapes = f"{self.prompt.shape} and {self.output.shape}"
            raise InputError(f"series of {self.model}: size tables have shapes {shapes}; make them with size_table")


@dataclass(frozen=True)
class Intensity:
    """Rates of several series over time. Arrays are never written to.

    Attributes:
        series: What each series is.
        edges: Edges of the bins in seconds; the first is 0, the last the duration. Shape (n_bins + 1,).
        rate: Requests per second. Shape (n_series, n_bins).
        prompt_factor: Multiplies prompt sizes. Shape (n_series, n_bins).
        shape: Shape parameter of the gaps (ignored by the Poisson law). Shape (n_series, n_bins).
        law: ``kernel.POISSON``, ``GAMMA`` or ``WEIBULL``. Shape (n_series, n_bins).
    """

    series: tuple[Series, ...]
    edges: NDArray[np.float64]
    rate: NDArray[np.float64]
    prompt_factor: NDArray[np.float64]
    shape: NDArray[np.float64]
    law: NDArray[np.int32]

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            InputError: No series, edges that do not increase from 0, shapes that differ, or rates that are negative or not finite.
        """
        bins = (len(self.series), self.edges.size - 1)
        if min(bins) < 1 or self.edges[0] != 0 or not np.all(np.diff(self.edges) > 0) or not np.isfinite(self.edges[-1]):
            raise InputError(
                f"intensity: {bins[0]} series, edges = {self.edges[:3].tolist()}...; give series, and edges that rise from 0"
            )
        for name in ("rate", "prompt_factor", "shape", "law"):
            values = getattr(self, name)
            if values.shape != bins:
                raise InputError(f"intensity: {name} has shape {values.shape}; the series and edges need {bins}")
            bad = ~((values >= 0) & (values <= MOST_RATE))
            if bad.any():
                raise InputError(f"intensity: {name} has value {values[bad][0]}; give values >= 0 and <= {MOST_RATE:.0f}")

    @classmethod
    def renewal(
        cls,
        series: tuple[Series, ...],
        edges: NDArray[np.float64],
        rate: NDArray[np.float64],
        cv: float,
        prompt_factor: NDArray[np.float64] | None = None,
    ) -> Intensity:
        """One gap law throughout, by its coefficient of variation: Poisson at 1, else Gamma.

        Raises:
            InputError: ``cv`` is not a number from 0.05 to 20, or the arrays do not fit.
        """
        if check_number("cv", cv, minimum=0.05) > 20:
            raise InputError(f"cv = {cv} is not usable; give a number from 0.05 to 20 (1 is Poisson)")
        factor = np.ones_like(rate) if prompt_factor is None else prompt_factor
        law = np.full(rate.shape, POISSON if cv == 1 else GAMMA, np.int32)
        return cls(series, edges, rate, factor, np.full_like(rate, cv**-2), law)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.edges[-1])

    def expected(self) -> NDArray[np.float64]:
        """Expected number of requests of each series. Shape (n_series,)."""
        expected: NDArray[np.float64] = (self.rate * np.diff(self.edges)).sum(axis=1)
        return expected

    def times(self, factor: NDArray[np.float64]) -> Intensity:
        """Rates multiplied by ``factor``, which broadcasts to (n_series, n_bins)."""
        return replace(self, rate=self.rate * factor)

    def _take(self, edges: NDArray[np.float64], bins: NDArray[np.intp]) -> Intensity:
        """New edges; column ``k`` of every array is the old column ``bins[k]``."""
        arrays = {name: getattr(self, name)[:, bins] for name in ("rate", "prompt_factor", "shape", "law")}
        return replace(self, edges=edges, **arrays)

    def refined(self, cuts: NDArray[np.float64]) -> Intensity:
        """The same intensity with further edges at ``cuts``, those outside the duration left out."""
        edges = np.union1d(self.edges, cuts[(cuts > 0) & (cuts < self.duration_s)])
        return self._take(edges, np.searchsorted(self.edges, edges[:-1], side="right") - 1)

    def window(self, start_s: float, duration_s: float | None = None) -> Intensity:
        """The part in [start, start + duration), its time counted from its start; beyond the end the intensity repeats.

        Args:
            start_s: Seconds, in [0, the intensity's duration).
            duration_s: Seconds; ``None`` goes to the intensity's end.

        Raises:
            InputError: A number out of range.
        """
        if check_number("start_s", start_s, unit="s") >= self.duration_s:
            raise InputError(f"start_s = {start_s:g} is at or beyond the end; give seconds below {self.duration_s:g}")
        if duration_s is None:
            duration_s = self.duration_s - start_s
        check_number("duration_s", duration_s, minimum=1e-3, maximum=MOST_S, unit="s")
        turns = int(np.ceil((start_s + duration_s) / self.duration_s))
        edges = np.concatenate([self.edges[:-1] + turn * self.duration_s for turn in range(turns)])
        inside = edges[(edges > start_s) & (edges < start_s + duration_s)] - start_s
        # Edges that differ by rounding only would make bins of no length.
        inside = inside[(inside > 1e-6) & (inside < duration_s - 1e-6)]
        new = np.concatenate([[0.0], inside, [duration_s]])
        middles = (start_s + 0.5 * (new[:-1] + new[1:])) % self.duration_s
        return self._take(new, np.searchsorted(self.edges, middles, side="right") - 1)

    def merged(self, other: Intensity) -> Intensity:
        """Both at once: the series of this one, then of the other. The durations must be equal."""
        a, b = self.refined(other.edges), other.refined(self.edges)
        arrays = {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("rate", "prompt_factor", "shape", "law")}
        return Intensity(a.series + b.series, a.edges, **arrays)
