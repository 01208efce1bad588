"""Traffic put together from recorded weeks and recorded sizes: for each model a curve, a rate, tiers, regions and peaks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sageserve_env.scenarios.perturbation import Perturbation, Shares
from sageserve_env.scenarios.sources.source import DAY_S, DAYS, WEEK_S, Window
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.sources.curves import BIN_S, curve, sizes
from sageserve_env.workload.transforms.compose import Composable

EDGE_S = 300.0
"""Bins of the traffic: peaks begin and end on their edges."""


@dataclass(frozen=True)
class Peaks:
    """Interactive traffic that comes back with the clock, such as meetings that end and jobs that start on the hour.

    Attributes:
        factor: On the interactive rates, in each peak.
        start_s: From the full hour to the start of a peak, a multiple of 300 s.
        duration_s: Of a peak, a multiple of 300 s.
        hours: Hours of the day that have a peak, local to each region.
    """

    factor: float
    start_s: float = 0.0
    duration_s: float = 900.0
    hours: tuple[int, ...] = tuple(range(24))


@dataclass(frozen=True)
class Traffic:
    """The requests of one model.

    Attributes:
        model: Its name.
        rate_per_s: Mean over a week, all regions and tiers together, without the peaks.
        tiers: Shares of IW-F, IW-N and NIW.
        regions: Shares by region of origin.
        prompt: Name and cut of the prompt sizes, see ``workload.sources.curves.sizes``.
        output: The same of the outputs.
        peaks: What comes on top with the clock.
    """

    model: str
    rate_per_s: float
    tiers: tuple[float, float, float]
    regions: tuple[tuple[str, float], ...]
    prompt: tuple[str, int]
    output: tuple[str, int]
    peaks: Peaks | None = None


@dataclass(frozen=True)
class CurveWindow(Window):
    """A span of a week in which each model follows a recorded curve.

    Attributes:
        curves: Name of each model's curve, in the order of the source's traffic.
    """

    curves: tuple[str, ...] = ()


def curve_days(curves: tuple[str, ...], *days: str, suffix: str = "") -> tuple[CurveWindow, ...]:
    """Windows of whole days of a week of curves, named after ``DAYS``, with a suffix."""
    starts = [DAYS.index(day) * DAY_S for day in days]
    return tuple(CurveWindow(day + suffix, start, DAY_S, start, curves) for day, start in zip(days, starts, strict=True))


def curve_week(name: str, curves: tuple[str, ...]) -> CurveWindow:
    """A whole week of curves."""
    return CurveWindow(name, 0.0, WEEK_S, 0.0, curves)


@dataclass(frozen=True)
class CurveSource:
    """Recorded weeks, scaled to the rates of a problem.

    Attributes:
        traffic: Of each model.
        clocks_s: By region of origin, by how much its day begins earlier than the first's.
    """

    traffic: tuple[Traffic, ...]
    clocks_s: tuple[tuple[str, float], ...] = ()
    is_cyclic: ClassVar[bool] = True

    @property
    def models(self) -> tuple[str, ...]:
        """Models whose shares a perturbation may change."""
        return tuple(each.model for each in self.traffic)

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed traffic of a window, with that of the days before it in its week as its past."""
        assert isinstance(window, CurveWindow)
        played = _perturbed(self, window, perturbation, turns)
        if window.start_s == 0:
            return played
        before = CurveWindow(f"before-{window.name}", 0.0, window.start_s, 0.0, window.curves)
        return played.after(_perturbed(self, before, perturbation.before(), 1))


def _perturbed(source: CurveSource, window: CurveWindow, perturbation: Perturbation, turns: int) -> Composable:
    """The phase moves the curves and leaves the peaks on the clock; all else acts on the traffic that comes of both."""
    intensity = _intensity(source, window, perturbation.phase_s).window(0.0, turns * window.span_s)
    workload = IntensityWorkload(window.name, intensity, week_start_s=window.week_start_s)
    return perturbation.without_phase().apply(workload, _shares(source, window, perturbation.phase_s))


@lru_cache(maxsize=64)
def _intensity(source: CurveSource, window: CurveWindow, phase_s: float) -> Intensity:
    """Two series of each model and region: interactive with its peaks, and NIW."""
    clocks = dict(source.clocks_s)
    edges = np.arange(0.0, window.span_s + EDGE_S / 2, EDGE_S)
    series: list[Series] = []
    rates: list[NDArray[np.float64]] = []
    for traffic, name in zip(source.traffic, window.curves, strict=True):
        tables = sizes(*traffic.prompt), sizes(*traffic.output)
        fast, normal, batch = np.array(traffic.tiers) / sum(traffic.tiers)
        for region, share in traffic.regions:
            clock_s = clocks.get(region, 0.0)
            rate = traffic.rate_per_s * share * _shape(name, window, phase_s - clock_s)
            peak = np.ones(len(rate)) if traffic.peaks is None else _peaks(traffic.peaks, window, clock_s)
            series.append(Series(traffic.model, (fast, normal, 0.0), {region: 1.0}, *tables))
            rates.append(rate * peak * (fast + normal))
            series.append(Series(traffic.model, (0.0, 0.0, 1.0), {region: 1.0}, *tables))
            rates.append(rate * batch)
    kept = [k for k, rate in enumerate(rates) if rate.any()]
    return Intensity.renewal(tuple(series[k] for k in kept), edges, np.stack([rates[k] for k in kept]), 1.0)


def _shape(name: str, window: CurveWindow, later_s: float) -> NDArray[np.float64]:
    """A curve in the bins of a window, cyclically later: a day never shows another."""
    first, count = round(window.start_s / BIN_S), round(window.span_s / BIN_S)
    part = curve(name)[first : first + count]
    middles = (np.arange(0.0, window.span_s, EDGE_S) + EDGE_S / 2 - later_s) % window.span_s
    return np.interp(middles, (np.arange(count) + 0.5) * BIN_S, part, period=window.span_s)


def _peaks(peaks: Peaks, window: CurveWindow, clock_s: float) -> NDArray[np.float64]:
    """Factors of a window's bins."""
    local_s = window.week_start_s + clock_s + np.arange(0.0, window.span_s, EDGE_S) + EDGE_S / 2
    hour, second = np.divmod(local_s % DAY_S, 3600.0)
    is_peak = np.isin(hour, peaks.hours) & (second >= peaks.start_s) & (second < peaks.start_s + peaks.duration_s)
    return np.where(is_peak, peaks.factor, 1.0)


@lru_cache(maxsize=64)
def _shares(source: CurveSource, window: CurveWindow, phase_s: float) -> Shares:
    """Expected shares of the models and tiers in a window."""
    return Shares.of(_intensity(source, window, phase_s))
