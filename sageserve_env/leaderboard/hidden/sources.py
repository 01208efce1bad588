"""Where the traffic of a hidden split comes from: recordings that no public split of an id plays.

Each source here plays what the problem's own source plays in its public windows, and draws windows of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.scenarios import Problem
from sageserve_env.scenarios.perturbation import Perturbation, Shares
from sageserve_env.scenarios.sources import DAY_S, DAYS, WEEK_S, AzureSource, CurveSource, CurveWindow, O365Source, Window
from sageserve_env.scenarios.sources.source import Source
from sageserve_env.workload.catalog import load_workload
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity
from sageserve_env.workload.mapping import Mapping
from sageserve_env.workload.sources.azure2024 import WEEK_START_S, azure2024
from sageserve_env.workload.sources.curves import BIN_S, CURVES, curve
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.workload.traces.trace import Trace
from sageserve_env.workload.transforms.compose import Composable

WORKDAYS = 5

O365 = "o365-"
"""How the curves of the Office 365 week begin."""

S = TypeVar("S", bound=Source)


class HiddenSource(Source, Protocol):
    """A source that can draw windows which no public split plays."""

    def draw(self, rng: np.random.Generator, number: int) -> Window:
        """The window of an episode, named after its number."""
        ...


def hidden_source(problem: Problem) -> HiddenSource:
    """The source of a problem's hidden split.

    Raises:
        InputError: Its public splits play all that there is.
    """
    source, curves = problem.source, unplayed(problem)
    if isinstance(source, CurveSource) and len(curves) >= len(source.traffic):
        return HiddenCurves(source, curves)
    if isinstance(source, O365Source):
        return HiddenHours(source, curves)
    if isinstance(source, AzureSource):
        return HiddenYear(source, problem.horizon_s)
    raise InputError(f"{problem.id} has no hidden split: no recorded traffic is left that its public splits do not play")


def unplayed(problem: Problem) -> tuple[str, ...]:
    """Curves that no split of a problem plays."""
    windows = [window for split in problem.splits for window in split.windows]
    played = {name for window in windows if isinstance(window, CurveWindow) for name in window.curves}
    plays_o365 = isinstance(problem.source, O365Source)
    return tuple(name for name in CURVES if name not in played and not (plays_o365 and name.startswith(O365)))


@dataclass(frozen=True)
class Derived(Generic[S]):
    """A source made from the one that the public splits play.

    Attributes:
        source: What the public splits play.
    """

    source: S

    @property
    def models(self) -> tuple[str, ...]:
        """As of the public splits."""
        return self.source.models

    @property
    def is_cyclic(self) -> bool:
        """As of the public splits."""
        return self.source.is_cyclic


@dataclass(frozen=True)
class Workdays(Derived[S]):
    """Days of recorded weeks that are not in the public splits.

    Attributes:
        source: What the public splits play.
        curves: Names of the weeks.
    """

    curves: tuple[str, ...]

    def draw(self, rng: np.random.Generator, number: int) -> Window:
        """A day from Monday to Friday on which each model follows a curve of its own."""
        names = tuple(self.curves[k] for k in rng.permutation(len(self.curves))[: len(self.models)])
        start_s = int(rng.integers(WORKDAYS)) * DAY_S
        return CurveWindow(f"hidden-{number}-{DAYS[int(start_s / DAY_S)]}", start_s, DAY_S, start_s, names)


class HiddenCurves(Workdays[CurveSource]):
    """The problem's own source on those days."""

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """As the public splits."""
        return self.source.play(window, perturbation, turns)


