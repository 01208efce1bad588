"""Policies on the hidden split: the entry that each team declares, played anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sageserve_env import __version__
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import introduced
from sageserve_env.evaluation.locked.play.episode import Failure, Row
from sageserve_env.evaluation.locked.play.seat import Job, play_here
from sageserve_env.evaluation.locked.protocol import LIMITS, PROTOCOL, problem_digest
from sageserve_env.leaderboard.board import Board, Ground
from sageserve_env.leaderboard.canaries import ANCHOR
from sageserve_env.leaderboard.hidden.seeds import read_secret
from sageserve_env.leaderboard.hidden.split import Hidden, hidden
from sageserve_env.leaderboard.rules import team_findings
from sageserve_env.leaderboard.submission.entry import read_entry
from sageserve_env.leaderboard.submission.record import Submission
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedEpisode, VerifiedTable, sorted_entries
from sageserve_env.leaderboard.verify import Report


def declared(board: Board, env: str) -> list[Submission]:
    """The entry that each team declares for an id, and tuned reactive, where it is entered.

    Raises:
        InputError: A team declares several.
    """
    read = [read_entry(board.submissions / name, board).submission for name in board.names()]
    found = [each for each in read if each is not None and env in each.entries and (each.hidden or each.name == ANCHOR)]
    wrong = list(team_findings(found))
    if wrong:
        raise InputError(str(wrong[0]))
    return found


def play_hidden(
    board: Board, env: str, entrants: Sequence[tuple[Submission, Entrant]], secret: Path, workers: int, report: Report
) -> tuple[VerifiedTable, dict[str, Failure]]:
    """Play policies on the hidden split of an id.

    Args:
        board: The leaderboard.
        env: The id.
        entrants: Entries with their policies.
        secret: The file of the secret.
        workers: Threads that simulate.
        report: Told of every episode.

    Returns:
        The table of those that failed in no episode, and the first failure of each other one.

    Raises:
        InputError: The secret is not the one, it draws nothing of the id, or a policy cannot be loaded.
    """
    seeds, ground = read_secret(secret, board), board.ground(env)
    if env not in seeds:
        raise InputError(f"{env} has no hidden split; the board committed to {', '.join(seeds)}")
    split, rows, failed, total = hidden(ground.problem, seeds[env]), [], {}, len(entrants) * len(seeds[env])
    for number, (entry, entrant) in enumerate(entrants, 1):
        played = play_entrant(entrant, split, workers)
        report(number * len(played), total)
        failure = next((row.failure for row in played if row.failure is not None), None)
        if failure is not None:
            failed[entry.name] = failure
        else:
            episodes, view = tuple(map(VerifiedEpisode.of, played)), entry.entries[env].view
            rows.append(VerifiedEntry(entry.name, entry.kind, entry.team, __version__, view, episodes))
    return hidden_table(env, split, ground, rows), failed


def play_entrant(entrant: Entrant, split: Hidden, workers: int) -> list[Row]:
    """A policy's episodes, in order."""
    known = introduced(entrant, LIMITS, is_bound=False)
    job = Job(entrant, known, split.problem, LIMITS, is_bound=False, has_anchors=False)
    rows = play_here(job, zip(split.episodes, split.seeds, strict=True), workers)
    return sorted(rows, key=lambda row: split.episodes.index(row.episode))


def hidden_table(env: str, split: Hidden, ground: Ground, rows: Sequence[VerifiedEntry]) -> VerifiedTable:
    """The table of a hidden split."""
    digests = problem_digest(split.problem), ground.dynamics_digest
    return VerifiedTable(env, split.problem.name, PROTOCOL, *digests, 0, len(split.episodes), sorted_entries(rows))
