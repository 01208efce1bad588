"""What a replayed day's plots show: traffic, instances, utilization, times to first token and money, at each sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sageserve_env.leaderboard.page.plot import Reals, Scale, Tick, top_of
from sageserve_env.leaderboard.page.recording import Recording
from sageserve_env.sim.readout.measure import ratio

TIER_LOOKS = ("c5", "c0", "c7")

REGION_LOOKS = ("c4", "c1", "c3", "c2", "c0", "c5")

MODEL_LOOKS = ("c0", "c1", "c2", "c3", "c4", "c5", "c6")


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
class Panel:
    """A plot over time.

    Attributes:
        title, unit: Above it.
        shown: What it shows, in the order of the legend.
        scale: Of its height.
        is_stacked: Whether the quantities lie on each other.
        levels: Lines across it.
    """

    title: str
    unit: str
    shown: list[Shown]
    scale: Scale
    is_stacked: bool = False
    levels: list[Tick] = field(default_factory=list)


def panels(found: Recording) -> list[Panel]:
    """All of them, in order."""
    return [each(found) for each in (traffic, by_model, by_region, utilization, first_tokens, money)]


def traffic(found: Recording) -> Panel:
    """Arrivals by tier, stacked."""
    tiers = [tier.name for tier in found.world.tiers]
    shown = [Shown(tier, look, summed(found, "requests_per_s", last=tier)) for tier, look in zip(tiers, TIER_LOOKS, strict=True)]
    return stacked("Traffic", "requests/s", shown)


def by_model(found: Recording) -> Panel:
    """Instances by model, and those that serve nobody, stacked."""
    shown = [
        Shown(model.name, MODEL_LOOKS[number % len(MODEL_LOOKS)], summed(found, "active", model=model.name))
        for number, model in enumerate(found.world.models)
    ]
    shown.append(Shown("provisioning", "c7", summed(found, "provisioning")))
    shown.append(Shown("draining", "c8", summed(found, "draining")))
    return stacked("Instances by model", "mean of the interval", shown)


def by_region(found: Recording) -> Panel:
    """Instances by region, whatever they do, stacked."""
    kinds, shown = ("active", "provisioning", "draining"), []
    for number, region in enumerate(found.world.regions):
        values = np.sum([summed(found, kind, region=region.name) for kind in kinds], axis=0)
        shown.append(Shown(region.name, REGION_LOOKS[number % len(REGION_LOOKS)], values))
    return stacked("Instances by region", "loading and draining included", shown)


def utilization(found: Recording) -> Panel:
    """Memory in use by model, the mean over its active instances."""
    shown = []
    for number, model in enumerate(found.world.models):
        active, share = columns(found, "active", model=model.name), columns(found, "utilization", model=model.name)
        mean = 100 * ratio(np.nansum(active * share, axis=0), active.sum(axis=0))
        shown.append(Shown(model.name, MODEL_LOOKS[number % len(MODEL_LOOKS)], mean))
    return Panel("Utilization", "KV memory in use, %", shown, Scale(0.0, 100.0))


def first_tokens(found: Recording) -> Panel:
    """P95 of the time to first token by tier, and the levels of the interactive ones."""
    tiers = found.world.tiers
    shown = [Shown(tier.name, look, found.series[f"ttft_p95_s/{tier.name}"]) for tier, look in zip(tiers, TIER_LOOKS, strict=True)]
    seen = [value for each in shown for value in each.values.tolist() if value > 0] + [tier.slo_s for tier in tiers[:2]]
    scale = Scale(decade(min(seen), math.floor), decade(1.2 * max(seen), math.ceil), is_log=True)
    levels = [Tick(place(scale, tier.slo_s), f"{tier.name} level, {tier.slo_s:g} s") for tier in tiers[:2]]
    return Panel("Time to first token", "P95, s", shown, scale, levels=levels)


def money(found: Recording) -> Panel:
    """Dollars spent so far, stacked."""
    spent = found.spent
    shown = [Shown("VMs", "c0", spent["vm_usd"]), Shown("breaches", "c5", spent["breach_usd"])]
    other = spent["egress_usd"] + spent["carbon_usd"]
    if other.any():
        shown.append(Shown("traffic and carbon", "c2", other))
    return stacked("Money", "dollars so far", shown)


def stacked(title: str, unit: str, shown: list[Shown]) -> Panel:
    """A panel of quantities that add up."""
    return Panel(title, unit, shown, Scale(0.0, top_of(np.sum([each.values for each in shown], axis=0))), is_stacked=True)


def decade(value: float, to: Callable[[float], int]) -> float:
    """The power of ten below or above."""
    return 10.0 ** to(math.log10(value))


def place(scale: Scale, value: float) -> float:
    """Per cent from the top."""
    return round(100 - 100 * float(scale(np.array(value))), 2)


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
