"""Which episodes the hidden split of an id has: traffic that none of its public splits plays, drawn by secret seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.protocol import SPLIT, Episode
from sageserve_env.scenarios import Problem, Split
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.scenarios.sources import DAY_S, DAYS, CurveSource, CurveWindow
from sageserve_env.workload.sources.curves import CURVES

WORKDAYS = 5

SEED_BITS = 62


@dataclass(frozen=True)
class Hidden:
    """The hidden split of an id.

    Attributes:
        problem: The problem with the hidden traffic for its test split.
        episodes: Options of ``reset``.
        seeds: Of ``reset``.
    """

    problem: Problem
    episodes: tuple[Episode, ...]
    seeds: tuple[int, ...]


def unplayed(problem: Problem) -> list[str]:
    """Curves that no split of a problem plays."""
    windows = [window for split in problem.splits for window in split.windows]
    played = {name for window in windows if isinstance(window, CurveWindow) for name in window.curves}
    return [name for name in CURVES if name not in played]


def require_hidden(problem: Problem) -> CurveSource:
    """The source of a problem that can have a hidden split.

    Raises:
        InputError: It plays no curves, or there are too few that it does not play.
    """
    source = problem.source
    if not isinstance(source, CurveSource) or len(unplayed(problem)) < len(source.traffic):
        raise InputError(f"{problem.id} has no hidden split: no recorded traffic is left that its public splits do not play")
    return source


def hidden(problem: Problem, secret: Sequence[int]) -> Hidden:
    """The hidden split that seeds draw, an episode each: curves, a day of the week, a perturbation, and the seed of ``reset``.

    Raises:
        InputError: The problem can have none.
    """
    source, curves = require_hidden(problem), unplayed(problem)
    law = problem.split("train").randomisation
    assert law is not None
    windows: list[CurveWindow] = []
    perturbations: list[Perturbation] = []
    seeds: list[int] = []
    for number, seed in enumerate(secret):
        rng = np.random.default_rng(seed)
        names = tuple(curves[k] for k in rng.permutation(len(curves))[: len(source.traffic)])
        start_s = int(rng.integers(WORKDAYS)) * DAY_S
        windows.append(CurveWindow(f"hidden-{number}-{DAYS[int(start_s / DAY_S)]}", start_s, DAY_S, start_s, names))
        perturbations.append(law.draw(rng, source.models))
        seeds.append(int(rng.integers(1 << SEED_BITS)))
    split = Split(SPLIT, tuple(windows), variants=tuple(perturbations))
    kept = tuple(split if each.name == SPLIT else each for each in problem.splits)
    episodes = tuple({"day": window.name, "variant": number} for number, window in enumerate(windows))
    return Hidden(replace(problem, splits=kept), episodes, tuple(seeds))
