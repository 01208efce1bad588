"""Wednesday 2024-06-26: an earlier Office 365 day, whose regions have curves of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sageserve_env.workload.checks import check_number
from sageserve_env.workload.drawn.generated import CHUNK_ROWS, IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.sources.data_files import columns
from sageserve_env.workload.sources.o365 import IW_FAST_SHARE
from sageserve_env.workload.sources.o365_data import MODELS, prompt_table, size_tables, week

DAY_S = 86_400.0
REGIONS = ("westus", "centralus", "eastus")

STAND_INS = {"gpt4": "llama-2-70b", "gpt35turbo": "llama-3.1-8b"}
"""Model of the default world for each service of that day."""

REQUESTS = {"gpt4": (229_592, 226_914), "gpt35turbo": (61_614, 1_043)}
"""Interactive and non-interactive requests of the day (printed by the authors)."""


def o365_june(*, scale: float = 1.0, cv: float = 1.0, chunk_rows: int = CHUNK_ROWS) -> IntensityWorkload:
    """519 thousand requests of two models, interactive ones by the recovered token curve of each region.

    Non-interactive requests have a printed count but no curve: they come evenly over the day, with the regions' shares of the
    interactive tokens and the model's mean non-interactive prompt of the later week (assumptions).

    Args:
        scale: Factor on all rates.
        cv: Coefficient of variation of the gaps in operational time.
        chunk_rows: Most requests in a chunk.

    Raises:
        InputError: A number out of range.
    """
    check_number("scale", scale, open_minimum=True)
    series, rates = [], []
    for service, model in STAND_INS.items():
        curves = _curves(service)
        interactive, other = REQUESTS[service]
        label = next(key for key, name in MODELS.items() if name == model)
        prompt = prompt_table(model, curves.sum() / interactive)
        other_prompt = prompt_table(model, week()[label, "dev"].mean_prompt)
        output = size_tables()[model, "output_tokens"]
        for region, curve in zip(REGIONS, curves, strict=True):
            series.append(Series(model, (IW_FAST_SHARE, 1 - IW_FAST_SHARE, 0.0), {region: 1.0}, prompt, output))
            rates.append(curve * (scale * interactive / curves.sum() / 60))
        shares = dict(zip(REGIONS, curves.sum(axis=1).tolist(), strict=True))
        series.append(Series(model, (0.0, 0.0, 1.0), shares, other_prompt, output))
        rates.append(np.full(curves.shape[1], scale * other / DAY_S))
    rate = np.stack(rates)
    edges = np.arange(rate.shape[1] + 1) * 60.0
    intensity = Intensity.renewal(tuple(series), edges, rate, cv)
    return IntensityWorkload("o365-2024-06-26", intensity, chunk_rows=chunk_rows, week_start_s=2 * DAY_S)


def _curves(service: str) -> NDArray[np.float64]:
    """Prompt tokens per minute by region, interpolated between the raster's columns. Shape (n_regions, 1440)."""
    table = columns("o365/o365_2024-06-26_by_region_raster.csv")
    minutes = np.arange(1440) + 0.5
    rows = [(table["model"] == service) & (table["region"] == region) for region in REGIONS]
    return np.stack([np.interp(minutes, table["minute"][k], table["prompt_tokens_per_min_mean_est"][k]) for k in rows])
