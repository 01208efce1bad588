"""The generator of requests: arrays in, a chunk of requests out, no Python and no allocation inside.

Each series (one model's interactive traffic, say) is a renewal process in operational time: gaps of mean 1 are laid over the
integral of its intensity, which is constant within each bin (paper section 9). The next request is the earliest of all series,
found by a tournament whose tree is kept in the state.
"""

from __future__ import annotations

import math

import numpy as np
from numba import uint64
from numpy.typing import NDArray

from sageserve_env.compile import entry_point
from sageserve_env.workload.drawn.rng import GAPS, LABELS, SIZES, next_open, next_word, seed_words
from sageserve_env.workload.drawn.sizes import CELLS

SERIES_STATE = np.dtype(
    [
        ("next_s", np.float64),  # arrival of the series' next request; inf when none is left
        ("gap", np.float64),  # from there to the one after it, in operational time
        ("bin", np.int64),  # bin of the intensity in which the next request falls; -1 before the first gap
        ("winner", np.int64),  # node of the tournament tree: row 1 is the root, row i has children 2i and 2i + 1
        ("gaps", np.uint64, (4,)),  # xoshiro256++ words, one generator for each purpose
        ("sizes", np.uint64, (4,)),
        ("labels", np.uint64, (4,)),
    ],
    align=True,
)
"""Whole state of one series; a stream's state is an array of these, shape (n_series,)."""

BIN = np.dtype(
    [
        ("rate", np.float64),  # requests per second
        ("prompt_factor", np.float32),  # multiplies the series' prompt sizes
        ("shape", np.float32),  # shape parameter of the gaps
        ("law", np.int32),  # POISSON, GAMMA or WEIBULL
    ],
    align=True,
)
"""One bin of one series' intensity; shape (n_series, n_bins)."""

LABEL = np.dtype(
    [
        ("accept", np.float64),  # Walker's alias method: keep this row with this probability, else take row ``alias``
        ("alias", np.int64),
        ("tier", np.uint8),
        ("origin", np.uint8),
        ("preference", np.uint8),
        ("model", np.uint8),
    ],
    align=True,
)
"""One combination of tier, origin and preference of a series; shape (n_series, n_labels)."""

POISSON, GAMMA, WEIBULL = range(3)

_UNIT32 = 2.0**-32
_CELL_SHIFT = 32 - CELLS.bit_length() + 1
_CELL_MASK = (1 << _CELL_SHIFT) - 1
_CELL_UNIT = 2.0**-_CELL_SHIFT


@entry_point
def _normal(words: NDArray[np.uint64]) -> float:
    """A standard normal number, Marsaglia's polar method (the second of the pair is dropped: the state stays four words)."""
    while True:
        x = 2.0 * next_open(words) - 1.0
        y = 2.0 * next_open(words) - 1.0
        r = x * x + y * y
        if 0.0 < r < 1.0:
            return x * math.sqrt(-2.0 * math.log(r) / r)


@entry_point
def _gamma(words: NDArray[np.uint64], shape: float) -> float:
    """A Gamma(shape, 1) number, Marsaglia and Tsang's method (2000); shapes under 1 by their power of a uniform number."""
    boost = 1.0
    if shape < 1.0:
        boost = next_open(words) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = _normal(words)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            if math.log(next_open(words)) < 0.5 * x * x + d - d * v + d * math.log(v):
                return d * v * boost


@entry_point
def _draw_gap(words: NDArray[np.uint64], law: int, shape: float) -> float:
    """A gap of mean 1 in operational time."""
    if law == POISSON:
        return -math.log(next_open(words))
    if law == GAMMA:
        return _gamma(words, shape) / shape
    return (-math.log(next_open(words))) ** (1.0 / shape) / math.gamma(1.0 + 1.0 / shape)


@entry_point
def _draw_first_gap(words: NDArray[np.uint64], law: int, shape: float) -> float:
    """The gap from a moment that is no arrival: a uniform part of a length-biased gap, so that the rate is right from the start."""
    if law == POISSON:
        return -math.log(next_open(words))
    part = next_open(words)
    if law == GAMMA:
        return part * _gamma(words, shape + 1.0) / shape
    return part * _gamma(words, 1.0 + 1.0 / shape) ** (1.0 / shape) / math.gamma(1.0 + 1.0 / shape)


