"""Which behaviour plays which episode: shares of a mix, made whole episodes."""

from __future__ import annotations

import math

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.world.checks import require_choice

KINDS = ("random", "noisy", "expert")

TOLERANCE = 1e-6
"""Of the sum of shares, so that thirds can be written."""


def read_mix(text: str) -> dict[str, float]:
    """Shares by kind, from ``kind=share,kind=share``.

    Raises:
        InputError: A kind is unknown or named twice, a share is no number from 0 to 1, or they do not make 1.

    Example:
        >>> read_mix("random=0.25,expert=0.75")
        {'random': 0.25, 'expert': 0.75}
    """
    shares: dict[str, float] = {}
    for pair in text.split(","):
        kind, _, value = (part.strip() for part in pair.partition("="))
        require_choice("--mix", kind, KINDS)
        if kind in shares:
            raise InputError(f"--mix = '{text}' names {kind} twice; give one share for each kind")
        try:
            shares[kind] = float(value)
        except ValueError:
            raise InputError(f"--mix = '{text}': {kind} has no share; give kind=share, such as expert=0.4") from None
        if not 0.0 <= shares[kind] <= 1.0:
            raise InputError(f"--mix = '{text}': the share of {kind} is not from 0 to 1; give one that is")
    if abs(math.fsum(shares.values()) - 1.0) > TOLERANCE:
        raise InputError(f"--mix = '{text}' makes {math.fsum(shares.values()):g}, not 1; give shares that make 1")
    return shares


def kinds_of(shares: dict[str, float], episodes: int, rng: np.random.Generator) -> list[str]:
    """The kind of each episode, in a random order: as many of each as its share, those with the largest remainders one more.

    Example:
        >>> sorted(kinds_of({"random": 0.25, "expert": 0.75}, 5, np.random.default_rng(0)))
        ['expert', 'expert', 'expert', 'expert', 'random']
    """
    exact = {kind: share * episodes for kind, share in shares.items()}
    counts = {kind: math.floor(value) for kind, value in exact.items()}
    largest = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in largest[: episodes - sum(counts.values())]:
        counts[kind] += 1
    return [str(kind) for kind in rng.permutation([kind for kind, count in counts.items() for _ in range(count)])]
