"""Plots as the templates draw them: places in per cent or thousandths of the frame, so that one drawing suits every width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sageserve_env.leaderboard.page.formats import short

Reals = NDArray[np.float64]

UNITS = 1000
"""Of a frame's width and height, in which paths are written."""

MOST_TICKS = 5


@dataclass(frozen=True)
class Scale:
    """From values to shares of a frame, 0 at its low end.

    Attributes:
        low, high: Values at the ends.
        is_log: Whether equal ratios are equally far apart; both ends are above 0 then.
    """

    low: float
    high: float
    is_log: bool = False

    def __call__(self, values: Reals) -> Reals:
        """Shares, within 0 and 1; NaN stays."""
        low, high = (math.log(self.low), math.log(self.high)) if self.is_log else (self.low, self.high)
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.log(values) if self.is_log else values
        return np.clip((inner - low) / (high - low), 0.0, 1.0)

    def ticks(self) -> list[float]:
        """Round values, at most ``MOST_TICKS`` and one."""
        if self.is_log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, math.ceil((last - first) / MOST_TICKS))
            return [10.0**power for power in range(first, last + 1, every)]
        rough = (self.high - self.low) / MOST_TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * size for size in (1, 2, 5, 10) if unit * size >= rough * (1 - 1e-9))
        return [step * number for number in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Tick:
    """A place on an axis, per cent from its left or top, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """A line or an area.

    Attributes:
        name: In the legend.
        look: Classes of the style sheet: ``c0`` to ``c7`` are colours, ``dashed`` and ``dotted`` are lines, ``area`` is filled.
        path: ``d`` of an SVG path, in ``UNITS``.
        link: Page of what it shows, from the page that it is on.
    """

    name: str
    look: str
    path: str
    link: str = ""


@dataclass(frozen=True)
class Point:
    """A mark.

    Attributes:
        name: Beside it.
        look: ``ranked``, ``infeasible`` or ``bound``.
        x, y: Per cent from the left and the top.
        title: What is said of it.
        link: Page of what it shows, from the page that it is on.
        label: Where its name stands: offsets in pixels and the side it ends at; None: there is no room.
    """

    name: str
    look: str
    x: float
    y: float
    title: str
    link: str
    label: tuple[int, int, str] | None = None


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes:
        title: Above it.
        unit: Of the values, beside the title.
        about: What it shows, for those who do not see it.
        x, y: Ticks.
        curves: In the order of drawing.
        x_name: Below it.
        points: Marks.
        levels: Lines across the frame, at per cent from the top.
    """

    title: str
    unit: str
    about: str
    x: list[Tick]
    y: list[Tick]
    curves: list[Curve] = field(default_factory=list)
    x_name: str = ""
    points: list[Point] = field(default_factory=list)
    levels: list[Tick] = field(default_factory=list)


def across(scale: Scale) -> list[Tick]:
    """Ticks of a horizontal axis."""
    return [Tick(round(100 * float(scale(np.array(value))), 2), short(value)) for value in scale.ticks()]


def upward(scale: Scale) -> list[Tick]:
    """Ticks of a vertical axis."""
    return [Tick(round(100 - 100 * float(scale(np.array(value))), 2), short(value)) for value in scale.ticks()]


def steps(edges: Reals, values: Reals, is_area: bool = False) -> str:
    """A path of one level for each interval.

    Args:
        edges: Shares of the width, shape (intervals + 1,).
        values: Shares of the height, shape (intervals,); NaN leaves a gap.
        is_area: Whether it is closed along the bottom.

    Example:
        >>> steps(np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0]))
        'M0 1000H500V0H1000'
    """
    x, parts, last = np.rint(edges * UNITS).astype(int), [], None
    for index, value in enumerate(values):
        if math.isnan(value):
            last = None
            continue
        y = round((1 - value) * UNITS)
        if last is None:
            parts.append(f"M{x[index]} {UNITS}V{y}" if is_area else f"M{x[index]} {y}")
        elif y != last:
            parts.append(f"H{x[index]}V{y}")
        last = y
        if index + 1 == len(values) or math.isnan(values[index + 1]):
            parts.append(f"H{x[index + 1]}" + (f"V{UNITS}Z" if is_area else ""))
    return "".join(parts)


def top_of(values: Sequence[Reals] | Reals) -> float:
    """Where an axis from 0 may end: a little above all values, and above 0."""
    highest = float(np.nanmax(values)) if np.size(values) and not np.isnan(values).all() else 0.0
    return 1.05 * highest if highest > 0 else 1.0
