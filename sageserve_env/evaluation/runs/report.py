"""What a person reads after a run: service, fleet and facts, as tables for the terminal."""

from __future__ import annotations

import math

from rich.table import Table

from sageserve_env.evaluation.runs.result import Result
from sageserve_env.sim.readout.metrics import FleetRow, ServiceRow
from sageserve_env.tables import TextTable, plain
from sageserve_env.world.costs.carbon import has_carbon
from sageserve_env.world.schema import Faults, Tier

MILLION = 1e6
NOTHING = "–"
"""Shown where nothing was measured."""


def summary_tables(result: Result) -> list[Table]:
    """Tables of service by tier and model, of the fleet by model, and of the run's facts."""
    return [service_table(result), fleet_table(result), facts_table(result)]


def service_table(result: Result) -> Table:
    """How requests fared: by tier, by model, and in all."""
    columns = ["requests", "level\nmet, %", "attainable\nmet, %", "TTFT\nP50, s", "TTFT\nP95, s", "end-to-end\nP95, s"]
    has_tpot = any(tier.tpot_s is not None for tier in result.world.tiers)
    if has_tpot:
        columns.append("TPOT\nP95, ms")
    table = TextTable("Service", [""], columns, gap=1)
    table.caption = "attainable: without requests whose level no fleet could have met"
    for tier, row in zip(result.world.tiers, result.metrics.service_by("tier"), strict=True):
        table.add_row(f"{tier.name} ({level(tier)})", *service_cells(row, has_tpot))
    table.add_section()
    for row in result.metrics.service_by("model"):
        table.add_row(row.model, *service_cells(row, has_tpot))
    table.add_section()
    table.add_row("all", *service_cells(result.metrics.total, has_tpot), style="bold")
    return table


def level(tier: Tier) -> str:
    """A tier's service level in words."""
    counted = f"{'done' if tier.name == 'NIW' else 'TTFT'} ≤ {duration(tier.slo_s)}"
    return counted if tier.tpot_s is None else f"{counted}, TPOT ≤ {1e3 * tier.tpot_s:g} ms"


def service_cells(row: ServiceRow, has_tpot: bool) -> list[str]:
    """A service row's cells; the time between tokens where some tier has a level for it."""
    shares = [number(100 * share, 2) for share in (row.slo_attainment, row.slo_attainment_of_attainable)]
    times = [number(value, 2) for value in (row.ttft_p50_s, row.ttft_p95_s, row.e2e_p95_s)]
    return [number(row.arrived), *shares, *times, *([number(1e3 * row.tpot_p95_s, 1)] if has_tpot else [])]


def fleet_table(result: Result) -> Table:
    """What the service cost: instance-hours, waste and money, by model and in all."""
    columns = ["active,\nh", "provisioning\n(waste), h", "draining,\nh", "utiliz-\nation, %", "dollars", "dollars /\nM tokens"]
    metrics = result.metrics
    table = TextTable("Fleet: instance-hours and list prices", [""], columns, gap=1)
    table.caption = f"and, counted apart, {number(metrics.spot_donated_h, 1)} VM-hours donated to spot"
    tokens = {row.model: row.prompt_tokens + row.output_tokens for row in metrics.service_by("model")}
    for row in metrics.fleet_by("model"):
        table.add_row(row.model, *fleet_cells(row, tokens[row.model]))
    table.add_section()
    table.add_row("all", *fleet_cells(metrics.fleet_total, sum(tokens.values())), style="bold")
    return table


def fleet_cells(row: FleetRow, tokens: int) -> list[str]:
    """A fleet row's cells; ``tokens`` are the prompt and output tokens of its completed requests."""
    hours = [number(value, 1) for value in (row.active_h, row.provisioning_h, row.draining_h)]
    price = row.dollars / tokens * MILLION if tokens else math.nan
    return [*hours, number(100 * row.mean_utilization, 1), number(row.dollars), number(price, 2)]


def facts_table(result: Result) -> Table:
    """What ran, and how it went, in a few lines."""
    metrics, total = result.metrics, result.metrics.total
    in_flight = total.travelling + total.waiting + total.running
    scaling = metrics.fleet_total
    lines = (
        f"{result.scenario} · policy {result.policy} · world {result.world.name} · seed {result.seed}",
        f"{duration(result.horizon_s)} simulated in {result.wall_s:.2f} s: "
        f"{number(result.requests_per_s)} requests/s, {number(metrics.events)} events",
        f"{number(total.completed)} completed, {number(in_flight)} in flight, {number(total.queued)} queued, "
        f"{number(total.rejected)} rejected",
        f"{number(total.slo_missed)} missed their level; {number(total.unattainable)} of them no fleet could have met",
        f"{number(scaling.scale_outs)} scale-outs ({number(metrics.blocked_scale_outs)} blocked), "
        f"{number(scaling.scale_ins)} scale-ins",
        f"as the paper's authors count: {number(scaling.peak_15min_h, 1)} instance-hours (most active in each 15 min), "
        f"{number(scaling.waste_by_moves_h, 1)} h of waste (scale-outs × time to redeploy)",
        *footprint_lines(result),
    )
    table = Table(box=None, show_header=False, padding=(0, 0))
    for line in (*lines, *fault_lines(result)):
        table.add_row(plain(line))
    return table


def footprint_lines(result: Result) -> list[str]:
    """What the fleet drew and emitted and what traffic between regions cost, where the world counts it."""
    world, metrics, lines = result.world, result.metrics, []
    if any(model.power for model in world.models):
        carbon = f", {number(metrics.fleet_total.carbon_kg, 1)} kg of CO₂ equivalent" if has_carbon(world) else ""
        lines.append(f"{number(metrics.fleet_total.energy_kwh, 1)} kWh at a PUE of {world.pue:g}{carbon}")
    if world.egress_usd_per_gb is not None:
        lines.append(f"{number(metrics.egress_usd, 4)} dollars for traffic between regions")
    return lines


def fault_lines(result: Result) -> tuple[str, ...]:
    """What went wrong, where the world has faults."""
    if result.world.faults == Faults():
        return ()
    metrics = result.metrics
    return (
        f"{number(metrics.failures)} failures and {number(metrics.evictions)} evictions of VMs, {number(metrics.failed_h, 1)} "
        f"VM-hours without them; {number(metrics.outages)} outages of regions, {duration(metrics.outage_s)} in all; "
        f"{number(metrics.total.retried)} requests lost and sent anew",
    )


def number(value: float, digits: int = 0) -> str:
    """A number with thousands separators; a dash for NaN.

    Example:
        >>> number(1234567.891, 1)
        '1,234,567.9'
    """
    return NOTHING if math.isnan(value) else f"{value:,.{digits}f}"


def duration(seconds: float) -> str:
    """A duration in its largest fitting unit.

    Example:
        >>> duration(86400), duration(60), duration(90000)
        ('24 h', '60 s', '25 h')
    """
    value, unit = (seconds / 3600, "h") if seconds >= 3600 else (seconds, "s")
    return f"{value:,.4g} {unit}"
