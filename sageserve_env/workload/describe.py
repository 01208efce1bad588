"""A workload in numbers: rates and token sizes by model and tier, from one streaming pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sageserve_env.workload.checks import check_workload
from sageserve_env.workload.play import play
from sageserve_env.workload.request import Chunk, Workload
from sageserve_env.world.schema import TIERS, World

PERCENTILES = (5, 50, 95, 99)

_PER_E_FOLD = 100
"""Histogram bins for each factor e of tokens: percentiles are right to 1 %."""

_BINS = 22 * _PER_E_FOLD


@dataclass(frozen=True)
class Group:
    """Requests of one model and tier (or of all).

    Attributes:
        model: Name, or ``"all"``.
        tier: Name, or ``"all"``.
        requests: Number of requests.
        mean_rps: Requests per second, mean over the workload.
        peak_per_min: Most requests in one minute.
        prompt_mean: Mean prompt tokens.
        output_mean: Mean output tokens.
        prompt: Prompt tokens at ``PERCENTILES``.
        output: Output tokens at ``PERCENTILES``.
    """

    model: str
    tier: str
    requests: int
    mean_rps: float
    peak_per_min: int
    prompt_mean: float
    output_mean: float
    prompt: tuple[float, ...]
    output: tuple[float, ...]


@dataclass(frozen=True)
class Description:
    """What :func:`describe` finds.

    Attributes:
        name: Of the workload.
        duration_s: Length in seconds.
        groups: One for each model and tier that has requests, then one for all.
        requests_per_min: Shape (n_models, n_tiers, n_minutes).
        prompt_tokens_per_min: Shape (n_models, n_tiers, n_minutes).
        models: Names along the first axis.
    """

    name: str
    duration_s: float
    groups: tuple[Group, ...]
    requests_per_min: NDArray[np.float64] = field(repr=False)
    prompt_tokens_per_min: NDArray[np.float64] = field(repr=False)
    models: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Headers of :meth:`as_rows`."""
        percentiles = [f"{kind} p{p}" for kind in ("prompt", "output") for p in PERCENTILES]
        return ("model", "tier", "requests", "mean req/s", "peak req/min", "prompt mean", "output mean", *percentiles)

    def as_rows(self) -> list[tuple[str, ...]]:
        """The groups as rows of text, for a table under ``columns``."""
        return [
            (
                g.model,
                g.tier,
                f"{g.requests:,}",
                f"{g.mean_rps:.3g}",
                f"{g.peak_per_min:,}",
                *(f"{value:,.0f}" for value in (g.prompt_mean, g.output_mean, *g.prompt, *g.output)),
            )
            for g in self.groups
        ]


class _Tally:
    """Sums over chunks, by model and tier."""

    def __init__(self, n_models: int, duration_s: float) -> None:
        self.n_groups = n_models * len(TIERS)
        self.minutes = int(np.ceil(duration_s / 60))
        self.requests = np.zeros((self.n_groups, self.minutes))
        self.prompt_tokens = np.zeros((self.n_groups, self.minutes))
        self.output_tokens = np.zeros(self.n_groups)
        self.sizes = np.zeros((2, self.n_groups, _BINS))

    def add(self, chunk: Chunk) -> None:
        """Count a chunk."""
        group = chunk["model"].astype(np.int64) * len(TIERS) + chunk["tier"]
        minute = (chunk["arrival_s"] / 60).astype(np.int64)
        # Over the minutes that the chunk spans only: the cost of a chunk must not grow with the workload's length.
        first, span = int(minute[0]), int(minute[-1] - minute[0]) + 1
        cell = group * span + (minute - first)
        shape = (self.n_groups, span)
        window = slice(first, first + span)
        self.requests[:, window] += np.bincount(cell, minlength=shape[0] * span).reshape(shape)
        self.prompt_tokens[:, window] += np.bincount(cell, chunk["prompt_tokens"], shape[0] * span).reshape(shape)
        self.output_tokens += np.bincount(group, chunk["output_tokens"], self.n_groups)
        for sizes, name in zip(self.sizes, ("prompt_tokens", "output_tokens"), strict=True):
            bins = (np.log(chunk[name]) * _PER_E_FOLD).astype(np.int64)
            sizes += np.bincount(group * _BINS + bins, minlength=self.n_groups * _BINS).reshape(sizes.shape)

    def percentiles(self, counts: NDArray[np.float64]) -> tuple[float, ...]:
        """Tokens at ``PERCENTILES`` of a histogram: the middle of the bin in which each falls."""
        ranks = np.searchsorted(np.cumsum(counts), np.array(PERCENTILES) / 100 * counts.sum())
        return tuple(np.exp((ranks + 0.5) / _PER_E_FOLD).tolist())

    def group(self, model: str, tier: str, rows: list[int], duration_s: float) -> Group:
        """Some of the groups as one."""
        per_minute = self.requests[rows].sum(axis=0)
        n = int(per_minute.sum())
        return Group(
            model,
            tier,
            n,
            n / duration_s,
            int(per_minute.max()),
            float(self.prompt_tokens[rows].sum()) / max(n, 1),
            float(self.output_tokens[rows].sum()) / max(n, 1),
            *(self.percentiles(sizes[rows].sum(axis=0)) for sizes in self.sizes),
        )


def chunks(workload: Workload, world: World, seed: int) -> Iterator[Chunk]:
    """All chunks of a workload, in order."""
    stream = play(workload, world, seed)
    while (chunk := stream.next_chunk()).size:
        yield chunk


def describe(workload: Workload, world: World, seed: int = 0) -> Description:
    """Play a workload once and count.

    Args:
        workload: What to play.
        world: Gives names to models.
        seed: Seed of the stream.

    Raises:
        InputError: The workload does not fit the world.
    """
    check_workload(workload)
    models = tuple(model.name for model in world.models)
    tally = _Tally(len(models), workload.duration_s)
    for chunk in chunks(workload, world, seed):
        tally.add(chunk)
    shape = (len(models), len(TIERS), tally.minutes)
    names = [(model, tier) for model in models for tier in TIERS]
    groups = [
        tally.group(model, tier, [row], workload.duration_s) for row, (model, tier) in enumerate(names) if tally.requests[row].any()
    ]
    groups.append(tally.group("all", "all", list(range(len(names))), workload.duration_s))
    return Description(
        workload.name, workload.duration_s, tuple(groups), tally.requests.reshape(shape), tally.prompt_tokens.reshape(shape), models
    )
