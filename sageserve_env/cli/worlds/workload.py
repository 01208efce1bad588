"""``sageserve workload``: what arrives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sageserve_env.cli.options import (
    ColumnsOption,
    DaysOption,
    FigureOption,
    HoursOption,
    InvalidRowsOption,
    ScaleOption,
    SeedOption,
    SortOption,
    StartOption,
    TimeUnitOption,
    WorldOption,
    check_seed,
    chosen_workload,
    trace_facts,
    trace_reading,
)

if TYPE_CHECKING:
    from rich.table import Table

    from sageserve_env.workload import Description

app = typer.Typer(help="List, describe and export workloads.", no_args_is_help=True)

BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 64

WorkloadArgument = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A name (see: sageserve workload list) or a trace file.")
]


@app.command("list")
def list_workloads() -> None:
    """List the named workloads."""
    from sageserve_env.cli.console import output
    from sageserve_env.tables import TextTable
    from sageserve_env.workload import CATALOG

    made = TextTable("Workloads", ["name", "what arrives"], [])
    for name, entry in CATALOG.items():
        made.add_row(name, entry.about)
    output().print(made)


@app.command("describe")
def describe_workload(
    workload: WorkloadArgument,
    world: WorldOption = "published",
    start: StartOption = None,
    hours: HoursOption = None,
    days: DaysOption = None,
    scale: ScaleOption = None,
    time_unit: TimeUnitOption = None,
    columns: ColumnsOption = None,
    invalid_rows: InvalidRowsOption = "error",
    sort: SortOption = False,
    seed: SeedOption = 0,
    out: FigureOption = None,
) -> None:
    """Show rates and token sizes of a workload, and draw its rate curves.

    Example: sageserve workload describe o365-day --out day.png
    """
    from sageserve_env.cli.console import output, status, wrote
    from sageserve_env.workload import describe, plot_rates
    from sageserve_env.world import load_world

    check_seed(seed)
    reading = trace_reading(time_unit, columns, invalid_rows, sort)
    chosen = chosen_workload(workload, reading=reading, start_h=start, hours=hours, days=days, scale=scale)
    place = load_world(world)
    with status("Playing the workload…"):
        description = describe(chosen, place, seed)
        picture = None if out is None else plot_rates(chosen, place, out, seed)
    console = output()
    console.print(rate_table(description), token_table(description), curve_table(description), sep="\n")
    if facts := trace_facts(chosen):
        console.print(file_table(facts))
    if picture is not None:
        wrote(picture)


@app.command("export")
def export_workload(
    workload: WorkloadArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv, .csv.gz or .parquet file.")],
    world: WorldOption = "published",
    start: StartOption = None,
    hours: HoursOption = None,
    days: DaysOption = None,
    scale: ScaleOption = None,
    time_unit: TimeUnitOption = None,
    columns: ColumnsOption = None,
    invalid_rows: InvalidRowsOption = "error",
    sort: SortOption = False,
    seed: SeedOption = 0,
) -> None:
    """Write a workload as a trace file, one row for each request.

    Example: sageserve workload export o365-hour hour.parquet
    """
    from sageserve_env.cli.console import status, wrote
    from sageserve_env.workload import write_trace
    from sageserve_env.world import load_world

    check_seed(seed)
    reading = trace_reading(time_unit, columns, invalid_rows, sort)
    chosen = chosen_workload(workload, reading=reading, start_h=start, hours=hours, days=days, scale=scale)
    with status("Writing the workload…"):
        rows = write_trace(chosen, load_world(world), file, seed)
    wrote(file, f", {rows:,} requests")


def file_table(facts: dict[str, str]) -> Table:
    """How a trace file was read."""
    from sageserve_env.tables import TextTable

    made = TextTable("The trace file", ["", "as read"], [])
    for name, fact in facts.items():
        made.add_row(name, fact)
    return made


def rate_table(description: Description) -> Table:
    """Requests and rates by model and tier."""
    from sageserve_env.cli.console import clock
    from sageserve_env.tables import TextTable

    made = TextTable(
        f"{description.name}: {description.groups[-1].requests:,} requests in {clock(description.duration_s)}",
        ["model", "tier"],
        ["requests", "share, %", "mean\nrequests/s", "most in\na minute", "prompt\ntokens/s"],
    )
    total = max(description.groups[-1].requests, 1)
    for group in description.groups:
        made.add_row(
            group.model,
            group.tier,
            f"{group.requests:,}",
            f"{100 * group.requests / total:.1f}",
            f"{group.mean_rps:.3g}",
            f"{group.peak_per_min:,}",
            f"{group.mean_rps * group.prompt_mean:,.0f}",
        )
    return made


def token_table(description: Description) -> Table:
    """Percentiles of prompt and output tokens by model and tier."""
    from sageserve_env.tables import TextTable
    from sageserve_env.workload.describe import PERCENTILES

    heads = ["mean", *(f"p{percentile}" for percentile in PERCENTILES)]
    numbers = [f"{kind}\n{head}" for kind in ("prompt", "output") for head in heads]
    made = TextTable("Tokens of a request", ["model", "tier"], numbers, gap=0)  # twelve columns in a hundred characters
    for group in description.groups:
        values = (group.prompt_mean, *group.prompt, group.output_mean, *group.output)
        made.add_row(group.model, group.tier, *(f"{value:,.0f}" for value in values))
    return made


def curve_table(description: Description) -> Table:
    """Requests per second over the workload's time, a small curve for each model."""
    from sageserve_env.cli.console import clock
    from sageserve_env.tables import TextTable

    made = TextTable("Requests/s over time", ["model", f"0:00 to {clock(description.duration_s)}"], ["highest"])
    made.columns[1].no_wrap = True
    for model, per_min in zip(description.models, description.requests_per_min.sum(axis=1), strict=True):
        if per_min.any():
            line, highest = curve(per_min / 60)
            made.add_row(model, line, f"{highest:.3g}")
    return made


def curve(values: list[float]) -> tuple[str, float]:
    """Values as a line of bars from 0 to the highest mean of a bar, and that mean.

    Example:
        >>> curve([0.0, 1.0, 2.0, 4.0])
        ('▁▃▅█', 4.0)
    """
    import numpy as np

    means = [float(np.mean(part)) for part in np.array_split(np.asarray(values), min(CURVE_WIDTH, len(values)))]
    highest = max(means)
    steps = [min(int(mean / highest * len(BARS)), len(BARS) - 1) if highest > 0 else 0 for mean in means]
    return "".join(BARS[step] for step in steps), highest
