"""The three splits of a problem: what each may play, how it draws, and the episode that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sageserve_env.scenarios.options import Options, check_variant, choose_window
from sageserve_env.scenarios.perturbation import Perturbation, Randomisation
from sageserve_env.scenarios.sources import Window
from sageserve_env.workload.drawn.redrawn import Fork
from sageserve_env.workload.request import Workload

SPLITS = ("train", "validation", "test")

SEED_BITS = 30
"""A workload's seed: the index of its split in the two high bits of 32, then so many random bits."""


@dataclass(frozen=True)
class Episode:
    """What one episode plays.

    Attributes:
        workload: What arrives; its time 0 is the start of the episode, and it lasts at least ``horizon_s``.
        workload_seed: Its seed, 0 to 2**32 - 1; no two splits share one.
        week_start_s: Seconds from Monday 00:00 to the start of the episode.
        horizon_s: Seconds to simulate.
        description: What was chosen and drawn, as plain numbers and strings: ``level`` is the perturbation's, ``scale`` is the
            option's.
        drawn: The choices as numbers, by the names of the options that repeat them: ``day`` (index among the split's), ``start_s``,
            ``scale``, ``variant`` (index; -1 where the perturbation was drawn) and ``workload_seed``.
        initial_instances: Instances of each endpoint at the start, by model, where options set them; None keeps the world's.
        forks: Where its future was drawn anew, the last one last.
    """

    workload: Workload
    workload_seed: int
    week_start_s: float
    horizon_s: float
    description: dict[str, float | str]
    drawn: dict[str, int | float]
    initial_instances: dict[str, int] | None = None
    forks: tuple[Fork, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What a split draws for an episode.

    Attributes:
        window: The day.
        variant: Index of the perturbation among the split's, where it has a list.
        perturbation: How the traffic departs from the record.
        start_share: Where the start lies among the possible ones, in [0, 1).
        seed: Seed of the workload.
    """

    window: Window
    variant: int | None
    perturbation: Perturbation
    start_share: float
    seed: int

    def with_options(self, options: Options, split: Split, where: str) -> Choice:
        """The choice with the day and variant that options name.

        Raises:
            InputError: The split has no such day or variant.
        """
        window, variant, perturbation = self.window, self.variant, self.perturbation
        if options.day is not None:
            window = choose_window(options.day, split.windows, where)
        if options.variant is not None:
            variant = check_variant(options.variant, len(split.variants), where)
            perturbation = split.variants[variant]
        return replace(self, window=window, variant=variant, perturbation=perturbation)


@dataclass(frozen=True)
class Split:
    """A part of a problem; no two splits share a seed.

    Attributes:
        name: One of ``SPLITS``.
        windows: Spans of the source that it plays.
        randomisation: Law of its perturbations; None where ``variants`` lists them.
        variants: Its fixed perturbations, one of which each episode draws.
    """

    name: str
    windows: tuple[Window, ...]
    randomisation: Randomisation | None = None
    variants: tuple[Perturbation, ...] = ()

    def held_out(self) -> list[dict[str, str | int]]:
        """Options of every episode of a split with fixed perturbations: each day under each of them."""
        return [{"day": window.name, "variant": k} for window in self.windows for k in range(len(self.variants))]

    def draw(self, rng: np.random.Generator, models: tuple[str, ...]) -> Choice:
        """Draw an episode's choices; always the same number of draws."""
        window = self.windows[int(rng.integers(len(self.windows)))]
        variant = None
        if self.randomisation is not None:
            perturbation = self.randomisation.draw(rng, models)
        else:
            variant = int(rng.integers(len(self.variants)))
            perturbation = self.variants[variant]
        start_share = float(rng.random())
        seed = (SPLITS.index(self.name) << SEED_BITS) | int(rng.integers(1 << SEED_BITS))
        return Choice(window, variant, perturbation, start_share, seed)