class HiddenHours(Workdays[O365Source]):
    """The models, tiers, regions and sizes of the Office 365 week, at its mean rates, and when other recorded weeks have them."""

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed traffic of a window, with that of the days before it in its week as its past."""
        if not isinstance(window, CurveWindow):
            return self.source.play(window, perturbation, turns)
        factor = _factor(self.source, window)
        played = _timed_perturbed(self.source, window, factor, perturbation, turns)
        if window.start_s == 0:
            return played
        before = CurveWindow(f"before-{window.name}", 0.0, window.start_s, 0.0, window.curves)
        return played.after(_timed_perturbed(self.source, before, factor, perturbation.before(), 1))


def _timed_perturbed(source: O365Source, window: CurveWindow, factor: float, perturbation: Perturbation, turns: int) -> Composable:
    intensity = _timed(source, window).times(np.array(factor))
    workload = IntensityWorkload(window.name, intensity.window(0.0, turns * window.span_s), week_start_s=window.week_start_s)
    return perturbation.apply(workload, Shares.of(intensity))


def _factor(source: O365Source, window: CurveWindow) -> float:
    """Factor on the week's requests."""
    return source.scale if source.requests is None else source.requests / float(_timed(source, window).expected().sum())


@lru_cache(maxsize=64)
def _timed(source: O365Source, window: CurveWindow) -> Intensity:
    """The series of the Office 365 week at their mean rates, each at the hours of its model's curve."""
    week = O365Week(0.0, WEEK_S, models=dict(source.renamed)).intensity
    kept = [k for k, series in enumerate(week.series) if series.model in source.models]
    expected, seconds = week.expected(), np.diff(week.edges)
    tokens = (week.rate * week.prompt_factor * seconds).sum(axis=1)
    first = round(window.start_s / BIN_S)
    bins = slice(first, first + round(window.span_s / BIN_S))
    shapes = {model: curve(name)[bins] for model, name in zip(source.models, window.curves, strict=True)}
    rate = np.stack([expected[k] / WEEK_S * shapes[week.series[k].model] for k in kept])
    factor = np.array([tokens[k] / expected[k] if expected[k] > 0 else 1.0 for k in kept])
    edges = np.arange(rate.shape[1] + 1) * BIN_S
    series = tuple(week.series[k] for k in kept)
    return Intensity.renewal(series, edges, rate, 1.0, np.broadcast_to(factor[:, None], rate.shape).copy())


@dataclass(frozen=True)
class HiddenYear(Derived[AzureSource]):
    """The services of the Azure traces a year later: any minutes of the week of 2024, at the mean rates of 2023.

    Attributes:
        source: What the public splits play.
        span_s: Length of a window, that of an episode.
    """

    span_s: float

    def draw(self, rng: np.random.Generator, number: int) -> Window:
        """Some minutes of one of the services, from a full minute on."""
        service = tuple(WEEK_START_S)[int(rng.integers(len(WEEK_START_S)))]
        start_s = 60.0 * int(rng.integers(int((WEEK_S - self.span_s) / 60.0)))
        week_start_s = (WEEK_START_S[service] + start_s) % WEEK_S
        return YearWindow(f"hidden-{number}-{service}", start_s, self.span_s, week_start_s, service)

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed traffic of a window."""
        if not isinstance(window, YearWindow):
            return self.source.play(window, perturbation, turns)
        mapping = Mapping(dict.fromkeys(self.models, 1 / len(self.models)))
        scale = _rate_2023(window.service) / _rate_2024(window.service)
        played = azure2024(window.service, mapping=mapping, start_s=window.start_s, duration_s=window.span_s, scale=scale)
        return perturbation.apply(played, Shares.of(played.intensity))


@dataclass(frozen=True)
class YearWindow(Window):
    """A span of the week of 2024.

    Attributes:
        service: Which of its services.
    """

    service: str = ""


@lru_cache(maxsize=4)
def _rate_2023(service: str) -> float:
    """Mean requests per second of a trace of 2023."""
    trace = load_workload(f"azure2023-{service}")
    assert isinstance(trace, Trace)
    return trace.scan().rows / trace.duration_s


@lru_cache(maxsize=4)
def _rate_2024(service: str) -> float:
    """Mean requests per second of the week of 2024."""
    workload = azure2024(service)
    return float(workload.intensity.expected().sum()) / workload.duration_s
