"""``sageserve leaderboard``: submissions without scores, replayed, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sageserve_env.cli.options import QuietOption

if TYPE_CHECKING:
    from sageserve_env.leaderboard.board import Board
    from sageserve_env.leaderboard.finding import Finding
    from sageserve_env.leaderboard.sampling import Draw
    from sageserve_env.leaderboard.tables.standings import Ranking

app = typer.Typer(help="Submit, verify and rank policies; scores are computed from replayed actions.", no_args_is_help=True)

BoardOption = Annotated[Path, typer.Option("--board", "-b", metavar="DIR", help="The leaderboard.")]
WorkersOption = Annotated[int, typer.Option("--workers", metavar="N", help="Episodes at a time; changes no result.")]

WRONG = 1
"""Status where something is wrong with the board."""


@app.command("pack")
def pack(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The submission to write; named as it is to be called.")],
    results: Annotated[list[Path], typer.Argument(metavar="RESULT", help="Of sageserve evaluate --actions, one for each id.")],
    about: Annotated[Path, typer.Option("--about", metavar="FILE", help="YAML: who, team, license, kind, and so on.")],
) -> None:
    """Make a submission of evaluations that kept their actions (sageserve evaluate --actions).

    Example: sageserve leaderboard pack runs/fast-ppo runs/mini.json runs/day.json --about mine/about.yaml
    """
    from sageserve_env.cli.console import wrote
    from sageserve_env.leaderboard.submission.pack import pack as pack_results
    from sageserve_env.leaderboard.submission.pack import read_about

    submission = pack_results(folder, read_about(about), results)
    wrote(folder, f" ({', '.join(submission.entries)})")


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Only these; no table is written.")] = None,
    board: BoardOption = Path("leaderboard"),
    check: Annotated[bool, typer.Option("--check", help="Write no table; those in the board must be right.")] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample", metavar="N", help="Only N episodes (from 0) of rows that are as they were verified; writes no table."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Of the draw of --sample, to repeat one; else nobody knows it.")
    ] = None,
    workers: WorkersOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Play every action log again and compute all numbers from that; no policy runs. Status 1 where something is wrong.

    Example: sageserve leaderboard verify --check --workers 2
    """
    from sageserve_env.cli.console import note, output, progress, wrote
    from sageserve_env.leaderboard.report import verified_table
    from sageserve_env.leaderboard.tables.tree import write_tables
    from sageserve_env.leaderboard.verify import verify as verify_board

    chosen, given, draw = read_board(board), names or [], drawn(sample, seed)
    with progress("replaying", "episodes", None, quiet) as report:
        found = verify_board(chosen, given, workers=workers, checks_tables=check or draw is not None, draw=draw, report=report)
    if draw is not None and (found.findings or not quiet):
        note(f"{draw.episodes} of each row's episodes drawn by --seed {draw.seed}")
    if not check and not given and draw is None:
        for path in write_tables(chosen, found.tables):
            wrote(path, ", of a problem that is no more")
    if not quiet:
        output().print(verified_table(found))
    end_if_wrong(found.findings)


