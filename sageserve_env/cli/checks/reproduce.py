"""``sageserve reproduce``: the paper's experiments, run anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sageserve_env.cli.options import QuietOption

GROUP = "sageserve.reproductions"
"""Entry points of this group are reproductions: functions ``(out, **options)`` that write a report and return its rows."""

PAPER = "paper"


def reproduce(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Write report, results and figures here.")] = Path(
        "runs/reproduction"
    ),
    rows: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these experiments: measured, waterfall, written, …; all if left out.")
    ] = None,
    scale: Annotated[float | None, typer.Option(metavar="F", help="F times as many requests as the published volume; 1.")] = None,
    hours: Annotated[float | None, typer.Option(metavar="H", help="Take H hours from the middle of the day, 1 to 24; 24.")] = None,
    week: Annotated[bool, typer.Option("--week", help="Run the strategies over the whole week, too.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A check in a minute, no result: fewer points, 2 hours, 5 % of requests.")
    ] = False,
    forecaster: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forecaster of the long-term strategies; their own if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of workloads and policies.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Run the SageServe paper's experiments and set our figures beside the paper's.

    Three parts: as measured (the authors' runs by their rules and measures), waterfall (from there to the paper's rules, one at a
    time) and as written. Writes report.md, report.html, results.json and figures; all of it takes about a quarter of an hour.

    Try:

      sageserve reproduce --rows measured,unified

      sageserve reproduce --quick
    """
    from sageserve_env.cli.console import note as say
    from sageserve_env.cli.console import output, wrote

    run = load_reproduction(PAPER)
    found = run(
        out,
        scale=scale,
        hours=hours,
        experiments=[name.strip() for name in rows.split(",")] if rows else [],
        week=week,
        quick=quick,
        forecaster=forecaster,
        seed=seed,
        note=(lambda text: None) if quiet else (lambda text: say(text, "dim")),
        track=iter if quiet else progress,
    )
    if not quiet:
        output().print(summary(found))
        wrote(out)


def progress(names: Sequence[str]) -> Iterator[str]:
    """Pass names on, with a bar of how far they are where standard error is a terminal."""
    from rich.progress import track

    from sageserve_env.cli.console import messages

    console = messages()
    yield from track(names, "experiments", console=console, disable=not console.is_terminal)


def load_reproduction(name: str) -> Callable[..., list[dict[str, Any]]]:
    """A reproduction by its name.

    Raises:
        InputError: No installed package offers it, or a package that it needs is missing.
    """
    from importlib.metadata import entry_points

    from sageserve_env.errors import InputError

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise InputError(f"reproduction = '{name}' is not installed; run: pip install -e .")
    try:
        run: Callable[..., list[dict[str, Any]]] = found[name].load()
    except ImportError as error:
        raise InputError(f"reproduction = '{name}' cannot be loaded ({error}); install what it needs") from None
    return run


def summary(rows: list[dict[str, Any]]) -> Any:
    """Rows that have a published figure, as a table."""
    from sageserve_env.tables import TextTable

    made = TextTable("Ours beside the paper's", ["claim", "unit"], ["paper", "ours"])
    made.add_column("", overflow="fold")
    for row in rows:
        if row["paper"] is not None:
            made.add_row(
                row["claim"], row["unit"], f"{row['paper']:g}", "–" if row["ours"] is None else f"{row['ours']:.4g}", row["agrees"]
            )
    return made
