"""``sageserve compare``: several policies on the same traffic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from sageserve_env.evaluation.policy import Policy
    from sageserve_env.evaluation.runs.result import Result
    from sageserve_env.scenarios import Scenario

TABLE, FIGURE = "compare.csv", "compare.png"


def compare(
    workload: Annotated[str, typer.Argument(metavar="[WORKLOAD]", help="A name or a trace file.")] = "o365-day",
    policies: Annotated[
        str,
        typer.Option(
            "--policies", "-p", metavar="A,B,C", help="Names; options follow a colon: lt-ua:initial_instances=8:epsilon=0.9."
        ),
    ] = "static,reactive",
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
    control_interval: ControlIntervalOption = 300.0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write compare.csv, compare.png and every run here.")
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run several policies on the same requests, and show what each cost and how well it served.

    Try:

      sageserve compare o365-thursday --policies reactive,lt-i,lt-u,lt-ua --out runs/compare

      sageserve compare o365-day --hours 6 --policies static:instances=4,siloed,chiron
    """
    from sageserve_env.cli.console import note, output, simulation_progress
    from sageserve_env.cli.options import check_run, chosen_workload, show_trace
    from sageserve_env.evaluation.runs.compare import compare as run_all
    from sageserve_env.evaluation.runs.compare import comparison_tables
    from sageserve_env.scenarios import Scenario
    from sageserve_env.world import load_world

    check_run(seed, control_interval)
    chosen = read_policies(policies)
    reading = trace_reading(time_unit, columns, invalid_rows, sort)
    traffic = chosen_workload(workload, reading=reading, start_h=start, hours=hours, days=days, scale=scale)
    scenario = Scenario(traffic.name, load_world(world), traffic, control_interval)
    traffic.stream(scenario.world, seed)  # what does not fit the world shows before anything is compiled
    check_policies(scenario, chosen)
    if out is not None:
        check_folder(out, force)
    if reading and not quiet:
        show_trace(traffic)
    results: dict[str, Result] = {}
    for name, policy in chosen.items():
        if not quiet:
            note(name)
        with simulation_progress(scenario.horizon_s, quiet) as progress:
            results |= run_all(scenario, {name: policy}, seed=seed, progress={name: progress}.get)
    if not quiet:
        output().print(*comparison_tables(results), sep="\n")
    if out is not None:
        write(results, out, quiet)


def read_policies(text: str) -> dict[str, Policy]:
    """Policies from ``a,b:option=value``, by what was written; the same twice is an error.

    Raises:
        InputError: No such policy or option, or none is named.
    """
    from sageserve_env.cli.policies.simulate import policy_options
    from sageserve_env.errors import InputError
    from sageserve_env.evaluation.policy import load_policy

    chosen: dict[str, Policy] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, *pairs = word.split(":")
        if word in chosen:
            raise InputError(f"--policies: {word!r} is named twice; name each once")
        chosen[word] = load_policy(name, **policy_options(pairs, None))
    if not chosen:
        raise InputError(f"--policies = {text!r} names no policy; give e.g. static,reactive")
    return chosen


def check_policies(scenario: Scenario, policies: Mapping[str, Policy]) -> None:
    """Let every policy look at the problem before the first runs; bounds that see the future search then, so they have to wait.

    Raises:
        InputError: An option of a policy does not suit the world.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.evaluation.policy import prepared
    from sageserve_env.evaluation.runner import policy_rng
    from sageserve_env.sim import ADMISSION_ORDERS

    for name, policy in policies.items():
        order = getattr(policy, "admission_order", ADMISSION_ORDERS[0])
        if order not in ADMISSION_ORDERS:
            raise InputError(f"{name}: admission_order = {order!r} is not known; give one of {', '.join(ADMISSION_ORDERS)}")
        try:
            own = prepared(policy, scenario, 0)
            if not hasattr(policy, "foresee"):
                policy.reset(own, policy_rng(0))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None


def check_folder(folder: Path, force: bool) -> None:
    """Refuse, before anything runs, a folder that holds something, unless forced, or cannot be written.

    Raises:
        InputError: It is a file, not empty, or cannot be written.
        MissingExtra: pyarrow is not installed.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.extras import need_arrow
    from sageserve_env.files.writing import SCRATCH, require_writable

    need_arrow(f"--out = '{folder}'")
    is_taken = folder.is_dir() and any(not item.name.startswith(SCRATCH) for item in folder.iterdir())
    if folder.exists() and (not folder.is_dir() or (is_taken and not force)):
        raise InputError(f"--out = '{folder}' is not an empty folder; choose another, or add --force")
    require_writable(folder)


def write(results: Mapping[str, Result], folder: Path, quiet: bool) -> None:
    """Write the table, the figure where matplotlib is there, and each run in a folder of its name; all or nothing."""
    from importlib.util import find_spec

    from sageserve_env.cli.console import note, wrote
    from sageserve_env.evaluation.runs.compare import plot_comparison, write_table
    from sageserve_env.files.writing import whole_folder

    with whole_folder(folder, TABLE, stale=(FIGURE,)) as fresh:
        write_table(results, fresh / TABLE)
        if find_spec("matplotlib") is None:
            note(f"no figure: matplotlib is not installed; pip install 'sageserve-env[plots]' draws {FIGURE}")
        else:
            plot_comparison(results, fresh / FIGURE)
        for name, result in results.items():
            result.save(fresh / re.sub(r"[^\w.=-]", "_", name))
    if not quiet:
        wrote(folder)
