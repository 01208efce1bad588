"""Transforms of a workload: what each must offer, and those that move time. Those that weigh requests: ``weightings.py``.

An operation folds into an :class:`~sageserve_env.workload.drawn.intensity.Intensity` exactly, or gives a :class:`Plan` by which a
stream of requests is thinned, repeated and moved (``compose.py``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_number
from sageserve_env.workload.drawn.intensity import Intensity
from sageserve_env.workload.request import Chunk

Counts = NDArray[np.float64]
"""Requests of each model and tier. Shape (n_models, n_tiers)."""


@dataclass(frozen=True)
class Plan:
    """How to transform a stream of requests.

    Attributes:
        start_s: Requests before this are left out.
        stop_s: Requests at or after this are left out.
        offset_s: Added to arrival times.
        weight: Expected number of copies of each request of a chunk, shape (n,); ``None`` means 1.
    """

    start_s: float
    stop_s: float
    offset_s: float = 0.0
    weight: Callable[[Chunk], NDArray[np.float64]] | None = None


class Operation(ABC):
    """One transform."""

    @abstractmethod
    def label(self, name: str) -> str:
        """Name of the transformed workload."""

    @abstractmethod
    def fold(self, intensity: Intensity, seed: int, number: int) -> Intensity:
        """The transformed intensity. ``number`` is the operation's place in the chain: a noise without a seed needs it."""

    @abstractmethod
    def plan(self, duration_s: float, models: tuple[str, ...], measure: Callable[[], Counts], seed: int) -> Plan:
        """The plan for a stream of requests whose workload lasts ``duration_s``; ``measure`` counts its requests."""

    @property
    def varies_with_seed(self) -> bool:
        """Whether the intensities depend on the seed of the stream."""
        return False

    def before(self) -> Operation | None:
        """The transform for the time before the workload; None where it leaves no past."""
        return self

    def check(self, duration_s: float) -> None:
        """Raise InputError if it cannot be applied to a workload of this length."""
        return

    def duration(self, duration_s: float, cyclic: bool) -> float:
        """Length of the transformed workload, in seconds."""
        return duration_s

    def week_start(self, week_start_s: float | None) -> float | None:
        """Seconds from Monday 00:00 to time 0 of the transformed workload."""
        return week_start_s


@dataclass(frozen=True)
class Slice(Operation):
    """The part in [start, start + duration), its time counted from its start."""

    start_s: float
    duration_s: float

    def __post_init__(self) -> None:
        """Check numbers."""
        check_number("slice: start_s", self.start_s, unit="s")
        check_number("slice: duration_s", self.duration_s, open_minimum=True, unit="s")

    def check(self, duration_s: float) -> None:
        """The slice must lie inside."""
        # An exact end such as 604800 may be the sum of rounded numbers.
        if self.start_s + self.duration_s > duration_s * (1 + 1e-12):
            end_s = self.start_s + self.duration_s
            raise InputError(f"slice: start_s + duration_s = {end_s:g} s is beyond the workload's {duration_s:g} s; shorten it")

    def label(self, name: str) -> str:
        """Name with the slice."""
        return f"{name}[{self.start_s:g}s+{self.duration_s:g}s]"

    def duration(self, duration_s: float, cyclic: bool) -> float:
        """The slice's length."""
        return self.duration_s

    def week_start(self, week_start_s: float | None) -> float | None:
        """Later by the start."""
        return None if week_start_s is None else week_start_s + self.start_s

    def fold(self, intensity: Intensity, seed: int, number: int) -> Intensity:
        """The window of the intensity."""
        return intensity.window(self.start_s, self.duration_s)

    def plan(self, duration_s: float, models: tuple[str, ...], measure: Callable[[], Counts], seed: int) -> Plan:
        """Drop what is outside."""
        return Plan(self.start_s, self.start_s + self.duration_s, -self.start_s)


@dataclass(frozen=True)
class Shift(Operation):
    """Everything arrives ``by_s`` later (earlier where negative): cyclic for intensities, plain for requests on record."""

    by_s: float

    def __post_init__(self) -> None:
        """Check numbers."""
        check_number("shift: by_s", self.by_s, minimum=-np.inf, unit="s")

    def check(self, duration_s: float) -> None:
        """Something must be left."""
        if self.by_s <= -duration_s:
            raise InputError(f"shift: by_s = {self.by_s:g} leaves nothing of the workload's {duration_s:g} s; shift by less")

    def label(self, name: str) -> str:
        """Name with the shift."""
        return f"{name}{self.by_s:+g}s"

    def duration(self, duration_s: float, cyclic: bool) -> float:
        """Unchanged when cyclic; a plain shift moves the end, too."""
        return duration_s if cyclic else duration_s + self.by_s

    def fold(self, intensity: Intensity, seed: int, number: int) -> Intensity:
        """The cycle from another start."""
        start_s = -self.by_s % intensity.duration_s
        # The remainder of a tiny negative number rounds to the whole duration.
        return intensity.window(start_s if start_s < intensity.duration_s else 0.0, intensity.duration_s)

    def plan(self, duration_s: float, models: tuple[str, ...], measure: Callable[[], Counts], seed: int) -> Plan:
        """Move; what would arrive before 0 is left out."""
        return Plan(max(0.0, -self.by_s), np.inf, self.by_s)
