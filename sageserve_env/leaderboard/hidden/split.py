"""Which episodes the hidden split of an id has: traffic that none of its public splits plays, drawn by secret seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sageserve_env.evaluation.locked.protocol import SPLIT, Episode
from sageserve_env.leaderboard.hidden.sources import hidden_source
from sageserve_env.scenarios import Problem, Split
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.scenarios.sources import Window

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


def hidden(problem: Problem, secret: Sequence[int]) -> Hidden:
    """The hidden split that seeds draw, an episode each: a window, a perturbation, and the seed of ``reset``.

    Raises:
        InputError: The problem can have none.
    """
    source, law = hidden_source(problem), problem.split("train").randomisation
    assert law is not None
    windows: list[Window] = []
    perturbations: list[Perturbation] = []
    seeds: list[int] = []
    for number, seed in enumerate(secret):
        rng = np.random.default_rng(seed)
        windows.append(source.draw(rng, number))
        perturbations.append(law.draw(rng, source.models))
        seeds.append(int(rng.integers(1 << SEED_BITS)))
    split = Split(SPLIT, tuple(windows), variants=tuple(perturbations))
    kept = tuple(split if each.name == SPLIT else each for each in problem.splits)
    episodes = tuple({"day": window.name, "variant": number} for number, window in enumerate(windows))
    return Hidden(replace(problem, source=source, splits=kept), episodes, tuple(seeds))
