"""Several policies on the same traffic: the runs, one table and one figure."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from sageserve_env.env.rewards import BREACH_PRICES_USD, CARBON_USD_PER_T, KG_PER_T
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runs.figures import COLOURS, mark_time
from sageserve_env.evaluation.policy import Policy
from sageserve_env.evaluation.runs.report import number
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.evaluation.runner import Progress, run_episode
from sageserve_env.pictures import label, new_figure, save_figure
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.tables import TextTable
from sageserve_env.world.costs.carbon import has_carbon
from sageserve_env.world.schema import World
from sageserve_env.files.writing import whole_file

HOUR_S = 3600.0

FLEET_COLUMNS = {
    "instance_h": ("instance-\nhours", 1, 1.0),
    "peak_15min_h": ("hours by\n15 min peaks", 1, 1.0),
    "provisioning_h": ("provisio-\nning, h", 1, 1.0),
    "waste_by_moves_h": ("waste by\nmoves, h", 1, 1.0),
    "spot_h": ("spot\nh", 0, 1.0),
    "utilization_pct": ("used\n%", 1, 1.0),
}
SERVICE_COLUMNS = {
    "vm_usd": ("VMs\nk$", 1, 1e3),
    "breach_usd": ("breaches\nk$", 1, 1e3),
    "total_usd": ("all\nk$", 1, 1e3),
    "iw_f_met_pct": ("IW-F\nmet, %", 2, 1.0),
    "iw_ttft_p95_s": ("TTFT\nP95, s", 2, 1.0),
    "iw_tpot_p95_s": ("TPOT\nP95, ms", 1, 1e-3),
    "niw_met_pct": ("NIW\nmet, %", 2, 1.0),
}
COLUMNS = FLEET_COLUMNS | SERVICE_COLUMNS
"""Figures of a run: heading in its table, digits, and what they are divided by there."""

FOOTPRINT_COLUMNS = {
    "energy_mwh": ("energy\nMWh", 2, 1.0),
    "carbon_kg": ("carbon\nkg", 0, 1.0),
    "carbon_usd": ("carbon\n$", 0, 1.0),
    "egress_usd": ("egress\n$", 2, 1.0),
}
"""Further ones, of worlds that count them."""


def compare(
    scenario: Scenario,
    policies: Mapping[str, Policy],
    *,
    seed: int = 0,
    resolution_s: float = 300.0,
    progress: Callable[[str], Progress | None] | None = None,
) -> dict[str, Result]:
    """Run policies one after another on the same requests.

    Args:
        scenario: The problem; a policy may ask for another fleet, never for other traffic.
        policies: By the names that the results are to have.
        seed: Seed of the workload.
        resolution_s: Seconds between two rows of the series.
        progress: Called with a policy's name before it runs; returns what :func:`run_episode` takes.

    Raises:
        InputError: No policy is given, or a run cannot be made.

    Example:
        >>> from baselines import ReactivePolicy, StaticPolicy
        >>> from sageserve_env.workload.sources.o365 import O365Week
        >>> from sageserve_env.world import load_world
        >>> scenario = Scenario("minute", load_world("published"), O365Week(duration_s=60.0))
        >>> results = compare(scenario, {"held": StaticPolicy(), "reactive": ReactivePolicy()})
        >>> {name: result.metrics.total.arrived for name, result in results.items()}
        {'held': 642, 'reactive': 642}
    """
    if not policies:
        raise InputError("policies = {}: there is nothing to compare; give at least one")
    return {
        name: run_episode(
            scenario, policy, seed=seed, resolution_s=resolution_s, progress=progress(name) if progress is not None else None
        )
        for name, policy in policies.items()
    }


def cost_usd(result: Result) -> float:
    """Dollars of the VMs, provisioning and draining included, and at the environment's default prices of avoidable breaches.

    In worlds that count them, egress and carbon come on top.
    """
    return result.metrics.fleet_total.dollars + breach_usd(result) + result.metrics.egress_usd + carbon_usd(result)


def carbon_usd(result: Result) -> float:
    """Carbon at the environment's default price; 0 where it is not counted."""
    return result.metrics.fleet_total.carbon_kg * CARBON_USD_PER_T / KG_PER_T