@app.command("add")
def add(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A submission, anywhere or where it belongs.")],
    board: BoardOption = Path("leaderboard"),
    base: Annotated[str, typer.Option("--base", metavar="COMMIT", help="What the submission was made on.")] = "HEAD",
    workers: WorkersOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Take a new submission in, once it is checked and replayed, and the checkout differs from its base in nothing else.

    Example: sageserve leaderboard add runs/fast-ppo
    """
    from sageserve_env.cli.console import progress, wrote
    from sageserve_env.leaderboard.add import add as add_submission

    chosen = read_board(board)
    with progress("replaying", "episodes", None, quiet) as report:
        found = add_submission(chosen, folder, base=base, workers=workers, report=report)
    end_if_wrong(found)
    if not quiet:
        wrote(chosen.submissions / folder.name)


@app.command("rank")
def rank(
    env: Annotated[str, typer.Argument(metavar="ID", help="Id of an environment.")],
    board: BoardOption = Path("leaderboard"),
    hidden: Annotated[
        Path | None, typer.Option("--hidden", metavar="FILE", help="Play the declared entries on the hidden split of this secret.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table.")] = False,
    workers: WorkersOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Rank the verified entries of an id: feasible policies in tiers, then the others, then bounds.

    Example: sageserve leaderboard rank SageServe/Mini-v0
    """
    import json

    from sageserve_env.cli.console import output
    from sageserve_env.leaderboard.report import ranking_table
    from sageserve_env.registration import IDS, problem_name

    chosen, name = read_board(board), IDS[problem_name(env, "ID")]
    found = rank_verified(chosen, name) if hidden is None else rank_hidden(chosen, name, hidden, workers, quiet)
    if as_json:
        typer.echo(json.dumps(found.facts(), indent=1))
    else:
        output().print(ranking_table(found, name if hidden is None else f"{name}, hidden split"))


@app.command("build")
def build(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the pages are written; new, or built before.")],
    board: BoardOption = Path("leaderboard"),
    workers: WorkersOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Write the leaderboard as static pages: for each id a table and figures, for each policy a card and a day replayed.

    Example: sageserve leaderboard build --out runs/pages
    """
    from sageserve_env.cli.console import progress, wrote
    from sageserve_env.leaderboard.page.build import build as build_pages

    chosen = read_board(board)
    with progress("replaying", "episodes", None, quiet) as report:
        written = build_pages(chosen, out, workers=workers, report=report)
    if not quiet:
        wrote(written[0], f" and {len(written) - 1} more pages")


def drawn(sample: int | None, seed: int | None) -> Draw | None:
    """The draw of a sample; None where all is played.

    Raises:
        InputError: There is a seed, and nothing to draw.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.leaderboard.sampling import Draw

    if sample is None:
        if seed is not None:
            raise InputError(f"--seed = {seed} draws nothing; add --sample N")
        return None
    return Draw(sample) if seed is None else Draw(sample, seed)


def rank_verified(board: Board, env: str) -> Ranking:
    """The ranking of the verified table.

    Raises:
        InputError: There is none, or it is of a problem that is no more.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.leaderboard.tables.standings import ranking
    from sageserve_env.leaderboard.tables.table import read_table

    table = read_table(board.table_file(env))
    if table.digests != board.ground(env).digests:
        raise InputError(f"'{board.table_file(env)}' is of a problem that is no more; run sageserve leaderboard verify")
    return ranking(table)


def rank_hidden(board: Board, env: str, secret: Path, workers: int, quiet: bool) -> Ranking:
    """The ranking of the declared entries, and of tuned reactive, on the hidden split."""
    from sageserve_env.cli.console import note, progress
    from sageserve_env.cli.policies.simulate import policy_options
    from sageserve_env.evaluation.locked.entrant import Entrant
    from sageserve_env.leaderboard.hidden.play import declared, play_hidden
    from sageserve_env.leaderboard.tables.standings import ranking

    policies = [(entry, entry.entries[env].policy) for entry in declared(board, env)]
    entrants = [(entry, Entrant.parse(policy, lambda words: policy_options(words, None))) for entry, policy in policies]
    with progress("playing", "episodes", None, quiet) as report:
        table, failed = play_hidden(board, env, entrants, secret, workers, report)
    for name, failure in failed.items():
        note(f"{name} failed, and is unranked: {failure.exception} at decision {failure.step}: {failure.message}")
    return ranking(table)


def read_board(root: Path) -> Board:
    """The board of a folder.

    Raises:
        InputError: It is none.
    """
    from sageserve_env.leaderboard.board import Board

    board = Board(root)
    board.names()
    return board


def end_if_wrong(findings: list[Finding]) -> None:
    """Say what is wrong, and end with status 1; nothing where nothing is."""
    from sageserve_env.cli.console import output
    from sageserve_env.leaderboard.report import findings_table

    if findings:
        output().print(findings_table(findings))
        raise typer.Exit(WRONG)
