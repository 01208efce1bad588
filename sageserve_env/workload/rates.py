"""Arrivals of a workload as series: input tokens per second by region, model and window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.compile import entry_point
from sageserve_env.errors import InputError
from sageserve_env.workload.play import play
from sageserve_env.workload.request import Workload
from sageserve_env.world.schema import TIERS, World

Reals = NDArray[np.float64]

WINDOW_S = 900.0
"""Window used unless told otherwise."""

INTERACTIVE = (0, 1)
"""Codes of the tiers whose traffic the paper forecasts: IW-F and IW-N."""

PAST_SEED = 0x70617374
"""Combined with an episode's seed, it gives the seed of the episode's past."""


def token_rates(
    workload: Workload, world: World, seed: int = 0, window_s: float = WINDOW_S, tiers: tuple[int, ...] = INTERACTIVE
) -> Reals:
    """Play a workload once and count prompt tokens.

    Args:
        workload: What to play.
        world: Its regions and models give the first two axes.
        seed: Seed of the stream.
        window_s: Length of a window in seconds; the last one may be cut short by the workload's end, and is divided by what it has.
        tiers: Codes of the tiers to count.

    Returns:
        Input tokens/s by region of origin, model and window, shape (R, M, W); telemetry's order. ``reshape(R * M, W)`` gives a
        forecaster its series.

    Raises:
        InputError: The workload does not fit the world, or the window is not a length.
    """
    tokens, seconds = token_counts(workload, world, seed, window_s)
    return of_tiers(tokens, tiers) / seconds


def token_counts(workload: Workload, world: World, seed: int, window_s: float) -> tuple[Reals, Reals]:
    """What :func:`token_rates` makes rates of: prompt tokens by tier, shape (T, R, M, W), and each window's seconds, shape (W,).

    Raises:
        InputError: The workload does not fit the world, or the window is not a length.
    """
    if not 0 < window_s < np.inf:
        raise InputError(f"window_s = {window_s} is not a length; give seconds above 0")
    windows = math.ceil(workload.duration_s / window_s)
    tokens = no_tokens(world, windows)
    add_tokens(tokens, workload, world, seed, window_s)
    seconds = np.full(windows, window_s)
    seconds[-1] = workload.duration_s - (windows - 1) * window_s
    return tokens, seconds


def past_rates(
    workload: Workload, world: World, seed: int, window_s: float = WINDOW_S, tiers: tuple[int, ...] = INTERACTIVE
) -> Reals:
    """What came before a workload, and before that: its ``past``, where it has one, as whole windows up to its time 0.

    Args:
        workload: The workload whose past is played.
        world: Its regions and models give the first two axes.
        seed: Seed of the past: another than the workload's, lest it foretell.
        window_s: Length of a window in seconds.
        tiers: Codes of the tiers to count.

    Returns:
        Input tokens/s, oldest first, shape (R, M, W); W = 0 without a past.

    Raises:
        InputError: The past does not fit the world.
    """
    return of_tiers(past_tokens(workload, world, seed, window_s), tiers) / window_s


def past_tokens(workload: Workload, world: World, seed: int, window_s: float) -> Reals:
    """The prompt tokens of a workload's past by tier, of which :func:`past_rates` makes rates, shape (T, R, M, W)."""
    parts: list[Workload] = []
    while (past := getattr(parts[-1] if parts else workload, "past", None)) is not None:
        parts.append(past)
    windows = math.floor(sum(part.duration_s for part in parts) / window_s)
    tokens = no_tokens(world, windows)
    start_s = windows * window_s
    for age, part in enumerate(parts):
        start_s -= part.duration_s
        add_tokens(tokens, part, world, seed ^ age, window_s, start_s)
    return tokens


def no_tokens(world: World, windows: int) -> Reals:
    """Zeros, shape (T, R, M, W)."""
    return np.zeros((len(TIERS), len(world.regions), len(world.models), windows))


def of_tiers(tokens: Reals, tiers: tuple[int, ...]) -> Reals:
    """Tokens of some tiers together, shape (R, M, W)."""
    return np.asarray(tokens[list(tiers)].sum(axis=0))


def add_tokens(tokens: Reals, workload: Workload, world: World, seed: int, window_s: float, start_s: float = 0.0) -> None:
    """Add a workload's prompt tokens to windows, shape (T, R, M, W), that begin at 0; the workload begins at ``start_s``.

    What falls before the first window or after the last is left out.
    """
    stream = play(workload, world, seed)
    while (chunk := stream.next_chunk()).size:
        count_tokens(chunk, start_s, window_s, tokens)


@entry_point
def count_tokens(chunk: Any, start_s: float, window_s: float, tokens: Any) -> None:
    """Add the prompt tokens of requests, dtype ``REQUEST_DTYPE``, to windows of shape (T, R, M, W)."""
    for i in range(chunk.shape[0]):
        request = chunk[i]
        window = math.floor((request.arrival_s + start_s) / window_s)
        if 0 <= window < tokens.shape[3]:
            tokens[request.tier, request.origin, request.model, window] += request.prompt_tokens
