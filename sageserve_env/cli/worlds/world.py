"""``sageserve world``: what exists."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sageserve_env.cli.options import WorldOption
from sageserve_env.cli.worlds.fit import fit, power

if TYPE_CHECKING:
    from rich.table import Table

    from sageserve_env.world import NiwQueue, Pool, Region, Routing, Scaling, Serving, Tier, World

app = typer.Typer(help="List, show and check worlds: regions, models, VM types, pools.", no_args_is_help=True)
app.command("fit")(fit)
app.command("power")(power)

MOST_NAMED = 4
"""Regions whose names fit beside each other on a line."""

WorldArgument = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset (see: sageserve world list) or a YAML file.")]


@app.command("list")
def list_worlds() -> None:
    """List the ready-made worlds."""
    from sageserve_env.cli.console import output
    from sageserve_env.tables import TextTable
    from sageserve_env.world import PRESETS

    made = TextTable("Worlds", ["name", "what exists"], ["regions", "models", "instances"])
    for name, make in PRESETS.items():
        world = make()
        about = re.sub(r"``| \[[PCA]\]", "", (make.__doc__ or "").strip().splitlines()[0]).rstrip(".")
        instances = len(world.regions) * sum(sum(pool.instances.values()) for pool in world.pools)
        made.add_row(name, about, str(len(world.regions)), str(len(world.models)), f"{instances:,}")
    output().print(made)


@app.command("show")
def show_world(
    world: WorldArgument,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print it whole, as a world file to start from.")] = False,
) -> None:
    """Show a world.

    Example: sageserve world show published --yaml > mine.yaml
    """
    from sageserve_env.cli.console import output
    from sageserve_env.world import dump_world, load_world

    chosen = load_world(world)
    if yaml:
        typer.echo(dump_world(chosen), nl=False)
    else:
        tables = (model_table(chosen), *region_tables(chosen), *cost_tables(chosen), pool_table(chosen), rule_table(chosen))
        output().print(*tables, sep="\n")


@app.command("check")
def check_world(file: Annotated[Path, typer.Argument(metavar="FILE", help="A world as a YAML file.")]) -> None:
    """Check a world file against every rule.

    Example: sageserve world check mine.yaml
    """
    from sageserve_env.cli.console import output
    from sageserve_env.errors import InputError, printable
    from sageserve_env.world import load_world

    if file.suffix not in (".yaml", ".yml"):
        raise InputError(f"world = '{file}' is no .yaml file; give one")
    world = load_world(file)
    counts = f"{len(world.regions)} regions, {len(world.models)} models, {len(world.vm_types)} VM types, {len(world.pools)} pools"
    output().print(printable(f"{file}: valid world '{world.name}': {counts}"), soft_wrap=True)


@app.command("profiles")
def profiles(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Picture file: .png, .svg or .pdf.")],
    world: WorldOption = "published",
) -> None:
    """Draw the iteration times of a world's models: measured points and the tables in use.

    Example: sageserve world profiles --out profiles.png
    """
    from sageserve_env.cli.console import wrote
    from sageserve_env.errors import InputError
    from sageserve_env.world import load_world, plot_profiles

    if not out.absolute().parent.is_dir():
        raise InputError(f"--out = '{out}': folder {out.parent} does not exist; create it first")
    wrote(plot_profiles(load_world(world), out))


def model_table(world: World) -> Table:
    """Models and what fits an instance of each VM type."""
    from sageserve_env.tables import TextTable

    made = TextTable(
        f"World '{world.name}': models",
        ["model", "VM type"],
        ["weights, GB", "KV bytes\nper token", "KV tokens\nper instance", "$ / h"],
    )
    for model in world.models:
        for vm_type in world.vm_types:
            if vm_type.name in model.profiles:
                tokens = (vm_type.gpu_memory_bytes - model.weights_bytes) / model.kv_bytes_per_token
                made.add_row(
                    model.name,
                    vm_type.name,
                    f"{model.weights_bytes / 1e9:,.1f}",
                    f"{model.kv_bytes_per_token:,.0f}",
                    f"{tokens:,.0f}",
                    f"{vm_type.price_usd_per_h:,.2f}",
                )
    return made


def region_tables(world: World) -> list[Table]:
    """Regions, their VMs and their latency to each other: one table, or two where there are many."""
    from sageserve_env.tables import TextTable

    latency_ms = [[1e3 * seconds for seconds in row] for row in world.latency_s]
    if len(world.regions) > MOST_NAMED:
        made = TextTable("Regions", ["region", "VMs"], [])
        for region in world.regions:
            made.add_row(region.name, vms_of(region))
        return [made, matrix_table("One-way latency in ms", "from", world, latency_ms)]
    destinations = [f"to {region.name}" for region in world.regions]
    made = TextTable("Regions: VMs, and one-way latency in ms", ["region", "VMs"], destinations)
    for region, row in zip(world.regions, latency_ms, strict=True):
        made.add_row(region.name, vms_of(region), *(f"{value:g}" for value in row))
    return [made]


def vms_of(region: Region) -> str:
    """A region's VMs by type."""
    return ", ".join(f"{count} {name}" for name, count in region.vm_capacity.items())


def cost_tables(world: World) -> list[Table]:
    """What differs between regions, and what instances draw, where the world says so."""
    tables: list[Table] = []
    if any(region.price_usd_per_h or region.price_by_hour or region.carbon for region in world.regions):
        tables.append(price_table(world))
    if world.egress_usd_per_gb is not None:
        tables.append(matrix_table("Traffic between regions, dollars for 10⁹ bytes", "from", world, world.egress_usd_per_gb))
    if any(model.power for model in world.models):
        tables.append(power_table(world))
    return tables


