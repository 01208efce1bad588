"""Arrivals of a workload as series: input tokens per second by region, model and window."""

from __future__ import annotations

import numpy as np

from baselines.forecast.base import WINDOW_S, Reals
from sageserve_env.errors import InputError
from sageserve_env.workload import Workload
from sageserve_env.world.schema import World

INTERACTIVE = (0, 1)
"""Codes of the tiers whose traffic the paper forecasts: IW-F and IW-N."""


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
    if not 0 < window_s < np.inf:
        raise InputError(f"window_s = {window_s} is not a length; give seconds above 0")
    n_models, windows = len(world.models), int(np.ceil(workload.duration_s / window_s))
    tokens = np.zeros(len(world.regions) * n_models * windows)
    stream = workload.stream(world, seed)
    while (chunk := stream.next_chunk()).size:
        counted = chunk[np.isin(chunk["tier"], tiers)]
        series = counted["origin"].astype(np.int64) * n_models + counted["model"]
        cell = series * windows + (counted["arrival_s"] / window_s).astype(np.int64)
        first = int(cell.min(initial=0))
        sums = np.bincount(cell - first, counted["prompt_tokens"])
        tokens[first : first + sums.size] += sums
    seconds = np.full(windows, window_s)
    seconds[-1] = workload.duration_s - (windows - 1) * window_s
    return tokens.reshape(len(world.regions), n_models, windows) / seconds
