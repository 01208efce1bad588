"""A replayed day as a page shows it: plots over one time axis, and the numbers that its slider reads out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.evaluation.figures import clock_time
from sageserve_env.leaderboard.page.formats import short
from sageserve_env.leaderboard.page.plot import MOST_TICKS, Curve, Plot, Reals, Scale, Tick, steps, top_of, upward
from sageserve_env.leaderboard.page.recording import Recording
from sageserve_env.sim.measure import ratio

HOUR_S, DAY_S = 3600.0, 86_400.0

TIER_LOOKS = ("c5", "c0", "c7")

REGION_LOOKS = ("c4", "c1", "c3", "c2", "c0", "c5")

SPACES_S = (60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 4 * HOUR_S, 6 * HOUR_S, DAY_S)
"""Between two ticks of time."""


@dataclass(frozen=True)
class Shown:
    """One quantity over time: a curve in a plot, and a number at the slider.

    Attributes:
        name: In the legend.
        look: See :class:`~sageserve_env.leaderboard.page.plot.Curve`.
        values: At each sample.
    """

    name: str
    look: str
    values: Reals


@dataclass(frozen=True)
class Replayed:
    """What the page gets.

    Attributes:
        plots: Each with the read-outs of its curves, in their order.
        regions, models: Columns and rows of the fleet.
        start: Sample at which the slider begins: that of the most traffic.
        data: For the slider, as JSON takes it: ``times``; ``readouts`` by plot and curve; ``fleet``, of each model and region the
            ``active``, ``provisioning`` and ``draining`` instances, ``utilization`` in per cent, and ``waiting`` requests.
    """

    plots: list[Plot]
    regions: list[str]
    models: list[str]
    start: int
    data: dict[str, Any]

    @property
    def readouts(self) -> list[list[str]]:
        """What the legends say before the slider is moved."""
        return [[values[self.start] for values in plot] for plot in self.data["readouts"]]


def replayed(found: Recording) -> Replayed:
    """A recording's plots and numbers."""
    edges = np.append(0.0, found.series["time_s"])
    panels = [traffic(found), by_model(found), by_region(found), utilization(found), first_tokens(found), money(found)]
    x = time_ticks(float(edges[-1]), found.week_start_s)
    plots = [drawn(title, unit, shown, edges / edges[-1], x, scale, **how) for title, unit, shown, scale, how in panels]
    world = found.world
    regions, models = [region.name for region in world.regions], [model.name for model in world.models]
    data = {
        "times": [time_text(seconds, found.week_start_s) for seconds in edges[1:]],
        "readouts": [[[short(value) for value in each.values.tolist()] for each in shown] for _, _, shown, _, _ in panels],
        "fleet": fleet(found),
    }
    return Replayed(plots, regions, models, int(np.argmax(summed(found, "requests_per_s"))), data)


Panel = tuple[str, str, list[Shown], Scale, dict[str, Any]]
"""Title, unit, what is shown, the vertical scale, and how it is drawn."""


def traffic(found: Recording) -> Panel:
    """Arrivals by tier, stacked."""
    tiers = [tier.name for tier in found.world.tiers]
    shown = [Shown(tier, look, summed(found, "requests_per_s", last=tier)) for tier, look in zip(tiers, TIER_LOOKS, strict=True)]
    return "Traffic", "requests/s", shown, Scale(0.0, top_of(total(shown))), {"is_stacked": True}


def by_model(found: Recording) -> Panel:
    """Instances by model, and those that serve nobody, stacked."""
    shown = [
        Shown(model.name, f"c{number % 7}", summed(found, "active", model=model.name))
        for number, model in enumerate(found.world.models)
    ]
    shown.append(Shown("provisioning", "c7", summed(found, "provisioning")))
    shown.append(Shown("draining", "c8", summed(found, "draining")))
    return "Instances by model", "mean of the interval", shown, Scale(0.0, top_of(total(shown))), {"is_stacked": True}


def by_region(found: Recording) -> Panel:
    """Instances by region, whatever they do, stacked."""
    kinds, shown = ("active", "provisioning", "draining"), []
    for number, region in enumerate(found.world.regions):
        values = np.sum([summed(found, kind, region=region.name) for kind in kinds], axis=0)
        shown.append(Shown(region.name, REGION_LOOKS[number % len(REGION_LOOKS)], values))
    return "Instances by region", "loading and draining included", shown, Scale(0.0, top_of(total(shown))), {"is_stacked": True}


def utilization(found: Recording) -> Panel:
    """Memory in use by model, the mean over its active instances."""
    shown = []
    for number, model in enumerate(found.world.models):
        active, share = columns(found, "active", model=model.name), columns(found, "utilization", model=model.name)
        mean = 100 * ratio(np.nansum(active * share, axis=0), active.sum(axis=0))
        shown.append(Shown(model.name, f"c{number % 7}", mean))
    return "Utilization", "KV memory in use, %", shown, Scale(0.0, 100.0), {}


