"""The Office 365 week of the paper: four models, interactive and non-interactive traffic, three regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_number
from sageserve_env.workload.drawn.generated import CHUNK_ROWS, IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.sources.o365_data import CLASSES, MINUTES, MODELS, WEEK_S, prompt_table, size_tables, week

IW_FAST_SHARE = 44 / 72
"""Assumption: IW-F as a share of interactive requests (44 : 28)."""

REGION_SHARES = {
    "llama-2-70b": {"westus": 0.5, "centralus": 0.25, "eastus": 0.25},
    "bloom-176b": {"westus": 0.25, "centralus": 0.25, "eastus": 0.5},
    "llama-3.1-8b": {"westus": 0.25, "centralus": 0.5, "eastus": 0.25},
    "llama-3.2-3b": {"westus": 0.25, "centralus": 0.25, "eastus": 0.5},
}
"""Origins of each model's requests (authors' code)."""

SCALE_2025 = 70e6 / 7.2e6
"""Factor from the week's 7.2 M requests to the paper's July 2025: 10 M requests a day."""


class O365Week(IntensityWorkload):
    """Requests that follow the recovered week, Monday 00:00 on (time zone not stated; the shape fits UTC).

    7.2 M requests at scale 1: 1.5 M interactive and 0.3 M non-interactive for each model. Shapes are real; volumes across models
    are not, since the authors sampled each model's trace to that size. What is recovered and how: ``o365_data.py``.

    Args:
        start_s: Start of the slice, seconds from Monday 00:00, in [0, 604800).
        duration_s: Length of the slice in seconds; the week repeats beyond its end.
        scale: Factor on all intensities.
        cv: Coefficient of variation of the gaps of each model's interactive and non-interactive arrivals, in operational time: 1 is
            Poisson, others are Gamma renewals.
        iw_fast_share: IW-F as a share of interactive requests, 0 to 1.
        region_shares: Relative shares of the regions of origin by model; models not named keep the paper's 50/25/25.
        models: Names that the requests give instead of the week's models; those not named keep theirs.
        chunk_rows: Most requests in a chunk; changes nothing else.
        name: Shown in reports.

    Raises:
        InputError: An argument is out of range.

    Example:
        >>> O365Week(start_s=86_400, duration_s=3600).duration_s
        3600.0
    """

    def __init__(
        self,
        start_s: float = 0.0,
        duration_s: float = WEEK_S,
        *,
        scale: float = 1.0,
        cv: float = 1.0,
        iw_fast_share: float = IW_FAST_SHARE,
        region_shares: dict[str, dict[str, float]] | None = None,
        models: dict[str, str] | None = None,
        chunk_rows: int = CHUNK_ROWS,
        name: str = "o365-week",
    ) -> None:
        check_number("scale", scale, open_minimum=True)
        if check_number("iw_fast_share", iw_fast_share) > 1:
            raise InputError(f"iw_fast_share = {iw_fast_share} is not usable; give a share from 0 to 1")
        regions = {**REGION_SHARES, **(region_shares or {})}
        for argument, names in (("region_shares", regions), ("models", models or {})):
            for model in names:
                if model not in REGION_SHARES:
                    raise InputError(f"{argument}: model {model!r} is not in the O365 week; it has {', '.join(REGION_SHARES)}")
        intensity = _intensity(scale, cv, iw_fast_share, regions, models or {})
        window = intensity.window(start_s, duration_s)
        past = IntensityWorkload(f"{name}-past", intensity.window(0.0, start_s), week_start_s=0.0) if start_s > 0 else None
        super().__init__(name, window, chunk_rows=chunk_rows, week_start_s=start_s, past=past)


def _intensity(scale: float, cv: float, fast: float, regions: dict[str, dict[str, float]], models: dict[str, str]) -> Intensity:
    """The whole week."""
    series: list[Series] = []
    rates: list[NDArray[np.float64]] = []
    factors: list[NDArray[np.float64]] = []
    for (label, kind), curve in week().items():
        model = MODELS[label]
        tiers = (fast, 1 - fast, 0.0) if CLASSES[kind] == "interactive" else (0.0, 0.0, 1.0)
        prompt = prompt_table(model, curve.mean_prompt, curve.factor_log_sd)
        series.append(Series(models.get(model, model), tiers, regions[model], prompt, size_tables()[model, "output_tokens"]))
        rates.append(curve.rate * scale)
        factors.append(curve.factor)
    edges = 60.0 * np.arange(MINUTES + 1, dtype=np.float64)
    return Intensity.renewal(tuple(series), edges, np.stack(rates), cv, np.stack(factors))
