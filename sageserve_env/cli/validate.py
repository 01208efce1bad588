"""``sageserve validate``: this simulator against recorded outputs of the authors' simulator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from sageserve_env.evaluation.golden import Comparison, Figure


def validate(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders with case.yaml, trace.csv, requests.csv.")],
) -> None:
    """Compare with recorded outputs of the authors' simulator; status 0 only if all that can be compared agree.

    Cases of "compare: exact" agree where every timestamp of every request is within 1e-6 s and every request is in the same region
    and instance. Other cases are shown side by side: latency of fixed fleets must agree within 5 %; of fleets that scale, latency
    and mean instances within 2 % and the number of moves within 5 %.

    Example: sageserve validate golden/*
    """
    from sageserve_env.cli.console import output
    from sageserve_env.evaluation.golden import compare, load

    loaded = [load(folder) for folder in folders]  # bad input shows before anything runs
    width = max(len(one.case.name) for one in loaded)
    console, comparisons = output(), []
    for one in loaded:
        comparisons.append(compare(one))
        console.print(line(comparisons[-1], width), soft_wrap=True)
    for comparison in comparisons:
        if comparison.case.compare != "exact":
            console.print(*side_by_side(comparison), sep="\n")
    if not all(comparison.agrees for comparison in comparisons):
        raise typer.Exit(1)


def line(comparison: Comparison, width: int) -> Text:
    """A comparison on one line."""
    from rich.text import Text

    from sageserve_env.errors import printable

    case = comparison.case
    within = f"{case.tolerance or 0:.0%}".replace("%", " %")
    texts = ("agrees", "DIFFERS") if case.compare == "exact" else (f"within {within}", f"beyond {within}: see below")
    verdict = (texts[0], "green") if comparison.agrees else (texts[1], "red")
    return Text.assemble(
        f"{printable(case.name):<{width}}  {comparison.requests:>6,} requests  ",
        f"largest difference {comparison.largest_difference_s:7.1e} s  same place {percent(comparison.same_place)}  ",
        verdict if comparison.is_checked else "other rules: see below",
    )


def percent(share: float) -> str:
    """A share in percent; 100 is said only where it is exact."""
    text = f"{100 * share:.2f}"
    return f"{'99.99' if text == '100.00' and share < 1 else text:>6} %"


def side_by_side(comparison: Comparison) -> list[Table]:
    """Latency, and instances where they change, of both simulators."""
    parts = [("seconds", comparison.figures)]
    if comparison.instances:
        parts.append(("moves, and active instances (mean)", comparison.instances))
    tables = [figure_table(f"{comparison.case.name}: {what}", figures) for what, figures in parts]
    if any(figure.theirs < 0 for figure in comparison.figures):
        tables[0].caption = "below 0: the authors' simulator serves some non-interactive requests before they arrive"
    return tables


def figure_table(title: str, figures: tuple[Figure, ...]) -> Table:
    """Figures of both simulators."""
    from sageserve_env.tables import TextTable

    made = TextTable(title, [""], ["authors'", "ours", "ours / authors'"])
    for figure in figures:
        ratio = f"{figure.ratio:.3f}" if figure.theirs > 0 else "–"
        made.add_row(figure.name, f"{figure.theirs:,.3f}", f"{figure.ours:,.3f}", ratio)
    return made
