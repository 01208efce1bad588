"""``sageserve evaluate``: a policy on the held-out episodes of a problem, by the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sageserve_env.cli.options import QuietOption


def evaluate(
    policy: Annotated[
        str,
        typer.Option(
            "--policy", "-p", metavar="NAME|FOLDER|module:Class|FILE.py:Class", help="Who plays; options follow: :name=value."
        ),
    ],
    env: Annotated[str, typer.Option("--env", "-e", metavar="ID", help="Id of an environment.")] = "SageServe/Mini-v0",
    episodes: Annotated[
        int | None, typer.Option("--episodes", metavar="N", help="Only the first N episodes; all count for a rank.")
    ] = None,
    bound: Annotated[
        bool, typer.Option("--bound", help="Show the traffic to come to an installed policy that wants it; never ranked.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Episodes at a time; changes no result.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Result (.json); goes on from it where it is there.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Evaluate a policy by the protocol (docs/protocol.md): held-out episodes, in a process of its own that sees nothing else.

    World, traffic, reward and seeds are the problem's, and no option changes them.

    Try:

      sageserve evaluate --policy reactive --env SageServe/Mini-v0 --episodes 1 --out runs/evaluate/reactive.json
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sageserve_env.cli.console import messages, output, wrote
    from sageserve_env.cli.options import check_json
    from sageserve_env.cli.simulate import policy_options
    from sageserve_env.evaluation.locked.entrant import Entrant
    from sageserve_env.evaluation.locked.evaluate import evaluate as evaluate_policy
    from sageserve_env.evaluation.locked.protocol import held_out
    from sageserve_env.evaluation.locked.report import evaluation_tables
    from sageserve_env.registration import problem_name
    from sageserve_env.scenarios import load_problem

    problem = load_problem(problem_name(env, "--env"))
    entrant = Entrant.parse(policy, lambda words: policy_options(words, None))
    if out is not None:
        check_json("--out", out)
    columns = (TextColumn("evaluating"), BarColumn(), MofNCompleteColumn(), TextColumn("episodes"), TimeRemainingColumn())
    console = messages()
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        shown = bar.add_task("evaluating", total=len(held_out(problem)) if episodes is None else episodes)
        evaluation = evaluate_policy(
            entrant,
            problem,
            episodes=episodes,
            out=out,
            workers=workers,
            is_bound=bound,
            report=lambda found: bar.update(shown, completed=len(found.rows)),
        )
    if not quiet:
        output().print(*evaluation_tables(evaluation), sep="\n")
        if out is not None:
            wrote(out)
