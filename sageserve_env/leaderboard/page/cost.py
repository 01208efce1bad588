"""The figure of cost against service: every policy's dollars for VMs, and how many requests it served in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sageserve_env.leaderboard.page.formats import percent, usd
from sageserve_env.leaderboard.page.labels import named
from sageserve_env.leaderboard.page.plot import UNITS, Curve, Plot, Point, Scale, Tick, across, top_of
from sageserve_env.leaderboard.tables.standings import Ranking, Standing
from sageserve_env.world.schema import TIERS

LATE = Scale(1e-5, 1.0, is_log=True)
"""Shares of requests that are late, the least on top; fewer are drawn as so many."""

LATE_TICKS = (1.0, 0.1, 0.01, 1e-3, 1e-4)


def cost_plot(found: Ranking, folder: str) -> Plot:
    """Dollars for VMs against requests in time, and the line of what no policy beats in both.

    Args:
        found: The standings.
        folder: Of the policies' pages, from the page that the figure is on.
    """
    money = Scale(0.0, top_of(np.array([each.figures["vm_usd"] for each in found.standings])))
    points = [point_of(each, money, folder) for each in found.standings]
    front = Curve("no policy is better in both", "front", front_path([(each.x, each.y) for each in points if each.look != "bound"]))
    y = [Tick(down(share), f"{100 - 100 * share:g}") for share in LATE_TICKS]
    about = f"{len(points)} policies by dollars for VMs and by the share of requests in time; the table above has the numbers"
    head = "Cost against service", "requests in time, %", about
    return Plot(*head, across(money), y, [front], "dollars for VMs, an episode", named(points))


def point_of(standing: Standing, money: Scale, folder: str) -> Point:
    """A policy's mark."""
    spent, share = standing.figures["vm_usd"], served_share(standing)
    look = "bound" if standing.entry.is_bound else "infeasible" if standing.place is None else "ranked"
    title = f"{standing.name}: {usd(spent)} dollars for VMs, {percent(share)} % of requests in time"
    return Point(standing.name, look, right(money, spent), down(1.0 - share), title, f"{folder}/{standing.name}.html")


def served_share(standing: Standing) -> float:
    """Share in time of the requests that some fleet can serve so, all tiers and episodes together."""
    names = [tier.lower().replace("-", "_") for tier in TIERS]
    terms = [each.terms for each in standing.entry.episodes]
    attainable = sum(each[f"attainable_{name}"] for each in terms for name in names)
    late = sum(each[f"breaches_{name}"] for each in terms for name in names)
    return 1.0 - late / attainable if attainable else 1.0


def right(scale: Scale, value: float) -> float:
    """Per cent from the left."""
    return round(100 * float(scale(np.array(value))), 2)


def down(late: float) -> float:
    """Per cent from the top."""
    return right(LATE, late)


def front_path(places: Sequence[tuple[float, float]]) -> str:
    """Steps from the cheapest policy to the best: right of them and below, another one is as good in both.

    Example:
        >>> front_path([(20.0, 30.0), (10.0, 50.0), (30.0, 40.0)])
        'M100 1000V500H200V300H1000'
    """
    path, best = "", 101.0
    for x, y in sorted(places):
        if y < best:
            path += f"{f'H{10 * x:.0f}' if path else f'M{10 * x:.0f} {UNITS}'}V{10 * y:.0f}"
            best = y
    return f"{path}H{UNITS}" if path else ""
