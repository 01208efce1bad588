"""Heavy-tailed times: log-normal laws by their median and their 90th percentile."""

from __future__ import annotations

import math

P90_Z = 1.2815515655446004
"""The 90th percentile of the standard normal law."""


def log_normal(median_s: float, p90_s: float) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm of a time; minus infinity and 0 for a time of 0."""
    if median_s == 0:
        return -math.inf, 0.0
    return math.log(median_s), math.log(p90_s / median_s) / P90_Z


def mean_s(median_s: float, p90_s: float) -> float:
    """The mean of such a time, which is above its median."""
    mu, sigma = log_normal(median_s, p90_s)
    return math.exp(mu + sigma**2 / 2)
