"""Statistics of scores over episodes: what is typical, how sure it is, and which policies can be told apart.

Scores are arrays of shape (runs, tasks), more is better, as in Agarwal et al., "Deep Reinforcement Learning at the Edge of the
Statistical Precipice" (2021), whose definitions these are; a list of scores is that of one task. Whatever draws random numbers
takes a seed, and the same seed gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sageserve_env.errors import InputError
from sageserve_env.world.checks import require_count, require_within

Reals = NDArray[np.float64]

LEVEL = 0.95
"""Share of intervals that hold the true value; one minus it is the error that tests may make."""

DRAWS = 2000
"""Of the bootstrap."""

MOST_EXACT = 20
"""Pairs up to which the sign-flip test tries every choice of signs, half a million at most."""

FLIPS = 100_000
"""Choices of signs that it draws beyond that."""

TIE = 1e-12
"""Sums that differ by less than this share of the largest are equal."""


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of all scores: a quarter of them, rounded down, is left out at each end.

    Raises:
        InputError: There is no score, or one that is not finite.

    Example:
        >>> interquartile_mean([0.0, 1.0, 2.0, 30.0])
        1.5
    """
    ordered = np.sort(checked(scores).ravel())
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def optimality_gap(scores: ArrayLike, target: float = 1.0) -> float:
    """By how much scores fall short of a target on average; what is above it does not make up for what is below.

    Raises:
        InputError: There is no score, or a number is not finite.

    Example:
        >>> optimality_gap([0.5, 3.0])
        0.25
    """
    (goal,) = checked([target], "target").ravel()
    return float(goal - np.minimum(checked(scores), goal).mean())


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Reals:
    """Share of the scores above each threshold, shape (thresholds,).

    Raises:
        InputError: There is no score or threshold, or one that is not finite.

    Example:
        >>> performance_profile([0.0, 1.0, 2.0, 3.0], [0.5, 1.0, 3.0]).tolist()
        [0.75, 0.5, 0.0]
    """
    shares: Reals = (checked(scores).ravel() > checked(thresholds, "thresholds").reshape(-1, 1)).mean(axis=1)
    return shares