def breach_usd(result: Result) -> float:
    """Avoidable breaches of service levels, each times its tier's price."""
    rows = result.metrics.service_by("tier")
    return sum(price * (row.slo_missed - row.unattainable) for price, row in zip(BREACH_PRICES_USD, rows, strict=True))


def figures_of(result: Result) -> dict[str, float]:
    """What the tables show of a run, by the names of ``columns_of``; NaN where nothing was measured."""
    fleet, tiers = result.metrics.fleet_total, {row.tier: row for row in result.metrics.service_by("tier")}
    every = {
        "instance_h": fleet.active_h,
        "peak_15min_h": fleet.peak_15min_h,
        "provisioning_h": fleet.provisioning_h,
        "waste_by_moves_h": fleet.waste_by_moves_h,
        "spot_h": result.metrics.spot_donated_h,
        "utilization_pct": 100 * fleet.mean_utilization,
        "vm_usd": fleet.dollars,
        "breach_usd": breach_usd(result),
        "total_usd": cost_usd(result),
        "iw_f_met_pct": 100 * tiers["IW-F"].slo_attainment_of_attainable,
        "iw_ttft_p95_s": float(np.fmax(tiers["IW-F"].ttft_p95_s, tiers["IW-N"].ttft_p95_s)),
        "iw_tpot_p95_s": float(np.fmax(tiers["IW-F"].tpot_p95_s, tiers["IW-N"].tpot_p95_s)),
        "niw_met_pct": 100 * tiers["NIW"].slo_attainment_of_attainable,
        "energy_mwh": fleet.energy_kwh / 1e3,
        "carbon_kg": fleet.carbon_kg,
        "carbon_usd": carbon_usd(result),
        "egress_usd": result.metrics.egress_usd,
    }
    return {name: every[name] for name in columns_of(result)}


def columns_of(result: Result) -> dict[str, tuple[str, int, float]]:
    """Figures that a run has: those of ``COLUMNS``, and of ``FOOTPRINT_COLUMNS`` what its world counts."""
    has = costs_of(result.world)
    return COLUMNS | {name: column for name, column in FOOTPRINT_COLUMNS.items() if name.split("_")[0] in has}


def costs_of(world: World) -> list[str]:
    """What a world counts beside VMs: ``"energy"``, ``"carbon"``, ``"egress"``."""
    counted = {
        "energy": any(model.power for model in world.models),
        "carbon": has_carbon(world),
        "egress": world.egress_usd_per_gb is not None,
    }
    return [name for name, is_counted in counted.items() if is_counted]


def comparison_tables(results: Mapping[str, Result]) -> tuple[Table, ...]:
    """What each policy's fleet took, what it cost and how it served, and its footprint where the world counts it."""
    fleet = TextTable(
        "Policies on the same traffic: their fleets", [""], [heading for heading, _, _ in FLEET_COLUMNS.values()], gap=1
    )
    fleet.caption = (
        "instance-hours: active, as paid for; by 15 min peaks: from the most active in each quarter of an hour, as the authors of "
        "the paper count; provisioning: VM-hours that served nobody; waste by moves: scale-outs times the time to redeploy, as "
        "they count; spot: VM-hours donated; used: mean memory utilization"
    )
    has_tpot = any(tier.tpot_s is not None for result in results.values() for tier in result.world.tiers)
    shown = {key: column for key, column in SERVICE_COLUMNS.items() if has_tpot or key != "iw_tpot_p95_s"}
    service = TextTable("What they cost, and how they serve", [""], [heading for heading, _, _ in shown.values()], gap=1)
    service.caption = (
        "breaches that some fleet could have avoided, at the environment's prices; IW-F and NIW met: of the attainable; "
        f"{'TTFT and TPOT' if has_tpot else 'TTFT'}: the slower of IW-F and IW-N"
    )
    tables = [(fleet, FLEET_COLUMNS), (service, shown)]
    columns = {name: column for name, column in columns_of(next(iter(results.values()))).items() if name in FOOTPRINT_COLUMNS}
    if columns:
        tables.append((TextTable("Their footprint", [""], [heading for heading, _, _ in columns.values()], gap=1), columns))
    for table, columns in tables:
        for name, result in results.items():
            values = figures_of(result)
            table.add_row(name, *(number(values[key] / unit, digits) for key, (_, digits, unit) in columns.items()))
    return tuple(table for table, _ in tables)


