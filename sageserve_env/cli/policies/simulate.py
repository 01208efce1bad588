"""``sageserve simulate``: one policy on one workload."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sageserve_env.cli.options import (
    ColumnsOption,
    ControlIntervalOption,
    DaysOption,
    ForceOption,
    HoursOption,
    InvalidRowsOption,
    QuietOption,
    ScaleOption,
    SeedOption,
    SortOption,
    StartOption,
    TimeUnitOption,
    WorldOption,
    trace_reading,
)

DEFAULT_WORKLOAD = "o365-day"


def simulate(
    workload: Annotated[
        str | None, typer.Argument(metavar="[WORKLOAD]", help="A name (see: sageserve workload list); o365-day if left out.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", "-t", metavar="FILE", help="A trace file (CSV, JSON lines, Parquet) instead.")
    ] = None,
    world: WorldOption = "published",
    policy: Annotated[
        str, typer.Option("--policy", "-p", metavar="NAME", help="Who decides: static, reactive, or any installed.")
    ] = "static",
    policy_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the policy; may be repeated.")
    ] = None,
    instances: Annotated[
        int | None, typer.Option(metavar="N", help="Start with N instances of each model in each region and pool.")
    ] = None,
    order: Annotated[str | None, typer.Option(metavar="ORDER", help="Admission order: FCFS, EDF, PF or DPA.")] = None,
    start: StartOption = None,
    hours: HoursOption = None,
    days: DaysOption = None,
    scale: ScaleOption = None,
    time_unit: TimeUnitOption = None,
    columns: ColumnsOption = None,
    invalid_rows: InvalidRowsOption = "error",
    sort: SortOption = False,
    seed: SeedOption = 0,
    control_interval: ControlIntervalOption = 300.0,
    resolution: Annotated[float, typer.Option(metavar="S", help="Seconds between two points of the time series.")] = 300.0,
    drain: Annotated[bool, typer.Option("--drain", help="Go on past the end until the last request is done.")] = False,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="Keep a row for each request (requests.parquet).")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write tables, time series and figures here.")
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Simulate a workload on a fleet and show what came of it.

    Try:

      sageserve simulate o365-hour --policy reactive --out runs/hour

      sageserve simulate --trace requests.csv --instances 3 --order DPA

      sageserve simulate o365-week --start 24 --hours 6 --scale 0.1
    """
    from sageserve_env.cli.console import note, output, wrote
    from sageserve_env.cli.outputs import check_folder, write_run
    from sageserve_env.cli.running import Choice, run
    from sageserve_env.errors import InputError

    if workload is not None and trace is not None:
        raise InputError(f"workload = '{workload}' and --trace '{trace}' are both given; give one of them")
    if out is not None:
        check_folder(out, force)
    choice = Choice(
        workload=str(trace) if trace is not None else workload or DEFAULT_WORKLOAD,
        is_trace=trace is not None,
        world=world,
        policy=policy,
        policy_options=policy_options(policy_option or [], order),
        instances=instances,
        reading=trace_reading(time_unit, columns, invalid_rows, sort),
        cut={"start_h": start, "hours": hours, "days": days, "scale": scale},
        control_interval_s=control_interval,
    )
    result = run(choice, seed=seed, resolution_s=resolution, drain=drain, log_requests=log_requests, quiet=quiet)
    if not quiet:
        from sageserve_env.evaluation.runs.report import summary_tables

        output().print(*summary_tables(result), sep="\n")
    if out is not None:
        for text in write_run(result, out, force):
            note(text)
        if not quiet:
            wrote(out)


def policy_options(pairs: list[str], order: str | None) -> dict[str, Any]:
    """Options of the policy from the command line; values are read as YAML reads them.

    Raises:
        InputError: A pair has no equals sign, or the admission order is not known.
    """
    import yaml

    from sageserve_env.errors import InputError

    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--policy-option = '{pair}' has no value; give NAME=VALUE")
        try:
            options[name.strip().replace("-", "_")] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--policy-option = '{pair}' has a value that cannot be read; give a number or a word") from None
    if order is not None:
        options["admission_order"] = order.upper()
    return options
