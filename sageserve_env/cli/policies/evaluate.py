"""``sageserve evaluate``: a policy on the held-out episodes of a problem, by the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sageserve_env.cli.options import QuietOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from sageserve_env.cli.console import Moves
    from sageserve_env.evaluation.locked.entrant import Entrant
    from sageserve_env.evaluation.locked.result.record import Evaluation


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
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", help="Cores that simulate, or tasks of Ray; changes no result.")
    ] = 1,
    engine: Annotated[
        str,
        typer.Option("--engine", metavar="local|ray", help="Where episodes are played: here, or on a Ray cluster."),
    ] = "local",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Result (.json); goes on from it where it is there.")
    ] = None,
    sampled: Annotated[
        bool, typer.Option("--sampled", help="Play an agent both ways, likeliest and sampled; the second into FILE.sampled.json.")
    ] = False,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Draw days, profile, and cost against service here.")
    ] = None,
    actions: Annotated[
        bool, typer.Option("--actions", help="Keep what the policy did, too, beside the result (.jsonl.gz): for the leaderboard.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Evaluate a policy by the protocol (docs/protocol.md): held-out episodes, in a process of its own that sees nothing else.

    World, traffic, reward and seeds are the problem's, and no option changes them.

    Try:

      sageserve evaluate --policy reactive --env SageServe/Mini-v0 --episodes 1 --out runs/evaluate/reactive.json
    """
    from sageserve_env.cli.console import output, progress, wrote
    from sageserve_env.errors import InputError
    from sageserve_env.evaluation.locked.evaluate import evaluate as evaluate_policy
    from sageserve_env.evaluation.locked.evaluate import introduced
    from sageserve_env.evaluation.locked.protocol import LIMITS, held_out
    from sageserve_env.evaluation.locked.result.figures import draw_evaluations, require_figures
    from sageserve_env.evaluation.locked.result.logs import log_file
    from sageserve_env.evaluation.locked.result.report import evaluation_tables
    from sageserve_env.registration import problem_name
    from sageserve_env.scenarios import load_problem

    problem = load_problem(problem_name(env, "--env"))
    if actions and out is None:
        raise InputError("--actions keeps actions beside the result; give --out FILE.json, too")
    entrants, files = entries(policy, out, sampled)
    if figures is not None:
        require_figures(figures)
    for entrant in entrants[1:]:
        introduced(entrant, LIMITS, bound)  # what cannot be loaded shows before the first is played
    evaluations = []
    for entrant, file in zip(entrants, files, strict=True):
        with progress("evaluating", "episodes", episodes or len(held_out(problem)), quiet) as move:
            evaluations.append(
                evaluate_policy(
                    entrant,
                    problem,
                    episodes=episodes,
                    out=file,
                    keeps_actions=actions,
                    workers=workers,
                    engine=engine,
                    is_bound=bound,
                    report=counted(move),
                )
            )
    drawn = [] if figures is None else draw_evaluations(evaluations, figures)
    if not quiet:
        output().print(*evaluation_tables(*evaluations), sep="\n")
        written = [path for path in files if path is not None]
        for path in [*written, *(log_file(path) for path in written if actions), *drawn]:
            wrote(path)


def entries(policy: str, out: Path | None, sampled: bool) -> tuple[list[Entrant], list[Path | None]]:
    """Who plays, once or both ways, and the file of each.

    Raises:
        InputError: There is no such policy, or a file cannot be written.
    """
    from sageserve_env.cli.options import check_json
    from sageserve_env.cli.policies.simulate import policy_options
    from sageserve_env.evaluation.locked.entrant import Entrant

    entrant = Entrant.parse(policy, lambda words: policy_options(words, None))
    files = [out, *([None if out is None else out.with_suffix(".sampled.json")] if sampled else [])]
    for file in filter(None, files):
        check_json("--out", file)
    return list(entrant.both_ways()) if sampled else [entrant], files


def counted(move: Moves) -> Callable[[Evaluation], None]:
    """A report that moves a bar by the episodes of an evaluation."""
    return lambda found: move(len(found.rows))