@entry_point
def start(seed: int, bins: NDArray[np.void], edges: NDArray[np.float64], state: NDArray[np.void]) -> None:
    """Write the state of a stream that begins at edge 0.

    Args:
        seed: Seed of the stream, uint64.
        bins: Intensities, dtype ``BIN``, shape (n_series, n_bins).
        edges: Edges of the bins in seconds, shape (n_bins + 1,).
        state: Written, dtype ``SERIES_STATE``, shape (n_series,).
    """
    n = state.shape[0]
    for s in range(n):
        seed_words(seed, GAPS, s, state[s].gaps)
        seed_words(seed, SIZES, s, state[s].sizes)
        seed_words(seed, LABELS, s, state[s].labels)
        state[s].next_s = edges[0]
        state[s].bin = -1
        state[s].gap = _draw_first_gap(state[s].gaps, bins[s, 0].law, bins[s, 0].shape)
    state[0].winner = 0
    for node in range(n - 1, 0, -1):
        left = state[2 * node].winner if 2 * node < n else 2 * node - n
        right = state[2 * node + 1].winner if 2 * node + 1 < n else 2 * node + 1 - n
        state[node].winner = min(left, right)


@entry_point
def _size(sizes: NDArray[np.float32], s: int, kind: int, word32: int) -> float:
    """Inverse distribution function of series ``s`` at a 32-bit uniform number; ``kind`` 0 is the prompt, 1 the output."""
    cell = word32 >> uint64(_CELL_SHIFT)
    part = (word32 & uint64(_CELL_MASK)) * _CELL_UNIT
    low = sizes[s, kind, cell]
    return low + part * (sizes[s, kind, cell + uint64(1)] - low)


@entry_point
def _label(labels: NDArray[np.void], s: int, word: int) -> int:
    """Row of a combination of series ``s``, by Walker's alias method."""
    k = ((word >> uint64(32)) * uint64(labels.shape[1])) >> uint64(32)
    return k if (word & uint64(0xFFFFFFFF)) * _UNIT32 < labels[s, k].accept else uint64(labels[s, k].alias)


@entry_point
def fill(
    state: NDArray[np.void],
    bins: NDArray[np.void],
    edges: NDArray[np.float64],
    sizes: NDArray[np.float32],
    labels: NDArray[np.void],
    out: NDArray[np.void],
) -> int:
    """Write the next requests, as many as ``out`` holds or the last bin still gives.

    Args:
        state: Dtype ``SERIES_STATE``, shape (n_series,); moves on.
        bins: Dtype ``BIN``, shape (n_series, n_bins).
        edges: Edges of the bins in seconds, increasing. Shape (n_bins + 1,).
        sizes: Inverse distribution functions of prompt and output tokens. Shape (n_series, 2, CELLS + 1), float32.
        labels: Dtype ``LABEL``, shape (n_series, n_labels).
        out: Written, dtype ``REQUEST_DTYPE``, shape (n,).

    Returns:
        Number of rows written; fewer than n only at the end.
    """
    n, n_bins = state.shape[0], bins.shape[1]
    root = 1 if n > 1 else 0
    end = edges[n_bins]
    count = 0
    # All in one body: Numba counts references at every call that passes arrays, which would cost as much as all the work here.
    while count < out.shape[0]:
        s = state[root].winner
        t, b = state[s].next_s, state[s].bin
        if t >= end:
            break

        # The request, unless this is the start of the series.
        if b >= 0:
            word = next_word(state[s].sizes)
            k = _label(labels, s, next_word(state[s].labels))
            prompt = _size(sizes, s, 0, word >> uint64(32)) * bins[s, b].prompt_factor
            out[count].arrival_s = t
            out[count].prompt_tokens = max(1, int(prompt + 0.5))
            out[count].output_tokens = max(1, int(_size(sizes, s, 1, word & uint64(0xFFFFFFFF)) + 0.5))
            out[count].model = labels[s, k].model
            out[count].origin = labels[s, k].origin
            out[count].tier = labels[s, k].tier
            out[count].preference = labels[s, k].preference
            count += 1

        # The series' next arrival: its gap laid over the integral of the intensity.
        gap = state[s].gap
        b = max(b, 0)
        while True:
            rate = bins[s, b].rate
            area = (edges[b + 1] - t) * rate
            if gap < area:
                # Rounding may carry the sum an ulp past the edge, from where time would go back.
                t = min(t + gap / rate, edges[b + 1])
                break
            gap -= area
            t = edges[b + 1]
            if b + 1 == n_bins:
                t = np.inf
                break
            b += 1
        state[s].next_s = t
        state[s].bin = b
        # Drawn one arrival ahead, so that its logarithm is not waited for before the next series is known.
        state[s].gap = _draw_gap(state[s].gaps, bins[s, b].law, bins[s, b].shape)

        # The series' matches on its way to the root; equal times go to the lower series.
        winner, node = s, n + s
        while node > 1:
            sibling = node ^ 1
            rival = sibling - n if sibling >= n else state[sibling].winner
            rival_t = state[rival].next_s
            lost = (rival_t < t) | ((rival_t == t) & (rival < winner))
            winner = rival if lost else winner
            t = rival_t if lost else t
            node >>= 1
            state[node].winner = winner
    return count
