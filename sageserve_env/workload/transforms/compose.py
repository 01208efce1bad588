"""Transforms on any workload: the methods that every workload here has, and a workload under a transform."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from typing import Any

import numpy as np

from sageserve_env.identity import digest
from sageserve_env.workload.checks import as_shares, check_number, check_seed, check_workload
from sageserve_env.workload.drawn.rng import COPIES, generator_words
from sageserve_env.workload.play import play
from sageserve_env.workload.request import Stream, Workload
from sageserve_env.workload.transforms.early import EarlyNiwStream
from sageserve_env.workload.transforms.operations import Counts, Operation, Shift, Slice
from sageserve_env.workload.transforms.reweighted import ReweightedStream
from sageserve_env.workload.transforms.weightings import Burst, Mix, Noise, Scale
from sageserve_env.world.schema import TIERS, World


class Composable(ABC):
    """A workload with transforms as methods; each returns a new workload and leaves this one alone.

    Attributes:
        name: Shown in reports.
        week_start_s: Seconds from Monday 00:00 to time 0, where known.
        past: What came before: a workload whose end is this one's time 0, and which may have a past of its own. None where the
            record begins at time 0. Forecasters may look at it.
    """

    name: str
    week_start_s: float | None = None
    past: Composable | None = None

    @property
    @abstractmethod
    def duration_s(self) -> float:
        """Length in seconds."""

    @abstractmethod
    def stream(self, world: World, seed: int) -> Stream:
        """Start playing."""

    @property
    def source(self) -> Workload:
        """The workload beneath all transforms."""
        return self

    def after(self, past: Composable) -> Composable:
        """This workload with another past."""
        other = copy(self)
        other.past = past
        return other

    def apply(self, operation: Operation) -> Composable:
        """This workload under one more transform."""
        return Transformed(self, operation)

    def scale(self, factor: float) -> Composable:
        """``factor`` times as many requests."""
        return self.apply(Scale(factor))

    def slice(self, start_s: float, duration_s: float) -> Composable:
        """The part in [start, start + duration) seconds, its time counted from its start."""
        return self.apply(Slice(start_s, duration_s))

    def shift(self, by_s: float) -> Composable:
        """Everything ``by_s`` seconds later: cyclic for workloads given by rates, plain for traces (an end that moves, too)."""
        return self.apply(Shift(by_s))

    def burst(self, copies: float = 8, window_s: float = 60.0, every_s: float = 3600.0) -> Composable:
        """The requests of the first ``window_s`` of every ``every_s`` seconds come ``copies`` more times."""
        return self.apply(Burst(copies, window_s, every_s))

    def tier_mix(self, shares: dict[str, float]) -> Composable:
        """Other shares of tiers, the expected number of requests unchanged; tiers not named get none."""
        return self.apply(Mix("tier", as_shares("tier_mix", shares)))

    def model_mix(self, shares: dict[str, float]) -> Composable:
        """Other shares of models, the expected number of requests unchanged; models not named get none."""
        return self.apply(Mix("model", as_shares("model_mix", shares)))

    def early_niw(self, by_s: float) -> Composable:
        """Non-interactive requests arrive ``by_s`` seconds earlier: the queue manager knows them ahead of their time."""
        return EarlyNiw(self, by_s)

    def noise(self, level: float, correlation_s: float = 3600.0, seed: int | None = None) -> Composable:
        """Rates times a log-normal level of mean 1 for each model.

        Args:
            level: Standard deviation of the level's logarithm.
            correlation_s: Time in which its autocorrelation falls to 1/e, seconds.
            seed: Fixes the levels; ``None`` draws them anew for each seed of the stream.
        """
        return self.apply(Noise(level, correlation_s, seed))


def past_under(workload: Composable, operation: Operation) -> Composable | None:
    """What comes before a workload that is put under a transform."""
    if isinstance(operation, Slice) and operation.start_s > 0:
        return workload.slice(0.0, operation.start_s)
    past = workload.past
    if isinstance(operation, Slice) or past is None:
        return past
    if isinstance(operation, Shift) and (isinstance(workload, Transformed) or abs(operation.by_s) >= past.duration_s):
        return None  # the end of the past would not be time 0
    before = operation.before()
    return None if before is None else past.apply(before)


def measure(workload: Workload, world: World, seed: int) -> Counts:
    """Count the requests of each model and tier in one pass. Shape (n_models, n_tiers)."""
    counts = np.zeros((len(world.models), len(TIERS)))
    stream = play(workload, world, seed)
    while (chunk := stream.next_chunk()).size:
        np.add.at(counts, (chunk["model"], chunk["tier"]), 1)
    return counts


class Transformed(Composable):
    """Any workload under one transform, request by request.

    A request of weight w comes floor(w) times, and once more with the probability that is left; further copies come up to
    ``reweighted.COPY_JITTER_S`` later.
    """

    def __init__(self, base: Workload, operation: Operation) -> None:
        check_workload(base)
        operation.check(base.duration_s)
        self.base = base
        self.operation = operation
        self.name = operation.label(base.name)
        self.week_start_s = operation.week_start(getattr(base, "week_start_s", None))
        self.past = past_under(base, operation) if isinstance(base, Composable) else None
        self._counts: dict[Any, Counts] = {}

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.operation.duration(self.base.duration_s, cyclic=False)

    @property
    def source(self) -> Workload:
        """The workload beneath all transforms."""
        return self.base.source if isinstance(self.base, Composable) else self.base

    def _measured(self, world: World, seed: int) -> Counts:
        """Counts of the base, kept for the next stream."""
        key = (tuple(model.name for model in world.models), tuple(region.name for region in world.regions), seed)
        if key not in self._counts:
            self._counts[key] = measure(self.base, world, seed)
        return self._counts[key]

    def stream(self, world: World, seed: int) -> Stream:
        """Start playing."""
        models = tuple(model.name for model in world.models)
        key = int(generator_words(check_seed(seed), COPIES, _depth(self))[0])
        base = play(self.base, world, seed)
        plan = self.operation.plan(self.base.duration_s, models, lambda: self._measured(world, seed), key)
        return ReweightedStream(base, plan, self.duration_s, key, lambda: digest(base.identity, self.operation, models, key))


class EarlyNiw(Composable):
    """A workload whose non-interactive requests arrive earlier, at time 0 at the earliest; the others as before."""

    def __init__(self, base: Composable, by_s: float) -> None:
        self.base = base
        self.by_s = check_number("early_niw: by_s", by_s, unit="s")
        self.name = f"{base.name},NIW-{by_s:g}s"
        self.week_start_s = base.week_start_s
        self.past = base.past

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.base.duration_s

    def stream(self, world: World, seed: int) -> Stream:
        """Start playing."""
        return EarlyNiwStream(play(self.base, world, seed), self.by_s)


def _depth(workload: Workload) -> int:
    """Number of transforms around a workload, so that each draws its own numbers."""
    return 1 + _depth(workload.base) if isinstance(workload, Transformed) else 0
