"""The week of Azure's 2024 trace as an intensity: two services, conversation and code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_number
from sageserve_env.workload.drawn.generated import CHUNK_ROWS, IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.drawn.sizes import CELLS, scaled_to_mean, size_table
from sageserve_env.workload.mapping import Mapping
from sageserve_env.workload.sources.data_files import columns

WEEK_S = 604_800.0

MEAN_PROMPT = {"conv": 1632.0, "code": 2511.0}
"""Mean prompt tokens, from an independent analysis of the original files."""

WEEK_START_S = {"conv": 6 * 86_400.0, "code": 4 * 86_400.0}
"""Seconds from Monday 00:00 to time 0: conversation starts on Sunday 2024-05-12, code on Friday 2024-05-10 (UTC)."""


def azure2024(
    service: str,
    *,
    mapping: Mapping | None = None,
    start_s: float = 0.0,
    duration_s: float = WEEK_S,
    scale: float = 1.0,
    cv: float = 1.0,
    chunk_rows: int = CHUNK_ROWS,
) -> IntensityWorkload:
    """Arrivals that follow the published rate curve of one service (one value every 7.2 minutes).

    Prompt sizes have the published quantiles, scaled to the mean of the original file. Output sizes of 2024 are not published as
    curves: those of the same service's 2023 trace stand in (assumption).

    Args:
        service: ``conv`` (27.3 M requests a week) or ``code`` (16.8 M).
        mapping: Models, tiers and regions; ``None`` is ``Mapping()``.
        start_s: Start of the slice in seconds.
        duration_s: Length of the slice in seconds; the week repeats beyond its end.
        scale: Factor on all rates.
        cv: Coefficient of variation of the gaps in operational time.
        chunk_rows: Most requests in a chunk.

    Raises:
        InputError: An unknown service, or a number out of range.
    """
    if service not in MEAN_PROMPT:
        raise InputError(f"Azure 2024 service {service!r} is not known; take one of {', '.join(MEAN_PROMPT)}")
    mapping = mapping or Mapping()
    check_number("scale", scale, open_minimum=True)
    edges, rate = _rates(service)
    prompt, output = _prompt_sizes(service), _output_sizes(service)
    total = sum(mapping.models.values())
    series = tuple(Series(name, mapping.tier_shares, mapping.regions, prompt, output) for name in mapping.models)
    rates = np.stack([rate * (scale * share / total) for share in mapping.models.values()])
    intensity = Intensity.renewal(series, edges, rates, cv).window(start_s, duration_s)
    week_start_s = WEEK_START_S[service] + start_s
    return IntensityWorkload(f"azure2024-{service}", intensity, chunk_rows=chunk_rows, week_start_s=week_start_s)


def _rates(service: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges in seconds, shape (n + 1,), and requests per second, shape (n,): each value holds halfway to its neighbours."""
    curve = columns("azure2024/azure2024_invocations_per_min_raster.csv.gz")
    rows = curve["service"] == service
    middle, per_minute = curve["minute_mid"][rows] * 60.0, curve["inv_per_min_mean_est"][rows]
    keep = middle < WEEK_S
    middle, per_minute = middle[keep], per_minute[keep]
    return np.concatenate([[0.0], 0.5 * (middle[:-1] + middle[1:]), [WEEK_S]]), per_minute / 60.0


def _prompt_sizes(service: str) -> NDArray[np.float64]:
    table = columns("azure2024/azure2024_prompt_token_quantiles_raster.csv")
    rows = table["service"] == service
    return scaled_to_mean(size_table(table["quantile"][rows], table["tokens"][rows]), MEAN_PROMPT[service])


def _output_sizes(service: str) -> NDArray[np.float64]:
    """Empirical quantiles of the 2023 trace."""
    output = columns(f"azure2023/azure2023_{service}.csv.gz")["output_tokens"]
    return np.quantile(output, np.linspace(0, 1, CELLS + 1))
