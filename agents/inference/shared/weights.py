"""What the shared policy learns: a table of numbers, with where a search begins and how far it reaches in its first steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

HORIZONS = 6
"""Intervals, the present one first, whose demand a target can be made for."""


@dataclass(frozen=True)
class Weight:
    """One number.

    Attributes:
        name: What the code calls it.
        start: Where a search begins.
        spread: Standard deviation of the first proposals.
        meaning: What it does.
    """

    name: str
    start: float
    spread: float
    meaning: str


def _reach(horizon: int) -> Weight:
    starts = (0.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    return Weight(
        f"reach{horizon}", starts[horizon], 0.3, f"logarithm of the part of the demand in {horizon} intervals to be ready for"
    )


SOON = 3
"""Intervals, the present one first, that a VM which holds its model can be started for."""

COMMON = (
    Weight("memory", -0.7, 0.5, "logit of what a new interval counts in the level of demand"),
    Weight("trend", 0.0, 0.5, "how much of a difference between a fast level and the slow one is taken to go on"),
    Weight("first", -0.5, 0.5, "logarithm of the level at the start, over a third of the fleet at the start"),
    *(_reach(horizon) for horizon in range(HORIZONS)),
    Weight("warm", -1.5, 0.5, "added for what comes later than ``SOON``, where VMs that hold the model would do"),
    Weight("linear", 0.15, 0.3, "logarithm of instances for each instance's worth of demand"),
    Weight("root", 0.1, 0.3, "instances for the square root of that: head-room that larger fleets need less of"),
    Weight("constant", 0.25, 0.3, "instances in any case"),
    Weight("peak", 0.0, 0.3, "exponent on the demand's ratio to its level, in peaks"),
    Weight("batch", 0.4, 0.3, "instances for each instance's worth of NIW that arrives"),
    Weight("waiting", 0.0, 0.3, "instances for the logarithm of interactive requests that wait"),
    Weight("busy", 0.3, 0.3, "instances for utilization above a half"),
    Weight("lost", 1.0, 0.3, "instances elsewhere for each that is wanted and cannot be had"),
    Weight("correction", 0.9, 0.5, "rate at which misses of IW-F raise the demand that is planned for"),
    Weight("tolerated", 0.0, 0.02, "share of misses at which it does neither rise nor fall"),
    Weight("rounding", 0.15, 0.2, "part of an instance that is not rounded up"),
    Weight("slack", 0.2, 0.2, "instances above the target that are let be"),
    Weight("local", 0.6, 0.3, "exponent on a region's demand, where instances go"),
    Weight("thrift", 0.5, 0.5, "exponent on a region's price, where instances go"),
    Weight("route", -0.4, 1.0, "logit of the routing threshold"),
    Weight("route_peak", 0.0, 1.0, "the same, for the logarithm of a peak's ratio"),
    Weight("release", 0.15, 1.0, "logit of the higher NIW release level"),
    Weight("release_peak", -2.0, 1.0, "the same, for the logarithm of a peak's ratio"),
    Weight("release_before", 0.0, 1.0, "the same, for the logarithm of the ratio of one that comes in ten minutes"),
    Weight("release_age", 0.0, 1.0, "the same, for the age of the oldest queued NIW over six hours"),
    Weight("release_late", 0.7, 1.0, "the same, from 19:00 on, growing to midnight"),
    Weight("release_low", 1.2, 1.0, "logit of the lower level as a share of the higher"),
)
"""The same for all endpoints."""

STREAM = (
    Weight("mix", 0.0, 0.3, "share of the model's demand that this VM type is to carry, before shares are brought to 1"),
    Weight("stream_linear", 0.0, 0.5, "added to ``linear``"),
    Weight("stream_constant", 0.0, 0.5, "added to ``constant``"),
    Weight("stream_peak", 0.0, 0.2, "added to ``peak``"),
)
"""One of each for a stream: a model on a VM type, in every region."""


def starts(n_streams: int) -> Reals:
    """Where a search begins, shape (P + S Q,): the common weights, then stream by stream."""
    return np.array([w.start for w in COMMON] + [w.start for w in STREAM] * n_streams)


def spreads(n_streams: int) -> Reals:
    """Standard deviations of the first proposals, shape (P + S Q,)."""
    return np.array([w.spread for w in COMMON] + [w.spread for w in STREAM] * n_streams)


class Weights:
    """Weights of E policies by name.

    Args:
        flat: Shape (E, P + S Q).
        n_streams: S.
    """

    def __init__(self, flat: Reals, n_streams: int) -> None:
        common, streams = np.split(flat, [len(COMMON)], axis=1)
        self._common = dict(zip((w.name for w in COMMON), common.T, strict=True))
        by_stream = streams.reshape(len(flat), n_streams, len(STREAM))
        self._stream = dict(zip((w.name for w in STREAM), np.moveaxis(by_stream, 2, 0), strict=True))

    def __getitem__(self, name: str) -> Reals:
        """A common weight, shape (E, 1)."""
        return self._common[name][:, None]

    def stream(self, name: str) -> Reals:
        """A stream's weights, shape (E, S)."""
        return self._stream[name]