def write_table(results: Mapping[str, Result], path: Path) -> None:
    """The figures as a CSV file, one row for each policy."""
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["policy", *columns_of(next(iter(results.values())))])
        writer.writeheader()
        writer.writerows({"policy": name, **figures_of(result)} for name, result in results.items())


def plot_comparison(results: Mapping[str, Result], path: str | Path) -> Path:
    """Draw instances over time, and what each policy cost and how well it served.

    Args:
        results: Runs by name, all of one scenario.
        path: Picture file.

    Raises:
        InputError: matplotlib is not installed, or it does not know the suffix.
    """
    path = Path(path)
    figure = new_figure(path, (11.0, 7.5))
    grid = figure.add_gridspec(2, 2, height_ratios=(1.4, 1.0))
    draw_instances(figure.add_subplot(grid[0, :]), results)
    draw_cost(figure.add_subplot(grid[1, 0]), results)
    draw_attainment(figure.add_subplot(grid[1, 1]), results)
    first = next(iter(results.values()))
    figure.suptitle(label(f"{first.scenario}, seed {first.seed}"))
    return save_figure(figure, path)


def draw_instances(axis: Any, results: Mapping[str, Result]) -> None:
    """All instances that cost money, over time."""
    for (name, result), colour in zip(results.items(), COLOURS * len(results), strict=False):
        hours = np.append(0.0, result.series["time_s"] / HOUR_S)
        counts = sum(values for key, values in result.series.items() if key.startswith(("active/", "provisioning/", "draining/")))
        axis.stairs(counts, hours, baseline=None, color=colour, lw=1.6, label=broken(name))
    first = next(iter(results.values()))
    mark_time(axis, float(first.series["time_s"][-1] / HOUR_S), first.week_start_s)
    axis.set_ylabel("instances, all states")
    axis.set_ylim(bottom=0)
    axis.grid(True, lw=0.4, color="0.88")
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def draw_cost(axis: Any, results: Mapping[str, Result]) -> None:
    """Dollars: VMs, and breaches beside them."""
    names = list(results)
    figures = [figures_of(results[name]) for name in names]
    vms, breaches = ([values[key] / 1e3 for values in figures] for key in ("vm_usd", "breach_usd"))
    places = range(len(names))
    axis.barh(places, vms, color="0.65", label="VMs")
    axis.barh(places, breaches, left=vms, color="#D55E00", label="avoidable breaches")
    axis.invert_yaxis()
    axis.set_xlabel("thousands of dollars")
    axis.set_yticks(places, [broken(name) for name in names])
    axis.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def draw_attainment(axis: Any, results: Mapping[str, Result]) -> None:
    """Fast interactive requests within their service level."""
    names: Sequence[str] = list(results)
    met = [figures_of(results[name])["iw_f_met_pct"] for name in names]
    axis.barh(range(len(names)), met, color="#0072B2")
    for place, value in enumerate(met):
        axis.text(102, place, number(value, 1), va="center", fontsize="small")
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_yticks([])
    axis.set_xlabel("IW-F requests with TTFT in time, % of the attainable")


def broken(name: str) -> str:
    """A policy's name with a line for each of its options."""
    return label(name).replace(":", "\n")