def probability_of_improvement(mine: ArrayLike, theirs: ArrayLike) -> float:
    """Chance that a run of mine is above one of theirs on the same task, mean over tasks; a tie counts half.

    Args:
        mine: Shape (runs, tasks).
        theirs: Shape (runs, tasks); the runs may be other ones, and more or fewer.

    Raises:
        InputError: The tasks are not as many, there is no score, or one that is not finite.

    Example:
        >>> probability_of_improvement([1.0, 2.0], [1.0, 0.0])
        0.875
    """
    x, y = checked(mine, "mine"), checked(theirs, "theirs")
    if x.shape[1] != y.shape[1]:
        raise InputError(f"mine has {x.shape[1]} tasks, theirs {y.shape[1]}; give scores of the same tasks")
    above = x[:, None] - y[None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def bootstrap_interval(
    statistic: Callable[..., float], *scores: ArrayLike, seed: int = 0, level: float = LEVEL, draws: int = DRAWS
) -> tuple[float, float]:
    """Percentile interval of a statistic, by a bootstrap stratified by task: runs are drawn anew within each task.

    Args:
        statistic: Of as many arrays as there are, such as :func:`interquartile_mean`.
        scores: Each of shape (runs, tasks).
        seed: Of the draws.
        level: Share of such intervals that hold the true value, 0 to 1.
        draws: Of the bootstrap, 1 to a million.

    Raises:
        InputError: There is no score, or a number is out of its range.
    """
    require_count("seed", seed, 0)
    require_count("draws", draws, 1, 1_000_000)
    require_within("level", level, 0.0, 1.0, "a share")
    arrays, rng = [checked(each) for each in scores], np.random.default_rng(seed)
    if not arrays:
        raise InputError("scores: none are given; give an array of shape (runs, tasks)")
    values = [statistic(*(_redrawn(array, rng) for array in arrays)) for _ in range(draws)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def sign_flip_test(differences: ArrayLike, seed: int = 0) -> float:
    """Two-sided p-value that paired differences have mean 0, if each might as well have had the other sign.

    Exact up to ``MOST_EXACT`` pairs; beyond, by ``FLIPS`` choices of signs, with the one that was seen among them.

    Args:
        differences: Of one policy and another on the same episodes, shape (episodes,).
        seed: Of the signs that are drawn.

    Raises:
        InputError: There is no difference, or one that is not finite.

    Example:
        >>> sign_flip_test([1.0, 2.0, 3.0])
        0.25
    """
    require_count("seed", seed, 0)
    pairs = checked(differences, "differences").ravel()
    seen = abs(pairs.sum()) - TIE * np.abs(pairs).sum()
    if pairs.size <= MOST_EXACT:
        sums = pairs[:1]  # of both signs of all, one is enough
        for pair in pairs[1:]:
            sums = np.concatenate([sums + pair, sums - pair])
        return float((np.abs(sums) >= seen).mean())
    rng = np.random.default_rng(seed)
    sums = np.zeros(FLIPS)
    for pair in pairs:
        sums += np.where(rng.random(FLIPS) < 0.5, pair, -pair)
    return float((1 + (np.abs(sums) >= seen).sum()) / (1 + FLIPS))


def holm(p_values: ArrayLike) -> Reals:
    """p-values corrected for being many by Holm's method, shape (tests,): at most so many errors in all of them together.

    Raises:
        InputError: One is not within 0 and 1.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, np.float64).ravel()
    if not ((given >= 0) & (given <= 1)).all():
        raise InputError(f"p_values = {given.tolist()!s:.80} are not all within 0 and 1; give those of tests")
    order = np.argsort(given, kind="stable")
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(given.size, 0, -1)), 1.0)
    return corrected


def tiers(scores: ArrayLike, level: float = LEVEL, seed: int = 0) -> NDArray[np.int64]:
    """The tier of each policy, from 1 on: those that cannot be told from the best of the ones left, and so on.

    The best by its mean is compared with each other one by :func:`sign_flip_test` over the episodes that they share, and the
    p-values are corrected by :func:`holm`.

    Args:
        scores: More is better, shape (policies, episodes).
        level: One minus the chance that a tier tears equal policies apart, 0 to 1.
        seed: Of the tests.

    Raises:
        InputError: There is no score, or a number is out of its range.

    Example:
        >>> tiers([[5.0] * 8, [9.0, 9.5, 9.0, 9.5, 9.0, 9.5, 9.0, 9.5], [9.1] * 8]).tolist()
        [2, 1, 1]
    """
    require_within("level", level, 0.0, 1.0, "a share")
    table = checked(scores)
    found = np.zeros(len(table), np.int64)
    left = np.argsort(-table.mean(axis=1), kind="stable")
    while left.size:
        first, others = left[0], left[1:]
        p_values = holm([sign_flip_test(table[first] - table[other], seed) for other in others])
        is_apart = p_values <= 1.0 - level
        found[first] = found[others[~is_apart]] = found.max() + 1
        left = others[is_apart]
    return found


def checked(scores: ArrayLike, name: str = "scores") -> Reals:
    """Scores of shape (runs, tasks); a list is a column.

    Raises:
        InputError: There are none, they are no table, or one is not finite.
    """
    try:
        array = np.asarray(scores, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {scores!r:.40} is no array of numbers; give shape (runs, tasks)") from None
    if array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"{name} has shape {array.shape}; give at least one number, shape (runs, tasks)")
    if not np.isfinite(array).all():
        raise InputError(f"{name} has the value {array[~np.isfinite(array)][0]}; give finite numbers")
    return array.reshape(len(array), -1)


def _redrawn(scores: Reals, rng: np.random.Generator) -> Reals:
    """Scores of so many runs, drawn with replacement within each task."""
    return np.take_along_axis(scores, rng.integers(len(scores), size=scores.shape), axis=0)
