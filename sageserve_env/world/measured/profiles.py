"""Iteration-time tables, built from the measurements.

Two builders: ``measured_profile`` is what every preset uses; ``authors_profile`` reproduces the tables of the authors' simulator
and serves only the worlds that check this package against it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from sageserve_env.errors import InputError
from sageserve_env.world.measured.measurements import (
    A100,
    H100,
    MEASURED_MODELS,
    Floats,
    Points,
    decode_points,
    is_measured,
    prefill_points,
    raw_points,
)
from sageserve_env.world.schema import IterationModel, Profile, TimeTable

RATIO_MODEL = "llama-2-70b"
"""Assumption: models measured on A100 only run on H100 faster by this model's median ratio (2.07 prefill, 1.44 decode)."""


@cache
def measured_profile(model: str, vm_type: str) -> Profile:
    """The profile of a measured model: medians, made non-decreasing, with a safe slope beyond the last measurement.

    The two large models were measured at tensor parallelism 8, the two small ones at 4 (taken for the whole VM) and on A100 only:
    on H100 their A100 times are divided by ``h100_speedup``.

    Args:
        model: One of ``MEASURED_MODELS``.
        vm_type: ``"a100-80gb-x8"`` or ``"h100-80gb-x8"``.

    Raises:
        InputError: Neither measured nor derivable from a measurement.

    Example:
        >>> table = measured_profile("llama-2-70b", "h100-80gb-x8").decode
        >>> bool(evaluate(table, 512) > evaluate(table, 64) > evaluate(table, 1) > 0.02)
        True
    """
    if vm_type == H100 and model in MEASURED_MODELS and not is_measured(model, H100):
        prefill_ratio, decode_ratio = h100_speedup()
        return scale_profile(measured_profile(model, A100), 1 / prefill_ratio, 1 / decode_ratio)
    return Profile(monotone_table(prefill_points(model, vm_type)), monotone_table(decode_points(model, vm_type)))


def has_profile(model: str, vm_type: str) -> bool:
    """Whether ``measured_profile`` knows this pair."""
    return model in MEASURED_MODELS and vm_type in (A100, H100)


@cache
def authors_profile(model: str, vm_type: str) -> Profile:
    """The profile as the authors' simulator reads it: both tables against prompt size x batch size, raw medians.

    Its decode times are therefore nearly flat in the number of decoding requests. For validation only.

    Raises:
        InputError: That pair was not measured.
    """
    prefill, decode = raw_points(model, vm_type)
    return Profile(_table(prefill.tokens, prefill.seconds), _table(decode.tokens, decode.seconds))


def h100_speedup() -> tuple[float, float]:
    """A100 time / H100 time of ``RATIO_MODEL``, median over its measured abscissae: (prefill, decode)."""
    ratios = [
        float(np.median(points(RATIO_MODEL, A100).seconds / points(RATIO_MODEL, H100).seconds))
        for points in (prefill_points, decode_points)
    ]
    return ratios[0], ratios[1]


def scale_profile(profile: Profile, prefill_factor: float, decode_factor: float) -> Profile:
    """The profile with its times multiplied.

    Raises:
        InputError: A factor is not a positive number.
    """
    return Profile(_scale(profile.prefill, prefill_factor), _scale(profile.decode, decode_factor))


def monotone_table(points: Points) -> TimeTable:
    """A non-decreasing table through measured points.

    Noise makes some medians fall as tokens grow: isotonic regression, weighted by rows, pools them. Beyond the last point the
    table rises at the slope of its last segment or of the chord from the first point to the last, whichever is steeper, so that
    neither a pooled last segment nor a lucky last measurement makes long prompts cheap (assumption; nothing was measured there).
    """
    x, y = points.tokens, pool_adjacent_violators(points.seconds, points.rows)
    last = (y[-1] - y[-2]) / (x[-1] - x[-2])
    chord = (y[-1] - y[0]) / (x[-1] - x[0])
    if chord > last:
        x, y = np.append(x, 2 * x[-1]), np.append(y, y[-1] + chord * x[-1])
    return _table(x, y)


def pool_adjacent_violators(values: ArrayLike, weights: ArrayLike) -> Floats:
    """Weighted least-squares fit of a non-decreasing sequence (isotonic regression).

    Args:
        values: Shape (n,).
        weights: Positive. Shape (n,).

    Returns:
        The fit, shape (n,).

    Example:
        >>> pool_adjacent_violators([1.0, 3.0, 2.0, 4.0], [1.0, 1.0, 1.0, 1.0]).tolist()
        [1.0, 2.5, 2.5, 4.0]
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(np.asarray(values, float).tolist(), np.asarray(weights, float).tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, total, length = blocks.pop()
            both = total + block[1]
            block = ((mean * total + block[0] * block[1]) / both, both, length + block[2])
        blocks.append(block)
    return np.repeat([mean for mean, _, _ in blocks], [length for _, _, length in blocks])


def evaluate(table: TimeTable, tokens: ArrayLike) -> Floats:
    """Read a table, its first and last segments extended both ways.

    Args:
        table: The table.
        tokens: Abscissae, any shape.

    Returns:
        Seconds, same shape as ``tokens``.
    """
    x, y = np.array(table.tokens), np.array(table.seconds)
    at = np.asarray(tokens, float)
    left = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
    return np.asarray(y[left] + slope * (at - x[left]))


def prefill_seconds(profile: Profile | IterationModel, tokens: ArrayLike) -> Floats:
    """Seconds that an iteration takes to prefill one whole prompt and nothing else.

    Args:
        profile: Tables or an iteration model.
        tokens: Prompt tokens, any shape.

    Returns:
        Seconds, same shape as ``tokens``.

    Example:
        >>> model = IterationModel(0.01, 1e-4, 1e-7, 1e-4, 1e-8, provenance="an example")
        >>> float(prefill_seconds(model, 100)) == 0.01 + 100 * 1e-4 + 1e-8 * 100 * 99 / 2
        True
    """
    if isinstance(profile, Profile):
        return evaluate(profile.prefill, tokens)
    at = np.asarray(tokens, float)
    return np.asarray(profile.base_s + profile.prefill_token_s * at + profile.prefill_context_s * (at * (at - 1) / 2))


def decode_seconds(profile: Profile | IterationModel, sequences: ArrayLike, context_tokens: float) -> Floats:
    """Seconds of an iteration that only decodes.

    Args:
        profile: Tables, which know no context, or an iteration model.
        sequences: Decoding requests, any shape.
        context_tokens: Context tokens of each of them.

    Returns:
        Seconds, same shape as ``sequences``.
    """
    if isinstance(profile, Profile):
        return evaluate(profile.decode, sequences)
    each_s = profile.sequence_s + profile.context_token_s * context_tokens
    return np.asarray(profile.base_s + each_s * np.asarray(sequences, float))


def _scale(table: TimeTable, factor: float) -> TimeTable:
    if not (np.isfinite(factor) and factor > 0):
        raise InputError(f"scale = {factor} of a profile is not a positive number; give the ratio of its times")
    return TimeTable(table.tokens, tuple(second * factor for second in table.seconds))


def _table(tokens: Floats, seconds: Floats) -> TimeTable:
    return TimeTable(tuple(tokens.tolist()), tuple(seconds.tolist()))