def first_tokens(found: Recording) -> Panel:
    """P95 of the time to first token by tier, and the levels of the interactive ones."""
    tiers = found.world.tiers
    shown = [Shown(tier.name, look, found.series[f"ttft_p95_s/{tier.name}"]) for tier, look in zip(tiers, TIER_LOOKS, strict=True)]
    seen = [value for each in shown for value in each.values.tolist() if value > 0] + [tier.slo_s for tier in tiers[:2]]
    scale = Scale(decade(min(seen), math.floor), decade(1.2 * max(seen), math.ceil), is_log=True)
    levels = [Tick(place(scale, tier.slo_s), f"{tier.name} level, {tier.slo_s:g} s") for tier in tiers[:2]]
    return "Time to first token", "P95, s", shown, scale, {"levels": levels}


def money(found: Recording) -> Panel:
    """Dollars spent so far, stacked."""
    spent = found.spent
    shown = [Shown("VMs", "c0", spent["vm_usd"]), Shown("breaches", "c5", spent["breach_usd"])]
    other = spent["egress_usd"] + spent["carbon_usd"]
    if other.any():
        shown.append(Shown("traffic and carbon", "c2", other))
    return "Money", "dollars so far", shown, Scale(0.0, top_of(total(shown))), {"is_stacked": True}


def drawn(
    title: str,
    unit: str,
    shown: list[Shown],
    edges: Reals,
    x: list[Tick],
    scale: Scale,
    is_stacked: bool = False,
    levels: list[Tick] | None = None,
) -> Plot:
    """A panel as a plot; of a stack, the highest area comes first, and the others lie on it."""
    about = f"{title}, {unit}, over the day: {', '.join(each.name for each in shown)}"
    sums, curves = np.zeros(len(edges) - 1), []
    for each in shown:
        sums = sums + np.nan_to_num(each.values)
        path = steps(edges, scale(sums if is_stacked else each.values), is_area=is_stacked)
        curves.append(Curve(each.name, f"{each.look}{' area' if is_stacked else ''}", path))
    return Plot(title, unit, about, x, upward(scale), curves, levels=levels or [])


def decade(value: float, to: Callable[[float], int]) -> float:
    """The power of ten below or above."""
    return 10.0 ** to(math.log10(value))


def place(scale: Scale, value: float) -> float:
    """Per cent from the top."""
    return round(100 - 100 * float(scale(np.array(value))), 2)


def total(shown: list[Shown]) -> Reals:
    """The sum of a stack."""
    return np.sum([each.values for each in shown], axis=0)


def columns(
    found: Recording, kind: str, *, region: str | None = None, model: str | None = None, last: str | None = None
) -> NDArray[np.float64]:
    """The columns of a kind: of a region, a model, or those that end in a name; shape (columns, samples)."""
    wanted = {1: region, 2: model, -1: last}
    split = {name: name.split("/") for name in found.series}
    names = [
        name
        for name, parts in split.items()
        if parts[0] == kind and all(part is None or parts[at] == part for at, part in wanted.items())
    ]
    return np.array([found.series[name] for name in names], np.float64)


def summed(found: Recording, kind: str, **which: str) -> Reals:
    """Their sum, shape (samples,)."""
    return columns(found, kind, **which).sum(axis=0)


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


def plain(values: NDArray[np.float64]) -> Any:
    """Nested lists, whole numbers without a fraction."""
    if values.ndim == 1:
        return [int(value) if value == int(value) else value for value in values.tolist()]
    return [plain(each) for each in values]


def time_ticks(end_s: float, week_start_s: float) -> list[Tick]:
    """Ticks of the time axis, on round times of the clock."""
    space_s = next((space for space in SPACES_S if end_s / space <= MOST_TICKS + 3), DAY_S)
    first_s = -(week_start_s % space_s) % space_s
    places = np.arange(first_s, end_s + 1e-6, space_s).tolist()
    return [Tick(round(100 * seconds / end_s, 2), time_text(seconds, week_start_s, is_short=space_s < DAY_S)) for seconds in places]


def time_text(seconds: float, week_start_s: float, is_short: bool = False) -> str:
    """A time of the workload's week.

    Example:
        >>> time_text(1800.0, 86_400.0), time_text(1800.0, 86_400.0, is_short=True)
        ('Tue 00:30', '00:30')
    """
    day, clock = clock_time((seconds + week_start_s) / HOUR_S).split("\n")
    return clock if is_short else f"{day} {clock}"
