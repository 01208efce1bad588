"""Validation: this simulator beside recorded outputs of the authors' simulator (folders such as those in ``tests/golden/``).

The rules that differ from the paper's (a constant second in the router, an overhead on every iteration, ...) are ordinary settings
of an ordinary world, see :func:`sageserve_env.world.golden_world`; no code serves validation only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.evaluation.golden.files import (
    TIER_CODES,
    TIMESTAMPS,
    Case,
    Trace,
    read_active,
    read_case,
    read_outcomes,
    read_trace,
)
from sageserve_env.evaluation.golden.run import SAMPLE_S, simulate, world_of
from sageserve_env.workload.request import Chunk

TOLERANCE_S = 1e-6
"""Timestamps nearer than this agree."""

MOVES = 0.05
"""The numbers of moves of a fleet that scales agree within this share."""


@dataclass(frozen=True)
class Figure:
    """One figure of both simulators, which agree within a share ``tolerance`` of theirs; None: shown, not judged."""

    name: str
    theirs: float
    ours: float
    tolerance: float | None = None

    @property
    def ratio(self) -> float:
        """Ours to theirs."""
        return self.ours / self.theirs if self.theirs else math.nan

    @property
    def agrees(self) -> bool:
        """Whether they do, or are not judged."""
        return self.tolerance is None or self.ours == self.theirs or abs(self.ratio - 1) <= self.tolerance


@dataclass(frozen=True)
class Loaded:
    """A case with its files read.

    Attributes:
        case: Fleet and settings.
        trace: Requests.
        theirs: What became of them in the authors' simulator, shape (n,), dtype ``OUTCOME``.
        their_active: Times and numbers of active instances by model, see :func:`read_active`; None where the fleet is fixed.
    """

    case: Case
    trace: Trace
    theirs: NDArray[np.void]
    their_active: tuple[NDArray[np.float64], NDArray[np.int64]] | None


@dataclass(frozen=True)
class Comparison:
    """Both simulators on one case.

    Attributes:
        case: The case.
        requests: Number of requests.
        largest_difference_s: Largest absolute difference over all timestamps of all requests; infinite where one was not served.
        same_place: Share of requests in the same region and instance.
        figures: Latency side by side.
        instances: Moves, and mean active instances for the whole run and for parts of it; empty where the fleet is fixed.
    """

    case: Case
    requests: int
    largest_difference_s: float
    same_place: float
    figures: tuple[Figure, ...]
    instances: tuple[Figure, ...]

    @property
    def is_checked(self) -> bool:
        """Whether the case can disagree; the others are reported only."""
        return self.case.compare == "exact" or self.case.tolerance is not None

    @property
    def agrees(self) -> bool:
        """Whether the simulators agree as far as the case asks for it."""
        if self.case.compare == "exact":
            return self.largest_difference_s <= TOLERANCE_S and self.same_place == 1.0
        return all(figure.agrees for figure in (*self.figures, *self.instances))


def load(folder: str | Path) -> Loaded:
    """Read a case's files.

    Args:
        folder: Folder with ``case.yaml``, ``trace.csv`` and ``requests.csv``; with ``scaling: reactive``, ``scaling.csv`` too.

    Raises:
        InputError: A file is missing, or something in it cannot be used.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"{path}: is no folder; give folders with case.yaml, trace.csv and requests.csv")
    case = read_case(path)
    trace = read_trace(case)
    return Loaded(case, trace, read_outcomes(case, trace.ids), read_active(case) if case.scaling == "reactive" else None)


def compare(loaded: Loaded) -> Comparison:
    """Run this simulator on a case and set its outcomes beside the recorded ones."""
    case, requests, theirs = loaded.case, loaded.trace.requests, loaded.theirs
    run = simulate(world_of(case, loaded.trace.niw_slo_s), requests)
    ours = run.outcomes
    same = (ours["region"] == theirs["region"]) & (ours["instance"] == theirs["instance"])
    instances: tuple[Figure, ...] = ()
    if loaded.their_active is not None:
        end_s = float(np.nanmax([theirs["completion_s"], ours["completion_s"]]))
        moves = Figure("moves", len(loaded.their_active[0]) - 1, run.moves, MOVES if case.tolerance else None)
        instances = (moves, *_instances(case, loaded.their_active, run.active, end_s))
    return Comparison(
        case=case,
        requests=len(requests),
        largest_difference_s=max(_largest_difference(ours[name], theirs[name]) for name in TIMESTAMPS),
        same_place=float(np.mean(same)),
        figures=tuple(replace(figure, tolerance=case.tolerance) for figure in _figures(requests, theirs, ours)),
        instances=instances,
    )


def _largest_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Infinite where only ours did not happen; a time that theirs leave out is not compared."""
    difference = np.abs(ours - theirs)[~np.isnan(theirs)]
    return float(np.max(np.where(np.isnan(difference), math.inf, difference), initial=0.0))


def _figures(requests: Chunk, theirs: NDArray[np.void], ours: NDArray[np.void]) -> Iterator[Figure]:
    """Latency of all requests, then, where some are not interactive, of each kind."""
    interactive = requests["tier"] == TIER_CODES["interactive"]
    kinds = {"": np.full(len(requests), True)}
    if not interactive.all():
        kinds |= {"interactive, ": interactive, "non-interactive, ": ~interactive}
    for kind, chosen in kinds.items():
        if chosen.any():
            yield from _latency(kind, requests["arrival_s"][chosen], theirs[chosen], ours[chosen])


def _latency(kind: str, arrival_s: NDArray[np.float64], theirs: NDArray[np.void], ours: NDArray[np.void]) -> Iterator[Figure]:
    """Mean, P50 and P95 of both latencies, over the requests that were served; NaN where none was."""
    for name, column in (("TTFT", "first_token_s"), ("end-to-end", "completion_s")):
        seconds = [(outcomes[column] - arrival_s)[~np.isnan(outcomes[column])] for outcomes in (theirs, ours)]
        seconds = [values if values.size else np.array([math.nan]) for values in seconds]
        yield Figure(f"{kind}{name} mean", *(float(np.mean(values)) for values in seconds))
        for percent in (50, 95):
            yield Figure(f"{kind}{name} P{percent}", *(float(np.percentile(values, percent)) for values in seconds))


PARTS = 8
"""Parts of the run for which instances are shown."""


def _instances(
    case: Case, theirs: tuple[NDArray[np.float64], NDArray[np.int64]], ours: NDArray[np.int64], end_s: float
) -> Iterator[Figure]:
    """Mean active instances over the whole run, then over equal parts of it, for each model."""
    times_s = np.arange(0.0, end_s, SAMPLE_S)
    their_rows = theirs[1][np.searchsorted(theirs[0], times_s, side="right") - 1]
    our_rows = ours[np.minimum(np.arange(len(times_s)), len(ours) - 1)]
    for model, name in enumerate(case.instances_per_region):
        both = their_rows[:, model], our_rows[:, model]
        their_mean, our_mean = (float(np.mean(rows)) for rows in both)
        yield Figure(f"{name}, whole run", their_mean, our_mean, case.tolerance)
        for part in np.array_split(np.arange(len(times_s)), min(PARTS, len(times_s))):
            span = f"{times_s[part[0]]:.0f} to {times_s[part[-1]] + SAMPLE_S:.0f} s"
            yield Figure(f"{name}, {span}", *(float(np.mean(rows[part])) for rows in both))
