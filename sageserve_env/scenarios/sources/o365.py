"""The Office 365 week as the traffic of a problem."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from sageserve_env.scenarios.perturbation import Perturbation, Shares
from sageserve_env.scenarios.sources.source import Window
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.workload.transforms.compose import Composable


@dataclass(frozen=True)
class O365Source:
    """The Office 365 week.

    Attributes:
        week_models: Models of the week whose requests are kept.
        scale: Factor on the week's requests.
        requests: Where given, every window is scaled to so many expected requests instead.
        renamed: Pairs of a model of the week and the one that its requests name instead.
    """

    week_models: tuple[str, ...]
    scale: float = 1.0
    requests: float | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    is_cyclic: ClassVar[bool] = True

    @property
    def models(self) -> tuple[str, ...]:
        """Models that the requests name."""
        names = dict(self.renamed)
        return tuple(names.get(model, model) for model in self.week_models)

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed traffic of a window, with that of the days before it in the week as its past."""
        factor = _o365_factor(self, window)
        played = perturbation.apply(_o365(self, window, factor, turns), _o365_shares(self, window))
        if window.start_s == 0:
            return played
        before = Window(f"before-{window.name}", 0.0, window.start_s, 0.0)
        shares = _o365_shares(self, before)
        return played.after(perturbation.before().apply(_o365(self, before, factor, 1), shares))


@lru_cache(maxsize=128)
def _o365_factor(source: O365Source, window: Window) -> float:
    """Factor on the week's requests in a window."""
    if source.requests is None:
        return source.scale
    return source.requests / float(_o365(source, window, 1.0, 1).intensity.expected().sum())


@lru_cache(maxsize=128)
def _o365(source: O365Source, window: Window, factor: float, turns: int) -> IntensityWorkload:
    """The window's part of the week, made once for each process; nobody writes to it."""
    part = _of_models(O365Week(window.start_s, window.span_s, models=dict(source.renamed)).intensity, source.models)
    intensity = part.times(np.array(factor)).window(0.0, turns * window.span_s)
    return IntensityWorkload(f"o365-{window.name}", intensity, week_start_s=window.week_start_s)


def _of_models(intensity: Intensity, models: tuple[str, ...]) -> Intensity:
    """The series of some models."""
    kept = [k for k, series in enumerate(intensity.series) if series.model in models]
    arrays = (getattr(intensity, name)[kept] for name in ("rate", "prompt_factor", "shape", "law"))
    return Intensity(tuple(intensity.series[k] for k in kept), intensity.edges, *arrays)


@lru_cache(maxsize=128)
def _o365_shares(source: O365Source, window: Window) -> Shares:
    """Expected shares, from the intensities."""
    return Shares.of(_o365(source, window, 1.0, 1).intensity)
