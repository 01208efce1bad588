"""Random numbers as plain uint64 words: xoshiro256++ (Blackman and Vigna, 2019) seeded by splitmix64 (Steele et al., 2014).

A generator is four words inside a state array, so that a snapshot of a stream is a copy of that array. Each purpose has its own
generator, derived from (seed, purpose, index): a draw added in one place moves no other.
"""

from __future__ import annotations

import numpy as np
from numba import uint64
from numpy.typing import NDArray

from sageserve_env.compile import entry_point

GAPS, SIZES, LABELS, NOISE, TRACE_LABELS, COPIES = range(1, 7)
"""Purposes: gaps between arrivals, token sizes, (tier, origin, preference), level noise, labels of traces, copies of requests."""

FAILURES, EVICTIONS, OUTAGES, LEAD_TIMES, SPOT_LEAVES = range(7, 12)
"""Purposes of the simulator: VMs that fail, that are evicted, regions that go out, lead times, spot customers who leave."""

FORK = 12
"""Purpose of futures that are drawn anew."""

_GOLDEN = 0x9E3779B97F4A7C15


@entry_point
def splitmix64_mix(z: int) -> int:
    """The output function of splitmix64."""
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@entry_point
def word_at(seed: int, purpose: int, index: int, place: int) -> int:
    """Output number ``place``, from 0, of the splitmix64 generator whose seed is mixed from (seed, purpose, index)."""
    golden = uint64(0x9E3779B97F4A7C15)
    key = splitmix64_mix(uint64(seed) + golden)
    key = splitmix64_mix(key + uint64(purpose) * golden)
    key = splitmix64_mix(key + uint64(index) * golden)
    return splitmix64_mix(key + (uint64(place) + uint64(1)) * golden)


@entry_point
def seed_words(seed: int, purpose: int, index: int, words: NDArray[np.uint64]) -> None:
    """Fill ``words`` with the generator state of (seed, purpose, index): its outputs by :func:`word_at`."""
    for place in range(words.shape[0]):
        words[place] = word_at(seed, purpose, index, place)


@entry_point
def next_word(s: NDArray[np.uint64]) -> int:
    """The next 64 bits of the xoshiro256++ generator whose four state words are ``s``."""
    x = s[0] + s[3]
    result = ((x << uint64(23)) | (x >> uint64(41))) + s[0]
    t = s[1] << uint64(17)
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << uint64(45)) | (s[3] >> uint64(19))
    return result


@entry_point
def next_open(s: NDArray[np.uint64]) -> float:
    """A uniform float64 in (0, 1): 53 bits, centred in their cell, so that its logarithm is finite."""
    return ((next_word(s) >> uint64(11)) + 0.5) * 1.1102230246251565e-16


def generator_words(seed: int, purpose: int, index: int = 0) -> NDArray[np.uint64]:
    """Four state words for (seed, purpose, index). Shape (4,), uint64."""
    words = np.empty(4, np.uint64)
    seed_words(np.uint64(seed), np.uint64(purpose), np.uint64(index), words)
    return words


def counter_words(key: int, first: int, count: int) -> NDArray[np.uint64]:
    """Outputs ``first`` to ``first + count - 1`` of the splitmix64 generator seeded with ``key``, by position.

    Args:
        key: Any word of :func:`generator_words`.
        first: Number of the first output, from 0.
        count: How many.

    Returns:
        Array of shape (count,), uint64.
    """
    steps = np.arange(first + 1, first + 1 + count, dtype=np.uint64)
    z = steps * np.uint64(_GOLDEN) + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Words as float64 in [0, 1), 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
