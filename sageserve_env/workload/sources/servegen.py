"""ServeGen: requests of the anonymised clients of a production service, each with its own rate, gap law and sizes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_number
from sageserve_env.workload.drawn.generated import CHUNK_ROWS, IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.drawn.kernel import GAMMA, WEIBULL
from sageserve_env.workload.drawn.sizes import size_table
from sageserve_env.workload.mapping import Mapping
from sageserve_env.workload.sources.data_files import arrays, columns

WINDOW_S = 600.0

STAND_INS = {
    "m-small": "llama-3.2-3b",
    "m-mid": "llama-3.1-8b",
    "m-large": "llama-2-70b",
    "deepseek-r1": "bloom-176b",
}
"""Assumption: the model of the default world that serves each ServeGen model's requests, by size."""

SHAPE_RANGE = (0.05, 100.0)
"""Assumption: bounds on fitted gap shapes; windows with a handful of requests give fits outside."""

_LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


def servegen(
    model: str,
    *,
    mapping: Mapping | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    scale: float = 1.0,
    chunk_rows: int = CHUNK_ROWS,
) -> IntensityWorkload:
    """Requests of one ServeGen model: a renewal process for each client, its rate and law changing every ten minutes.

    Gap laws are the fitted Gamma or Weibull shapes, scaled to the window's rate. Ten-minute windows in which no client has data
    (84 of m-mid, 37 of m-small) repeat the window before. Sizes are each client's quantiles over the whole period; a client without
    any takes its model's average. With several models in the mapping each client is one process for each model.

    Args:
        model: ``m-small``, ``m-mid``, ``m-large`` (14 days) or ``deepseek-r1`` (one day).
        mapping: Models, tiers and regions; the default maps to the stand-in of ``STAND_INS``.
        start_s: Start of the slice in seconds; time 0 of the data has no known weekday.
        duration_s: Length of the slice; ``None`` goes to the end, beyond which the data repeats.
        scale: Factor on all rates; at 1, m-mid averages 1790 requests/s.
        chunk_rows: Most requests in a chunk.

    Raises:
        InputError: An unknown model, or a number out of range.
    """
    if model not in STAND_INS:
        raise InputError(f"ServeGen model {model!r} is not known; take one of {', '.join(STAND_INS)}")
    mapping = mapping or Mapping(models={STAND_INS[model]: 1.0})
    check_number("scale", scale, open_minimum=True)
    rate, shape, law = _clients(model)
    tables = _sizes(model)
    total = sum(mapping.models.values())
    shares = [(name, share / total) for name, share in mapping.models.items() if share > 0]
    series = tuple(Series(name, mapping.tier_shares, mapping.regions, *pair) for name, _ in shares for pair in tables)
    edges = np.arange(rate.shape[1] + 1) * WINDOW_S
    rates = np.concatenate([rate * (scale * share) for _, share in shares])
    shapes, laws = np.tile(shape, (len(shares), 1)), np.tile(law, (len(shares), 1))
    intensity = Intensity(series, edges, rates, np.ones_like(rates), shapes, laws)
    return IntensityWorkload(f"servegen-{model}", intensity.window(start_s, duration_s), chunk_rows=chunk_rows)


@lru_cache(maxsize=4)
def _clients(model: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Rate (requests/s), gap shape and law by client and window. Each of shape (n_clients, n_windows)."""
    data = arrays("servegen/servegen_rates.npz")
    mine = data["model"] == data["models"].tolist().index(model)
    clients, row = np.unique(data["client"][mine], return_inverse=True)
    window = data["window"][mine].astype(np.int64)
    grid = (clients.size, int(window.max()) + 1)
    rate, shape, law = np.zeros(grid), np.ones(grid), np.full(grid, GAMMA, np.int32)
    rate[row, window] = data["rate_rps"][mine]
    shape[row, window] = np.clip(data["shape"][mine], *SHAPE_RANGE)
    law[row, window] = np.where(data["weibull"][mine], WEIBULL, GAMMA)
    seen = np.where(rate.sum(axis=0) > 0, np.arange(grid[1]), 0)
    held = np.maximum.accumulate(seen)
    return rate[:, held], shape[:, held], law[:, held]


@lru_cache(maxsize=4)
def _sizes(model: str) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Prompt and output size tables of each client, in the order of :func:`_clients`."""
    stats = columns("servegen/servegen_token_quantiles.csv")
    rows = np.flatnonzero(stats["model"] == model)
    result = []
    for row in rows[np.argsort(stats["client"][rows])]:
        pair = [[stats[f"{kind}_p{round(100 * level):02d}"][row] for level in _LEVELS] for kind in ("in", "out")]
        result.append((size_table(_LEVELS, pair[0]), size_table(_LEVELS, pair[1])))
    return result


def total_rate(model: str) -> NDArray[np.float64]:
    """Requests per second of all clients, in windows of ``WINDOW_S``; shape (n_windows,)."""
    return np.asarray(_clients(model)[0].sum(axis=0))


def client_sizes(model: str) -> tuple[NDArray[np.float64], list[tuple[NDArray[np.float64], NDArray[np.float64]]]]:
    """Mean rate of each client, shape (n_clients,), and its tables of prompt and output sizes."""
    return _clients(model)[0].mean(axis=1), _sizes(model)
