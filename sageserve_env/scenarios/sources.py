"""Where the traffic of a problem comes from, and its windows: the spans of it that a split may play."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Protocol

import numpy as np

from sageserve_env.scenarios.perturbation import Perturbation, Shares
from sageserve_env.workload.catalog import AZURE_2023_WEEK_START_S, load_workload
from sageserve_env.workload.generated import IntensityWorkload
from sageserve_env.workload.intensity import Intensity
from sageserve_env.workload.mapping import Mapping
from sageserve_env.workload.request import Workload
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.workload.transforms.compose import Composable, Transformed
from sageserve_env.workload.transforms.operations import Slice
from sageserve_env.world.schema import TIERS

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Window:
    """A span of a source.

    Attributes:
        name: What ``options={"day": ...}`` calls it.
        start_s: Start in the source's time, seconds.
        span_s: Length in seconds.
        week_start_s: Seconds from Monday 00:00 to its start.
    """

    name: str
    start_s: float
    span_s: float
    week_start_s: float


def weekdays(*names: str) -> tuple[Window, ...]:
    """Windows of whole days of the week, by their names in ``DAYS``."""
    return tuple(Window(name, DAYS.index(name) * DAY_S, DAY_S, DAYS.index(name) * DAY_S) for name in names)


def azure_windows(start_s: float, span_s: dict[str, float]) -> tuple[Window, ...]:
    """A window of each Azure trace, from the same second on, by lengths in seconds."""
    return tuple(Window(name, start_s, span_s[name], AZURE_2023_WEEK_START_S[name] + start_s) for name in span_s)


WHOLE_WEEK = (Window("week", 0.0, WEEK_S, 0.0),)


class Source(Protocol):
    """Where the traffic comes from."""

    @property
    def models(self) -> tuple[str, ...]:
        """Models whose shares a perturbation may change."""
        ...

    @property
    def is_cyclic(self) -> bool:
        """Whether a window repeats beyond its end and shifts within itself, so that it never shows another."""
        ...

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed traffic of a window, ``turns`` times in a row; its time 0 is the window's start."""
        ...


@dataclass(frozen=True)
class O365Source:
    """The Office 365 week.

    Attributes:
        models: Models whose requests are kept.
        scale: Factor on the week's requests.
        requests: Where given, every window is scaled to so many expected requests instead.
    """

    models: tuple[str, ...]
    scale: float = 1.0
    requests: float | None = None
    is_cyclic: ClassVar[bool] = True

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed traffic of a window, with that of the days before it in the week as its past."""
        factor = _o365_factor(self, window)
        played = perturbation.apply(_o365(self.models, window, factor, turns), _o365_shares(self.models, window))
        if window.start_s == 0:
            return played
        before = Window(f"before-{window.name}", 0.0, window.start_s, 0.0)
        shares = _o365_shares(self.models, before)
        return played.after(perturbation.before().apply(_o365(self.models, before, factor, 1), shares))


@lru_cache(maxsize=128)
def _o365_factor(source: O365Source, window: Window) -> float:
    """Factor on the week's requests in a window."""
    if source.requests is None:
        return source.scale
    return source.requests / float(_o365(source.models, window, 1.0, 1).intensity.expected().sum())


@lru_cache(maxsize=128)
def _o365(models: tuple[str, ...], window: Window, factor: float, turns: int) -> IntensityWorkload:
    """The window's part of the week, made once for each process; nobody writes to it."""
    part = _of_models(O365Week(window.start_s, window.span_s).intensity, models)
    intensity = part.times(np.array(factor)).window(0.0, turns * window.span_s)
    return IntensityWorkload(f"o365-{window.name}", intensity, week_start_s=window.week_start_s)


def _of_models(intensity: Intensity, models: tuple[str, ...]) -> Intensity:
    """The series of some models."""
    kept = [k for k, series in enumerate(intensity.series) if series.model in models]
    arrays = (getattr(intensity, name)[kept] for name in ("rate", "prompt_factor", "shape", "law"))
    return Intensity(tuple(intensity.series[k] for k in kept), intensity.edges, *arrays)


@lru_cache(maxsize=128)
def _o365_shares(names: tuple[str, ...], window: Window) -> Shares:
    """Expected shares, from the intensities."""
    intensity = _o365(names, window, 1.0, 1).intensity
    models, tiers = dict.fromkeys(names, 0.0), dict.fromkeys(TIERS, 0.0)
    expected = intensity.expected() / intensity.expected().sum()
    for series, share in zip(intensity.series, expected.tolist(), strict=True):
        models[series.model] += share
        for tier, part in zip(TIERS, series.tiers, strict=True):
            tiers[tier] += share * part / sum(series.tiers)
    return Shares(models, tiers)


@dataclass(frozen=True)
class AzureSource:
    """The Azure 2023 traces, replayed request by request; their windows are named after them, ``conv`` and ``code``.

    Attributes:
        models: Models that the requests are spread over, in equal shares. The traces name none.
    """

    models: tuple[str, ...]
    is_cyclic: ClassVar[bool] = False

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed part of the trace; shares of models and tiers go into the labels, which the trace lacks."""
        shares = perturbation.shares(Shares(dict.fromkeys(self.models, 1 / len(self.models)), Mapping().tiers))
        trace = load_workload(f"azure2023-{window.name}", mapping=Mapping(shares.models, shares.tiers))
        # Sliced before anything is copied: no request of another split can come in.
        part = trace.slice(window.start_s, window.span_s)
        return replace(perturbation, models=(), tiers=()).apply(part, shares)


@dataclass(frozen=True, repr=False)
class GivenSource:
    """A workload that the user gave, played once, as it is."""

    workload: Workload
    models: ClassVar[tuple[str, ...]] = ()
    is_cyclic: ClassVar[bool] = False

    def __repr__(self) -> str:
        """Its kind, name and length: what tells workloads apart, in any process."""
        return f"{type(self.workload).__name__} {self.workload.name!r} of {self.workload.duration_s:g} s"

    def window(self) -> Window:
        """All of it."""
        return Window("whole", 0.0, self.workload.duration_s, getattr(self.workload, "week_start_s", None) or 0.0)

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The workload, perturbed only where an option scales it."""
        workload = self.workload
        if not isinstance(workload, Composable):
            workload = Transformed(workload, Slice(0.0, workload.duration_s))
        return perturbation.apply(workload, Shares({}, {}))
