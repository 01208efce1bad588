"""Latency histograms with log-spaced bins: streaming, mergeable, within 1 % of any percentile."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.compile import kernel
from sageserve_env.sim.state import FIRST_OCTAVE, N_BINS, SUB_BINS

MANTISSA_SHIFT = 46
"""A float64's bits above this are its exponent and the six leading bits of its mantissa: the number of its bin."""

FIRST_BIN = (1023 + FIRST_OCTAVE) * SUB_BINS


@kernel
def bin_of(seconds: float) -> int:
    """The bin of a latency; what lies beyond either end falls into the end bin."""
    index: Any = (np.float64(seconds).view(np.int64) >> MANTISSA_SHIFT) - FIRST_BIN
    return min(max(index, 0), N_BINS - 1)


@functools.cache
def bin_edges() -> NDArray[np.float64]:
    """Edges of the bins in seconds, shape (N_BINS + 1,); the first is 0 since the first bin takes all that is shorter."""
    index = np.arange(N_BINS + 1)
    edges = np.ldexp(1.0 + (index % SUB_BINS) / SUB_BINS, FIRST_OCTAVE + index // SUB_BINS)
    edges[0] = 0.0
    edges.flags.writeable = False
    return edges


def percentiles(counts: NDArray[Any], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Percentiles of histograms.

    Args:
        counts: Requests in each bin, shape (..., N_BINS).
        shares: Shares in (0, 1), shape (n,).

    Returns:
        Seconds, shape (..., n): the middle of the bin that holds the request of that rank; NaN where there is none.
    """
    edges = bin_edges()
    middles = 0.5 * (edges[:-1] + edges[1:])
    cumulative = np.cumsum(counts, axis=-1, dtype=np.int64)
    total = cumulative[..., -1:]
    rank = np.maximum(np.ceil(shares * total), 1)
    index = (cumulative[..., None, :] < rank[..., :, None]).sum(axis=-1)
    values = middles[np.minimum(index, N_BINS - 1)]
    return np.where(total > 0, values, np.nan)
