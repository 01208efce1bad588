"""Recorded shapes of traffic over whole weeks, and recorded sizes of requests: the pieces that problems put together.

[A] marks an assumption of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.drawn.sizes import CELLS
from sageserve_env.workload.sources.azure2024 import azure2024
from sageserve_env.workload.sources.data_files import columns
from sageserve_env.workload.sources.o365_data import week
from sageserve_env.workload.sources.servegen import client_sizes, total_rate

BIN_S = 600.0
"""Bins of a curve."""

LOCAL_BINS = -48
"""The Office 365 and Azure weeks are in UTC; eight hours earlier, their noon is that of most of their users [A]."""

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S

Table = NDArray[np.float64]


def _o365(label: str) -> Table:
    """Interactive requests of one model of the Office 365 week, by the clock of its users."""
    minutes = int(BIN_S / 60)
    return np.roll(week()[label, "prod"].rate.reshape(-1, minutes).mean(axis=1), LOCAL_BINS)


def _azure(service: str) -> Table:
    """The Azure 2024 week, turned so that it begins on Monday, by the clock of its users."""
    workload = azure2024(service)
    intensity = workload.intensity
    middles = np.arange(0.0, WEEK_S, BIN_S) + BIN_S / 2
    rate = intensity.rate.sum(axis=0)[np.searchsorted(intensity.edges, middles, side="right") - 1]
    return np.roll(rate, round((workload.week_start_s or 0.0) / BIN_S) + LOCAL_BINS)


def _servegen(model: str, number: int) -> Table:
    """One of ServeGen's two weeks; the weekday on which they begin is not known."""
    bins = int(WEEK_S / BIN_S)
    return total_rate(model)[number * bins : (number + 1) * bins]


CURVES: dict[str, Callable[[], Table]] = {
    **{f"o365-{label.lower()}": partial(_o365, label) for label in "ABC"},
    **{f"azure2024-{service}": partial(_azure, service) for service in ("conv", "code")},
    **{
        f"servegen-{model}-{number + 1}": partial(_servegen, model, number) for model in ("m-large", "m-small") for number in (0, 1)
    },
}
"""Weeks by name. Left out: the O365 week's fourth model, which nearly stops on Tuesday, and ServeGen's m-mid, which has gaps."""


@lru_cache(maxsize=16)
def curve(name: str) -> Table:
    """The shape of a recorded week: requests per second over their mean, in bins of ``BIN_S`` from Monday 00:00, shape (1008,).

    Raises:
        InputError: There is no such curve.
    """
    if name not in CURVES:
        raise InputError(f"curve = {name!r} does not exist; choose one of {', '.join(CURVES)}")
    rate = CURVES[name]()
    shape: Table = rate / rate.mean()
    shape.flags.writeable = False
    return shape


def _mooncake(field: str) -> Table:
    return np.quantile(columns("mooncake/mooncake_conversation.csv.gz")[field], np.linspace(0, 1, CELLS + 1))


def _reasoning() -> Table:
    """Outputs of DeepSeek-R1: its clients' quantiles, weighted by their requests."""
    weights, tables = client_sizes("deepseek-r1")
    sizes, share = np.concatenate([output for _, output in tables]), np.repeat(weights, CELLS + 1)
    order = np.argsort(sizes)
    reached = np.cumsum(share[order]) / share.sum()
    return np.interp(np.linspace(0, 1, CELLS + 1), reached, sizes[order])


SIZES: dict[str, Callable[[], Table]] = {
    "mooncake-prompt": partial(_mooncake, "prompt_tokens"),
    "mooncake-output": partial(_mooncake, "output_tokens"),
    "deepseek-r1-output": _reasoning,
}
"""Sizes of real requests, by name: prompts of long conversations, their answers, and answers that reason."""


@lru_cache(maxsize=16)
def sizes(name: str, most_tokens: int) -> Table:
    """Recorded sizes in tokens at probabilities 0 to 1, as of ``sizes.size_table``; larger ones are cut, as services do.

    Raises:
        InputError: There are no such sizes.
    """
    if name not in SIZES:
        raise InputError(f"sizes = {name!r} do not exist; choose one of {', '.join(SIZES)}")
    return np.clip(SIZES[name](), 1.0, most_tokens)
