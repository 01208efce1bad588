"""``sageserve generalise``: policies where they were not tuned or trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sageserve_env.cli.options import QuietOption

if TYPE_CHECKING:
    from sageserve_env.evaluation.generalisation.conditions import Condition


def generalise(
    policy: Annotated[
        list[str],
        typer.Option("--policy", "-p", metavar="NAME|module:Class|FILE.py:Class", help="Who plays; may be given again."),
    ],
    home: Annotated[str, typer.Option("--from", metavar="ID", help="Where it was tuned or trained.")] = "SageServe/Mini-v0",
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="ID[@split][:level]", help="Where it is tried; by default splits, levels, Burst and Storm."),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", metavar="N", help="Only the first N days of each.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the table here (.json).")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", metavar="FILE", help="Draw a heat map (.png, .svg, .pdf).")] = None,
    quiet: QuietOption = False,
) -> None:
    """Try policies on other days, levels of traffic and problems than those they were tuned or trained on.

    Each plays in a process of its own, as under sageserve evaluate, beside reactive as it is tuned for each problem.

    Try:

      sageserve generalise --policy reactive:tuned=mini --days 1 --on mini --on mini:2 --figure runs/generalise.png
    """
    from itertools import count

    from sageserve_env.cli.console import output, progress, wrote
    from sageserve_env.cli.options import check_json
    from sageserve_env.cli.policies.simulate import policy_options
    from sageserve_env.evaluation.generalisation.conditions import Condition, usual
    from sageserve_env.evaluation.generalisation.heat_map import draw_heat_map, generalisation_tables
    from sageserve_env.evaluation.generalisation.table import generalise as generalise_policies
    from sageserve_env.evaluation.generalisation.table import write_table
    from sageserve_env.evaluation.locked.entrant import Entrant
    from sageserve_env.files.writing import require_writable
    from sageserve_env.pictures import new_figure
    from sageserve_env.registration import problem_name
    from sageserve_env.world.checks import require_count

    entrants = [Entrant.parse(text, lambda words: policy_options(words, None)) for text in policy]
    conditions = [Condition.parse(text) for text in on] if on else usual(problem_name(home, "--from"))
    if days is not None:
        require_count("--days", days, 1)
    if out is not None:
        check_json("--out", out)
    if figure is not None:
        new_figure(figure, (1.0, 1.0))
        require_writable(figure.parent)
    done = count(1)
    with progress("playing", "episodes", episodes_of(conditions, days) * (1 + len(entrants)), quiet) as move:
        cells = generalise_policies(entrants, conditions, days, report=lambda: move(next(done)))
    if out is not None:
        write_table(out, cells)
    if figure is not None:
        figure.parent.mkdir(parents=True, exist_ok=True)
        draw_heat_map(cells, figure)
    if not quiet:
        output().print(*generalisation_tables(cells), sep="\n")
        for path in filter(None, (out, figure)):
            wrote(path)


def episodes_of(conditions: list[Condition], days: int | None) -> int:
    """Episodes of one policy under conditions."""
    return sum(len(condition.episodes(condition.load(), days)) for condition in conditions)