def price_table(world: World) -> Table:
    """List prices and carbon intensities by region."""
    from sageserve_env.tables import TextTable
    from sageserve_env.world.costs.carbon import carbon_intensity, has_carbon
    from sageserve_env.world.costs.prices import list_prices, price_factors

    kinds = [f"{kind.name}\n$ / h" for kind in world.vm_types]
    made = TextTable("Prices and carbon", ["region"], [*kinds, "by hour", "zone", "g / kWh\nmean", "least", "most"], gap=1)
    rows = zip(world.regions, list_prices(world), price_factors(world), carbon_intensity(world), strict=True)
    for region, prices, factors, grams in rows:
        span = f"× {factors.min():g} to {factors.max():g}" if region.price_by_hour else "–"
        carbon = [f"{value:,.0f}" for value in (grams.mean(), grams.min(), grams.max())] if has_carbon(world) else ["–"] * 3
        zone = region.carbon.zone if region.carbon else "–"
        made.add_row(region.name, *(f"{price:,.2f}" for price in prices), span, zone, *carbon)
    return made


def power_table(world: World) -> Table:
    """What instances draw."""
    from sageserve_env.tables import TextTable

    made = TextTable(f"Power in W, before a PUE of {world.pue:g}", ["model", "VM type"], ["idle", "batch\nof 1", "of 64", "of 512"])
    for model in world.models:
        for vm_type, draws in model.power.items():
            watts = [draws.base_w + draws.span_w * batch / (batch + draws.half_batch) for batch in (1, 64, 512)]
            made.add_row(model.name, vm_type, *(f"{value:,.0f}" for value in (draws.idle_w, *watts)))
    return made


def matrix_table(title: str, head: str, world: World, rows: Sequence[Sequence[float]]) -> Table:
    """A number from each region to each; many regions are numbered in the headings, whose names would not fit."""
    from sageserve_env.tables import TextTable

    names = [region.name for region in world.regions]
    are_many = len(names) > MOST_NAMED
    made = TextTable(title, [head], [f"to {place if are_many else name}" for place, name in enumerate(names, 1)])
    for place, (name, row) in enumerate(zip(names, rows, strict=True), 1):
        made.add_row(f"{place} {name}" if are_many else name, *(f"{value:g}" for value in row))
    return made


def pool_table(world: World) -> Table:
    """Pools and the fleet at the start."""
    from sageserve_env.tables import TextTable

    made = TextTable("Instances in each region at the start", ["model"], [pool_head(pool) for pool in world.pools])
    for model in world.models:
        made.add_row(model.name, *(str(pool.instances.get(model.name, 0)) for pool in world.pools))
    return made


def pool_head(pool: Pool) -> str:
    """What a pool is, on a few lines."""
    spill = f"\nspills to {pool.spill_to}\nabove {pool.spill_utilization:.0%}" if pool.spill_to else ""
    return f"pool {pool.name}:\n{', '.join(pool.tiers)}{spill}"


def rule_table(world: World) -> Table:
    """Service levels and the rules' numbers."""
    from sageserve_env.tables import TextTable

    lead, serving = world.lead_times, world.serving
    rows = {
        "service levels": ", ".join(f"{tier.name} {level(tier)}" for tier in world.tiers),
        "routing": routing_rule(world.routing),
        "serving": f"batch ≤ {serving.max_batch}, {serving.iteration_overhead_s:g} s on each iteration, "
        f"mixed × {serving.mixed_factor:g}, KV {serving.kv_admission.replace('_', '-')}, prompts {prompt_rule(serving)}",
        "scaling": scaling_rule(world.scaling),
        "lead times": f"reclaim {lead.reclaim_s:g} s, redeploy {lead.redeploy_s:g} s, fetch weights {lead.remote_fetch_s:g} s",
        "NIW": niw_rule(world.niw),
    }
    made = TextTable("Rules", ["rule", "value"], [])
    for name, value in rows.items():
        made.add_row(name, value)
    return made


def level(tier: Tier) -> str:
    """A tier's service level."""
    counted = f"{'done' if tier.name == 'NIW' else 'TTFT'} ≤ {tier.slo_s:g} s"
    return counted if tier.tpot_s is None else f"{counted} and TPOT ≤ {1e3 * tier.tpot_s:g} ms"


def prompt_rule(serving: Serving) -> str:
    """How prompts are prefilled."""
    budget = serving.prefill_budget_tokens
    return "whole" if budget is None else f"in chunks of iterations of {budget:,} tokens"


def niw_rule(niw: NiwQueue) -> str:
    """How non-interactive requests are released."""
    if not niw.managed:
        return "routed on arrival"
    levels = zip(niw.release_count, niw.release_utilization, strict=True)
    released = ", ".join(f"{count} at or under {level:.0%}" for count, level in levels)
    return released + ("" if niw.promote_after_s == math.inf else f"; first after {niw.promote_after_s / 3600:g} h")


def routing_rule(routing: Routing) -> str:
    """Where requests are sent."""
    threshold = routing.utilization_threshold
    region = "the first region" if threshold == math.inf else f"first region under {threshold:.0%}"
    return f"{region}, delay {routing.delay_s:g} s"


def scaling_rule(scaling: Scaling) -> str:
    """When an endpoint moves by one instance."""
    when = "at each arrival" if scaling.trigger == "arrival" else f"every {scaling.tick_s:g} s"
    return (
        f"out above {scaling.scale_out_utilization:.0%}, in below {scaling.scale_in_utilization:.0%}, "
        f"{when}, pause {scaling.cool_down_s:g} s, at least {scaling.min_instances}"
    )
