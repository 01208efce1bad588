"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sageserve_env.workload import Composable

HOUR_S = 3600.0
DAY_S = 86_400.0

WorldOption = Annotated[
    str, typer.Option("--world", "-w", metavar="NAME|FILE", help="A preset (see: sageserve world list) or a YAML file.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the workload.")]
ScaleOption = Annotated[float | None, typer.Option("--scale", metavar="F", help="F times as many requests.")]
StartOption = Annotated[float | None, typer.Option("--start", metavar="H", help="Begin H hours into the workload.")]
HoursOption = Annotated[float | None, typer.Option("--hours", metavar="H", help="Take H hours of the workload.")]
DaysOption = Annotated[float | None, typer.Option("--days", metavar="D", help="Take D days of the workload.")]
ControlIntervalOption = Annotated[float, typer.Option("--control-interval", metavar="S", help="Seconds between two decisions.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Write even where DIR holds other things; those stay.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing.")]
FigureOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Picture file: .png, .svg or .pdf.")]
TimeUnitOption = Annotated[
    str | None,
    typer.Option("--time-unit", metavar="U", help="Unit of a trace's times: s, ms, us or ns; told from the file if left out."),
]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="A=B,...", help="Columns of a trace: t_s=arrived_at,prompt_tokens=...,output_tokens=..."),
]
InvalidRowsOption = Annotated[
    str, typer.Option("--invalid-rows", metavar="HOW", help="Rows of a trace that cannot be served: error, skip or clamp.")
]
SortOption = Annotated[bool, typer.Option("--sort", help="Sort a trace by time, in memory.")]


def trace_reading(time_unit: str | None, columns: list[str] | None, invalid_rows: str, sort: bool) -> dict[str, Any]:
    """Arguments of ``load_workload`` for what the options say of a trace file; none where they say nothing.

    Raises:
        InputError: A mapping of columns has no equals sign, or gives a thing twice.
    """
    from sageserve_env.errors import InputError

    mapping: dict[str, str] = {}
    for pair in (pair for text in columns or [] for pair in text.split(",")):
        target, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or not target or not column:
            raise InputError(f"--columns = {pair[:60]!r} has no column; give e.g. t_s=arrived_at,prompt_tokens=input")
        if target in mapping:
            raise InputError(f"--columns gives {target[:60]!r} twice; give it once")
        mapping[target] = column
    given = {"time_unit": time_unit, "columns": mapping or None, "invalid_rows": invalid_rows, "sort": sort}
    return {name: value for name, value in given.items() if value not in (None, "error", False)}


def trace_facts(workload: Composable) -> dict[str, str]:
    """How the trace file beneath a workload was read; nothing for other workloads."""
    from sageserve_env.workload import Trace

    source = workload.source
    return source.facts() if isinstance(source, Trace) else {}


def show_trace(workload: Composable) -> None:
    """Say on one line how the trace file beneath a workload was read."""
    from sageserve_env.cli.console import output
    from sageserve_env.errors import printable

    facts = "; ".join(f"{name}: {fact}" for name, fact in trace_facts(workload).items())
    output().print(printable(f"trace read with {facts}"), soft_wrap=True)


def chosen_workload(
    name_or_path: str,
    *,
    reading: dict[str, Any] | None = None,
    scale: float | None = None,
    start_h: float | None = None,
    hours: float | None = None,
    days: float | None = None,
) -> Composable:
    """A workload with the changes that the options ask for; ``reading`` is what :func:`trace_reading` gives.

    Raises:
        InputError: No such workload, or an option is out of its range.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.workload import load_workload

    if hours is not None and days is not None:
        raise InputError(f"--hours {hours:g} and --days {days:g} both set the length; give one of them")
    check_cut(scale, start_h, hours, days)
    workload = load_workload(name_or_path, **(reading or {}))
    length_s = hours * HOUR_S if hours is not None else days * DAY_S if days is not None else None
    if start_h is not None or length_s is not None:
        start_s = 0.0 if start_h is None else start_h * HOUR_S
        if start_s >= workload.duration_s:
            raise InputError(f"--start = {start_h:g} is past the {workload.duration_s / HOUR_S:g} h of the workload; give less")
        workload = workload.slice(start_s, workload.duration_s - start_s if length_s is None else length_s)
    return workload if scale is None else workload.scale(scale)


LONGEST_H = 1e6
"""Hours of a workload: a century and more."""
LARGEST_SCALE = 1e4
SHORTEST_INTERVAL_S = 0.1
LARGEST_SEED = 2**63 - 1


def check_cut(scale: float | None, start_h: float | None, hours: float | None, days: float | None) -> None:
    """Refuse what is no part of any workload.

    Raises:
        InputError: An option is not finite, negative, or absurdly large or small.
    """
    from sageserve_env.world.checks import require_within

    if start_h is not None:
        require_within("--start", start_h, 0, LONGEST_H, "hours")
    if hours is not None:
        require_within("--hours", hours, SHORTEST_INTERVAL_S / HOUR_S, LONGEST_H, "hours")
    if days is not None:
        require_within("--days", days, SHORTEST_INTERVAL_S / DAY_S, LONGEST_H / 24, "days")
    if scale is not None:
        require_within("--scale", scale, 1 / LARGEST_SCALE, LARGEST_SCALE, "a factor")


def check_run(seed: int, control_interval_s: float, resolution_s: float | None = None) -> None:
    """Refuse a seed or an interval that no run can have.

    Raises:
        InputError: One is out of range.
    """
    from sageserve_env.world.checks import require_within

    check_seed(seed)
    require_within("--control-interval", control_interval_s, SHORTEST_INTERVAL_S, LONGEST_H * HOUR_S, "seconds")
    if resolution_s is not None:
        require_within("--resolution", resolution_s, SHORTEST_INTERVAL_S, LONGEST_H * HOUR_S, "seconds")


def check_seed(seed: int) -> None:
    """Refuse a seed that the generators do not take.

    Raises:
        InputError: It is negative, or has more than 63 bits.
    """
    from sageserve_env.world.checks import require_count

    require_count("--seed", seed, 0, LARGEST_SEED)


def check_json(option: str, path: Path) -> None:
    """Refuse, before any work is done, a file that could not be written, or whose name says that it is something else.

    Raises:
        InputError: It does not end in ``.json``, is a folder, or its folder cannot be written.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.files.writing import require_writable

    if path.suffix != ".json" or path.is_dir():
        raise InputError(f"{option} = '{path}' is no JSON file; give a name that ends in .json")
    require_writable(path.parent)
