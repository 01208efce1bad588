"""The future of a generated workload drawn anew from an instant on: other requests, and other levels of noise, from what was known.

What is known at an instant is the law of the arrivals, and the level of each noise there; what comes after is random. Levels are a
first-order autoregression, so that those after an instant depend on the past through the level at that instant alone: with keep
factor c, the logarithm of the level k steps later is that of other noise, plus c**k times the distance between the two now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sageserve_env.portable import exp, log
from sageserve_env.workload.drawn.generated import IntensityWorkload, Tables
from sageserve_env.workload.drawn.intensity import Intensity
from sageserve_env.workload.drawn.rng import FORK, generator_words
from sageserve_env.workload.transforms.weightings import STEPS_PER_CORRELATION, Noise
from sageserve_env.world.schema import World

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Fork:
    """An instant from which on the future was drawn anew.

    Attributes:
        now_s: Seconds since the start of the workload.
        seed: Of the new future, 0 to 2**64 - 1.
    """

    now_s: float
    seed: int

    def word(self, index: int) -> int:
        """A random number of the fork: 0 seeds its requests, further ones its noises; the instant and the seed decide it."""
        instant = int(np.float64(self.now_s).view(np.uint64))
        return int(generator_words(int(generator_words(self.seed, FORK, instant)[0]), FORK, index)[0])


def redrawn(workload: IntensityWorkload, world: World, seed: int, forks: Sequence[Fork]) -> Tables:
    """What the last of several forks has to come: its tables, whose first edge is its instant.

    Args:
        workload: The workload.
        world: What its names are looked up in.
        seed: Of the workload.
        forks: At least one, in the order in which they were made; each began in the future of the one before.
    """
    intensity = workload.folded(seed)
    for number, operation in enumerate(workload.operations):
        if isinstance(operation, Noise):
            intensity = intensity.times(noise_change(workload, number, seed, forks))
    return Tables.build(intensity, world, workload.name).since(forks[-1].now_s)


def noise_change(workload: IntensityWorkload, number: int, seed: int, forks: Sequence[Fork]) -> Reals:
    """Factor that forks put on the rates for one noise, shape (n_series, n_bins) of the folded intensity; 1 before the first."""
    own = log_level(workload, number, seed, None)
    now_on = own
    edges = workload.folded(seed).edges
    for fork in forks:
        other = log_level(workload, number, seed, fork.word(1 + number))
        here = bin_at(edges, fork.now_s)
        steps = np.cumsum(~np.isclose(np.diff(other - own, axis=1, prepend=(other - own)[:, :1]), 0.0, atol=1e-9), axis=1)
        apart = (now_on[:, here] - other[:, here])[:, None]
        after = other + apart * exp(np.maximum(steps - steps[:, here : here + 1], 0) / -STEPS_PER_CORRELATION)
        now_on = np.where(np.arange(own.shape[1]) < here, now_on, after)
    return exp(now_on - own)


def log_level(workload: IntensityWorkload, number: int, seed: int, noise_seed: int | None) -> Reals:
    """Logarithm of the rates, all 1 but for transforms that are no noise and for one noise; its seed may be another."""
    base = workload.intensity
    flat: Intensity = replace(base, rate=np.ones_like(base.rate))
    for place, operation in enumerate(workload.operations):
        if isinstance(operation, Noise):
            # One that is left out still cuts the bins.
            chosen = operation if place == number else replace(operation, sigma=0.0)
            operation = chosen if noise_seed is None else replace(chosen, seed=noise_seed)
        flat = operation.fold(flat, seed, place)
    return log(np.where(flat.rate > 0, flat.rate, 1.0))  # a mix may leave nothing of a model


def bin_at(edges: Reals, now_s: float) -> int:
    """The bin that an instant falls in."""
    return int(np.clip(np.searchsorted(edges, now_s, side="right") - 1, 0, edges.size - 2))
