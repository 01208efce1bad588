"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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


def chosen_workload(
    name_or_path: str,
    *,
    scale: float | None = None,
    start_h: float | None = None,
    hours: float | None = None,
    days: float | None = None,
) -> Composable:
    """A workload with the changes that the options ask for.

    Raises:
        InputError: No such workload, or an option is out of its range.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.workload import load_workload

    if hours is not None and days is not None:
        raise InputError(f"--hours {hours:g} and --days {days:g} both set the length; give one of them")
    workload = load_workload(name_or_path)
    length_s = hours * HOUR_S if hours is not None else days * DAY_S if days is not None else None
    if start_h is not None or length_s is not None:
        start_s = 0.0 if start_h is None else start_h * HOUR_S
        if start_s >= workload.duration_s:
            raise InputError(f"--start = {start_h:g} is past the {workload.duration_s / HOUR_S:g} h of the workload; give less")
        workload = workload.slice(start_s, workload.duration_s - start_s if length_s is None else length_s)
    return workload if scale is None else workload.scale(scale)
