"""``sageserve validate``: this simulator against recorded outputs of the authors' simulator, or against measured silicon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from sageserve_env.evaluation.golden.compare import Comparison, Figure
    from sageserve_env.evaluation.silicon.replay import Replay


def validate(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR...", help="Folders with case.yaml, trace.csv, requests.csv.")
    ] = None,
    silicon: Annotated[bool, typer.Option("--silicon", help="Replay the measured runs that the package has instead.")] = False,
    only: Annotated[str | None, typer.Option("--only", metavar="TEXT", help="With --silicon: deployments with this text.")] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="With --silicon: draw ours against measured: .png, .svg, .pdf."),
    ] = None,
) -> None:
    """Compare with recorded outputs of the authors' simulator; status 0 only if all that can be compared agree.

    Cases of "compare: exact" agree where every timestamp of every request is within 1e-6 s and every request is in the same region
    and instance. Other cases are shown side by side: latency of fixed fleets must agree within 5 %; of fleets that scale, latency
    and mean instances within 2 % and the number of moves within 5 %.

    With --silicon, every measured run of a fitted deployment is replayed as a closed loop of its users; status 0 only if the median
    errors over the held-out runs of dense models are at most 5 % of TPOT and 20 % of TTFT.

    Example: sageserve validate golden/*
    """
    from sageserve_env.errors import InputError

    if silicon == bool(folders):
        raise InputError("validate: give folders of the authors' outputs, or --silicon alone")
    if not silicon and (only is not None or figure is not None):
        raise InputError("validate: --only and --figure go with --silicon; add it")
    agree = validate_silicon(only, figure) if silicon else validate_folders(folders or [])
    if not agree:
        raise typer.Exit(1)


def validate_folders(folders: list[Path]) -> bool:
    """Print each case beside ours; whether all that can be compared agree."""
    from sageserve_env.cli.console import output
    from sageserve_env.evaluation.golden.compare import compare, load

    loaded = [load(folder) for folder in folders]  # bad input shows before anything runs
    width = max(len(one.case.name) for one in loaded)
    console, comparisons = output(), []
    for one in loaded:
        comparisons.append(compare(one))
        console.print(line(comparisons[-1], width), soft_wrap=True)
    for comparison in comparisons:
        if comparison.case.compare != "exact":
            console.print(*side_by_side(comparison), sep="\n")
    return all(comparison.agrees for comparison in comparisons)


def validate_silicon(only: str | None, figure: Path | None) -> bool:
    """Replay measured runs, print errors by deployment and draw them; whether dense models are within what they may be."""
    from sageserve_env.cli.console import output, status, wrote
    from sageserve_env.errors import InputError
    from sageserve_env.evaluation.silicon.figure import plot_replays
    from sageserve_env.evaluation.silicon.replay import MOST_TPOT_ERROR, MOST_TTFT_ERROR, held_out_errors, replay_all
    from sageserve_env.world.silicon import read_fits, read_groups

    if figure is not None:
        check_figure(figure)
    fits = [fit for fit in read_fits() if only is None or only in fit.deployment.label]
    if not fits:
        raise InputError(f"--only = '{only}': no fitted deployment has this text; sageserve world fit lists them")
    with status("replaying measured runs"):
        replays = list(replay_all(read_groups(), fits))
    console = output()
    console.print(silicon_table(replays))
    within = True
    for name, dense in (("dense models", True), ("mixtures of experts", False)):
        tpot, ttft = held_out_errors(replays, dense)
        if tpot == tpot:  # there are some
            console.print(f"{name}, held-out runs: median error of TPOT {tpot:.1%}, of TTFT {ttft:.1%}")
            within &= not dense or (tpot <= MOST_TPOT_ERROR and ttft <= MOST_TTFT_ERROR)
    if figure is not None:
        wrote(plot_replays(replays, figure))
    return within


def check_figure(path: Path) -> None:
    """Refuse, before anything is replayed, a picture that could not be drawn.

    Raises:
        InputError: Its folder does not exist, or matplotlib does not know its suffix.
        MissingExtra: matplotlib is not installed.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.pictures import new_figure

    if not path.absolute().parent.is_dir():
        raise InputError(f"--figure = '{path}': folder {path.parent} does not exist; create it first")
    new_figure(path, (1.0, 1.0))


def silicon_table(replays: list[Replay]) -> Table:
    """Median errors of each deployment, of the runs that its fit saw / of those that it did not."""
    import numpy as np

    from sageserve_env.tables import TextTable

    made = TextTable("Measured runs, replayed", ["measured"], ["runs", "TPOT error", "TTFT error"])
    for replay in replays:
        (tpot, ttft), (tpot_held, ttft_held) = (replay.errors(held_out) for held_out in (False, True))
        made.add_row(
            replay.fit.deployment.label,
            f"{len(tpot)} / {len(tpot_held)}",
            f"{np.median(tpot):.1%} / {np.median(tpot_held):.1%}",
            f"{np.median(ttft):.0%} / {np.median(ttft_held):.0%}",
        )
    return made


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
