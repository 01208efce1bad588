"""The dashboard as text for terminals: the clock and the money, a table of the fleet, and a day in sparklines."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.rendering.history import History, clock_text, duration_text, percent_text, shorten

WIDTH = 100
NAME_WIDTH = 14
CELL_WIDTH = 16
SPOT_WIDTH = 5
SPARK_WIDTH = 48
BLOCKS = "▁▂▃▄▅▆▇█"
TTFT_RANGE_S = (0.1, 1e5)


def draw_text(history: History) -> str:
    """A dashboard of at most 100 columns by 30 lines."""
    lines = [*headline(history), "", *fleet_table(history), "", *sparklines(history)]
    return "\n".join(line[:WIDTH].rstrip() for line in lines)


def headline(history: History) -> list[str]:
    """The clock, the money, the service."""
    vm_usd, breach_usd = history.spent_usd
    clock = f"{history.clock()}  {history.now_s / 3600:.1f} of {history.horizon_s / 3600:.1f} h"
    title = shorten(history.title, WIDTH - len(clock) - 2)
    return [
        f"{title:<{WIDTH - len(clock)}}{clock}",
        f"spent ${vm_usd + breach_usd:,.0f} (VMs ${vm_usd:,.0f}, SLO breaches ${breach_usd:,.0f}), "
        f"now ${sum(history.usd_per_h):,.0f}/h",
        f"SLO met {percent_text(float(history.attainment[-1]))}, NIW queued {history.queued:,}, "
        f"the oldest for {duration_text(history.oldest_queued_s)}",
    ]


def fleet_table(history: History) -> list[str]:
    """A row for each region: by model the instances active, +provisioning, -draining, and their utilization; its spot VMs."""
    models = [model.name for model in history.world.models]
    shown = min(len(models), (WIDTH - NAME_WIDTH - SPOT_WIDTH) // CELL_WIDTH)
    head = "".join(f"{shorten(name, CELL_WIDTH - 2):<{CELL_WIDTH}}" for name in models[:shown])
    lines = [f"{'':<{NAME_WIDTH}}{head}{'spot':>{SPOT_WIDTH}}"]
    for r, region in enumerate(history.world.regions):
        cells = "".join(f"{cell_text(history, r, m):<{CELL_WIDTH}}" for m in range(shown))
        lines.append(f"{shorten(region.name, NAME_WIDTH - 2):<{NAME_WIDTH}}{cells}{history.fleet.spot[r]:>{SPOT_WIDTH}}")
    unseen = len(models) - shown
    return lines if unseen == 0 else [*lines, f"({unseen} more models are not shown)"]


def cell_text(history: History, region: int, model: int) -> str:
    """Instances and utilization of a region and model, e.g. ``"12 +3 -1 ▅ 54%"``."""
    fleet = history.fleet
    counts = f"{fleet.active[region, model]}"
    for sign, of in (("+", fleet.provisioning), ("-", fleet.draining)):
        counts += f" {sign}{of[region, model]}" if of[region, model] else ""
    share = fleet.utilization[region, model]
    return counts if math.isnan(share) else f"{counts} {block(share)} {100 * share:.0f}%"


def sparklines(history: History) -> list[str]:
    """The episode so far, a column for each part of the horizon: traffic, instances, latency by tier, money."""
    needed, spent = history.needed.sum(axis=1), history.vm_usd + history.breach_usd
    traffic = f"{history.requests_per_s:,.1f} requests/s, {history.tokens_per_s / 1e3:,.0f} k tokens/s"
    fleet = history.fleet
    states = f"{fleet.active.sum()} active, {fleet.provisioning.sum()} starting, {fleet.draining.sum()} draining"
    lines = [
        spark_line("traffic", from_zero(history, needed), traffic),
        spark_line("instances", from_zero(history, history.active), states),
    ]
    for index, tier in enumerate(history.world.tiers):
        level = f"level {duration_text(tier.slo_s)}, met {percent_text(float(history.attainment[index]))}"
        text = f"{duration_text(float(history.latest_ttft_p95_s[index]))} ({level})"
        lines.append(spark_line(f"TTFT95 {tier.name}", latency(history, index), text))
    lines.append(spark_line("spent", from_zero(history, spent), f"${sum(history.spent_usd):,.0f}"))
    start, end = (clock_text(history.week_start_s + at) for at in (0.0, history.horizon_s))
    return [*lines, f"{'':<{NAME_WIDTH}}{start}{end:>{SPARK_WIDTH - len(start)}}"]


def spark_line(name: str, shares: NDArray[np.float64], text: str) -> str:
    """A named row of block characters, a blank where nothing is known, and a text behind it."""
    return f"{name:<{NAME_WIDTH}}{''.join(block(share) for share in shares):<{SPARK_WIDTH}}  {text}"


def from_zero(history: History, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A series by column as shares of its maximum so far."""
    columns = by_column(history, values)
    peak = float(np.nanmax(columns, initial=0.0))
    return columns / peak if peak > 0 else columns


def latency(history: History, tier: int) -> NDArray[np.float64]:
    """A tier's TTFT by column on a logarithmic scale, 0 to 1."""
    low, high = np.log10(TTFT_RANGE_S)
    return (np.log10(np.maximum(by_column(history, history.ttft_p95_s[:, tier]), TTFT_RANGE_S[0])) - low) / (high - low)


def by_column(history: History, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The greatest known value in each column, shape (SPARK_WIDTH,); NaN in those to come."""
    columns = np.full(SPARK_WIDTH, np.nan)
    first = np.arange(SPARK_WIDTH) * history.slots // SPARK_WIDTH
    last = np.maximum((np.arange(SPARK_WIDTH) + 1) * history.slots // SPARK_WIDTH, first + 1)
    for column in range(SPARK_WIDTH):
        known = values[first[column] : min(last[column], history.filled)]
        if np.any(~np.isnan(known)):
            columns[column] = np.nanmax(known)
    return columns


def block(share: float) -> str:
    """A block character as high as a share, 0 to 1; a blank for NaN."""
    return " " if math.isnan(share) else BLOCKS[min(max(int(share * len(BLOCKS)), 0), len(BLOCKS) - 1)]
