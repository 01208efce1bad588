"""A replayed day as a page shows it: plots over one time axis, and the numbers that its slider reads out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.leaderboard.page.formats import short
from sageserve_env.leaderboard.page.panels import Panel, columns, panels, summed
from sageserve_env.leaderboard.page.plot import MOST_TICKS, Curve, Plot, Reals, Tick, steps, upward
from sageserve_env.leaderboard.page.recording import Recording
from sageserve_env.sim.readout.measure import ratio

HOUR_S, DAY_S = 3600.0, 86_400.0

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

SPACES_S = (60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 4 * HOUR_S, 6 * HOUR_S, DAY_S)
"""Between two ticks of time."""


@dataclass(frozen=True)
class Replayed:
    """What the page gets.

    Attributes:
        plots: Each with the read-outs of its curves, in their order.
        regions, models: Columns and rows of the fleet.
        interval: Of a sample, in words.
        start: Sample at which the slider begins: that of the most traffic.
        data: For the slider, as JSON takes it: ``times``; ``readouts`` by plot and curve, to four digits; ``fleet``, of
            each model and region the ``active``, ``provisioning`` and ``draining`` instances, ``utilization`` in per cent, and
            ``waiting`` requests.
    """

    plots: list[Plot]
    regions: list[str]
    models: list[str]
    interval: str
    start: int
    data: dict[str, Any]

    @property
    def readouts(self) -> list[list[str]]:
        """What the legends say before the slider is moved."""
        return [[short(values[self.start]) for values in plot] for plot in self.data["readouts"]]


def replayed(found: Recording) -> Replayed:
    """A recording's plots and numbers."""
    edges = np.append(0.0, found.series["time_s"])
    x, shown = time_ticks(float(edges[-1]), found.week_start_s), panels(found)
    plots = [drawn(panel, edges / edges[-1], x) for panel in shown]
    world = found.world
    regions, models = [region.name for region in world.regions], [model.name for model in world.models]
    data = {
        "times": [time_text(seconds, found.week_start_s) for seconds in edges[1:]],
        "readouts": [[rounded(each.values) for each in panel.shown] for panel in shown],
        "fleet": fleet(found),
    }
    start = int(np.argmax(summed(found, "requests_per_s")))
    return Replayed(plots, regions, models, interval_text(float(found.series["interval_s"][0])), start, data)


def drawn(panel: Panel, edges: Reals, x: list[Tick]) -> Plot:
    """A panel as a plot; the areas of a stack reach to the bottom, and the lower ones lie on the higher."""
    about = f"{panel.title}, {panel.unit}, over the day: {', '.join(each.name for each in panel.shown)}"
    sums, curves = np.zeros(len(edges) - 1), []
    for each in panel.shown:
        sums = sums + np.nan_to_num(each.values)
        path = steps(edges, panel.scale(sums if panel.is_stacked else each.values), is_area=panel.is_stacked)
        curves.append(Curve(each.name, f"{each.look}{' area' if panel.is_stacked else ''}", path))
    return Plot(panel.title, panel.unit, about, x, upward(panel.scale), curves, levels=panel.levels)


def fleet(found: Recording) -> dict[str, Any]:
    """By model and region, pools together, what the table at the slider shows: lists of (models, regions, samples)."""
    world = found.world
    shape = len(world.regions), len(world.models), len(world.pools), -1

    def cells(kind: str) -> NDArray[np.float64]:
        return np.swapaxes(columns(found, kind).reshape(shape), 0, 1)

    active, share = cells("active"), cells("utilization")
    used = ratio(np.nansum(active * share, axis=2), active.sum(axis=2))
    kinds = {kind: np.round(cells(kind).sum(axis=2), 1) for kind in ("active", "provisioning", "draining")}
    kinds["utilization"] = np.round(100 * np.nan_to_num(used))
    kinds["waiting"] = cells("waiting").sum(axis=2)
    return {kind: plain(values) for kind, values in kinds.items()}


def rounded(values: Reals) -> list[float | None]:
    """To four digits; None where nothing was measured."""
    return [None if math.isnan(value) else whole(float(f"{value:.4g}")) for value in values.tolist()]


def plain(values: NDArray[np.float64]) -> Any:
    """Nested lists, whole numbers without a fraction."""
    if values.ndim == 1:
        return [whole(value) for value in values.tolist()]
    return [plain(each) for each in values]


def whole(value: float) -> float:
    """Without a fraction where there is none, which is shorter."""
    return int(value) if value == int(value) else value


def time_ticks(end_s: float, week_start_s: float) -> list[Tick]:
    """Ticks of the time axis, on round times of the clock."""
    space_s = next((space for space in SPACES_S if end_s / space <= MOST_TICKS + 3), DAY_S)
    first_s = -(week_start_s % space_s) % space_s
    places = np.arange(first_s, end_s + 1e-6, space_s).tolist()
    return [Tick(round(100 * seconds / end_s, 2), time_text(seconds, week_start_s, is_short=space_s < DAY_S)) for seconds in places]


def time_text(seconds: float, week_start_s: float, is_short: bool = False) -> str:
    """A time of the workload's week, with seconds where there are any.

    Example:
        >>> time_text(1800.0, 86_400.0), time_text(90.0, 86_400.0, is_short=True)
        ('Tue 00:30', '00:01:30')
    """
    now_s = round(seconds + week_start_s)
    clock = f"{now_s // 3600 % 24:02d}:{now_s // 60 % 60:02d}" + (f":{now_s % 60:02d}" if now_s % 60 else "")
    return clock if is_short else f"{WEEKDAYS[now_s // 86_400 % 7]} {clock}"


def interval_text(seconds: float) -> str:
    """A length of time.

    Example:
        >>> interval_text(300.0), interval_text(30.0)
        ('5 minutes', '30 seconds')
    """
    return f"{seconds:g} seconds" if seconds < 120 else f"{seconds / 60:g} minutes"
