"""What a problem's traffic comes from must offer, and its windows: the spans of it that a split may play."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.workload.transforms.compose import Composable

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
