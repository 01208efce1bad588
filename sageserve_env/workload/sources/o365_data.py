"""The recovered Office 365 week as intensities, and the earlier day with its own regions.

How the curves become rates (files and their making are described in ``data/README.md``):

- Within each hour, requests follow the hour's prompt tokens per minute; the hour's total is the recovered number of requests.
- Prompt sizes of that hour are scaled by (tokens per request of the hour) / (tokens per request of the week), so that rates *and*
  tokens follow their curves. The factor is held between ``FACTOR_RANGE``; the published shape of sizes is narrowed by the factor's
  spread, so that the week as a whole shows it again.
- Minutes that the plot's simplification dropped (status 2) are interpolated in the file. Gaps over ten minutes (status 3) carry no
  tokens there, and no requests here; an hour without any token has its few requests spread evenly.
- Bloom-176B interactive is the authors' final curve (20-minute means, interpolated); the earlier one has outages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sageserve_env.portable import log
from sageserve_env.workload.drawn.sizes import narrowed, scaled_to_mean, size_table, table_mean
from sageserve_env.workload.sources.data_files import columns

MODELS = {"A": "llama-2-70b", "B": "bloom-176b", "C": "llama-3.1-8b", "D": "llama-3.2-3b"}
"""Label in the authors' files to model name."""

SUCCESSORS = {"llama-2-70b": "llama-3.1-70b", "bloom-176b": "kimi-k2.5", "llama-3.2-3b": "qwen3-32b"}
"""Models of the world ``modern`` that take the places of the week's: the nearest in size, the smallest a free one (assumption)."""

LABELS = {name: label for label, model in MODELS.items() for name in (model, SUCCESSORS.get(model, model))}
"""Label of each model, successors included."""

CLASSES = {"prod": "interactive", "dev": "non-interactive"}

HOURS = 168
MINUTES = HOURS * 60
WEEK_S = HOURS * 3600.0

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.99)

OUTPUT_MEAN = 222.0
"""Mean output tokens over all requests of the week (authors' code)."""

FACTOR_RANGE = (0.05, 20.0)
"""Assumption: bounds on an hour's tokens per request over the week's; outside, the raster's resolution dominates."""


@dataclass(frozen=True)
class Curve:
    """One model's traffic of one class over the week.

    Attributes:
        rate: Requests per second. Shape (MINUTES,).
        factor: Prompt sizes over the week's; its mean over requests is 1. Shape (MINUTES,).
        mean_prompt: Mean prompt tokens of the week.
        factor_log_sd: Standard deviation of the factor's logarithm over requests.
    """

    rate: NDArray[np.float64]
    factor: NDArray[np.float64]
    mean_prompt: float
    factor_log_sd: float


@lru_cache(maxsize=1)
def week() -> dict[tuple[str, str], Curve]:
    """Curves of the week, by label and class (``("A", "prod")``)."""
    vector, hourly = columns("o365/o365_prompt_tokens_per_minute_vector.csv.gz"), columns("o365/o365_hourly.csv")
    final = columns("o365/o365_B_prod_final_raster_20min.csv")
    result = {}
    for label in MODELS:
        for kind in CLASSES:
            rows = (vector["model"] == label) & (vector["tier"] == kind)
            tokens = vector["prompt_tokens"][rows].astype(float)
            if (label, kind) == ("B", "prod"):
                tokens = np.interp(np.arange(MINUTES) + 0.5, final["minute"], final["prompt_tokens_per_min"])
            rows = (hourly["model"] == label) & (hourly["tier"] == kind)
            result[label, kind] = _curve(tokens, hourly["requests_est"][rows].astype(float))
    return result


def _curve(tokens: NDArray[np.float64], requests: NDArray[np.float64]) -> Curve:
    """Rates and sizes from tokens per minute and requests per hour."""
    by_hour = tokens.reshape(HOURS, 60)
    total = by_hour.sum(axis=1, keepdims=True)
    shape = np.where(total > 0, by_hour / np.maximum(total, 1.0), 1 / 60)
    mean = float(total.sum() / requests.sum())
    factor = np.clip(total[:, 0] / np.maximum(requests, 1.0) / mean, *FACTOR_RANGE)
    weights = requests / requests.sum()
    factor /= (weights * factor).sum()
    logs = log(factor)
    log_sd = math.sqrt((weights * (logs - (weights * logs).sum()) ** 2).sum())
    return Curve((shape * requests[:, None] / 60).ravel(), np.repeat(factor, 60), mean, log_sd)


@lru_cache(maxsize=1)
def size_tables() -> dict[tuple[str, str], NDArray[np.float64]]:
    """Published sizes by model name and field; outputs share one factor that brings the week's mean to ``OUTPUT_MEAN``."""
    rows = columns("o365/token_quantiles.csv")
    tables = {}
    for k, (model, field) in enumerate(zip(rows["model"], rows["field"], strict=True)):
        tokens = [float(rows[name][k]) for name in ("p5", "p25", "p50", "p75", "p90", "p99")]
        tables[str(model), str(field)] = size_table(QUANTILES, tokens)
    weight = dict.fromkeys(MODELS.values(), 0.0)
    for (label, _), curve in week().items():
        weight[MODELS[label]] += float(curve.rate.sum())
    mean = sum(weight[m] * table_mean(tables[m, "output_tokens"]) for m in weight) / sum(weight.values())
    return {key: table * (OUTPUT_MEAN / mean) if key[1] == "output_tokens" else table for key, table in tables.items()}


def prompt_table(model: str, mean_tokens: float, factor_log_sd: float = 0.0) -> NDArray[np.float64]:
    """The model's published prompt shape with another mean, narrowed by what the hours' factor will spread it."""
    return scaled_to_mean(narrowed(size_tables()[model, "prompt_tokens"], factor_log_sd), mean_tokens)
