"""Verification: action logs are played again, and what comes of it is the table. No code of a policy runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.protocol import PROTOCOL, Episode
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.leaderboard.board import Board
from sageserve_env.leaderboard.finding import Finding, Refused
from sageserve_env.leaderboard.replay import Job, replay_all
from sageserve_env.leaderboard.rules import canary_findings, copy_findings, null_findings, team_findings
from sageserve_env.leaderboard.sampling import Draw
from sageserve_env.leaderboard.submission.entry import Entry, read_entry
from sageserve_env.leaderboard.submission.episodes import MOST_LINES
from sageserve_env.leaderboard.submission.folder import EPISODES
from sageserve_env.leaderboard.submission.record import AGENT
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedEpisode, VerifiedTable, sorted_entries
from sageserve_env.leaderboard.tables.tree import frozen_tables, is_frozen, table_findings, verified_rows
from sageserve_env.world.checks import require_count

MOST_WORKERS = 256

Report = Callable[[int, int], None]
"""Told how many episodes are done, and how many there are."""


@dataclass
class Verification:
    """What a verification found.

    Attributes:
        findings: What is wrong, in order of the place.
        tables: Of each id, what the replays give.
        replayed: Episodes of each id that were played again.
        old: Entries of problems that are no more, as (entry, id): in frozen tables, and in no other.
        simulated_s: Seconds in replays, all workers together.
    """

    findings: list[Finding] = field(default_factory=list)
    tables: dict[str, VerifiedTable] = field(default_factory=dict)
    replayed: Counter[str] = field(default_factory=Counter)
    old: list[tuple[str, str]] = field(default_factory=list)
    simulated_s: float = 0.0


def verify(
    board: Board,
    names: Sequence[str] = (),
    *,
    workers: int = 1,
    checks_tables: bool = False,
    draw: Draw | None = None,
    report: Report = lambda done, jobs: None,
) -> Verification:
    """Play the action logs of a board again, and compute all numbers from that.

    Args:
        board: The leaderboard.
        names: Only these submissions: nothing is said of tables and canaries, and no table is to be written then.
        workers: Episodes at a time; changes no result.
        checks_tables: Compare the tables with those in the board.
        draw: Which episodes are played again, where not all are; of the others the tables have what was verified before.
        report: Told of every episode.

    Raises:
        InputError: There is no such board or submission, or a number is out of range.
    """
    require_count("workers", workers, 1, MOST_WORKERS)
    if draw is not None:
        require_count("sample", draw.episodes, 0, MOST_LINES)
    known = board.names()
    for name in names:
        if name not in known:
            raise InputError(f"'{name}' is no submission of '{board.root}'; it has {', '.join(known) or 'none'}")
    entries = [read_entry(board.submissions / name, board) for name in known]
    found = Verification()
    chosen = [entry for entry in entries if not names or entry.name in names]
    found.findings += [finding for entry in chosen for finding in entry.findings]
    agents = [entry for entry in chosen if entry.submission is not None and entry.submission.kind == AGENT]
    found.findings += [finding for entry in agents for finding in copy_findings(entry, entries)]
    play_current(board, chosen, found, workers, report, draw)
    if not names:
        judge(board, entries, found, checks_tables)
    found.findings.sort()
    return found


def play_current(
    board: Board, entries: Sequence[Entry], found: Verification, workers: int, report: Report, draw: Draw | None = None
) -> None:
    """Play again what was played on the problems as they are, or what is drawn of it, and make the tables of it."""
    verified = {} if draw is None else verified_rows(board)
    played: dict[tuple[str, str], list[VerifiedEpisode]] = {}
    jobs: list[Job] = []
    current = [(entry, env) for entry in entries for env in entry.episodes if entry.is_current(env, board)]
    for entry, env in current:
        played[entry.name, env] = [] if draw is None else draw.spared(entry, env, verified.get((env, entry.name)))
        jobs += jobs_of(entry, env, board, [each.episode for each in played[entry.name, env]])
    for job, row in replay_all(jobs, workers, lambda done: report(done, len(jobs))):
        if isinstance(row, Refused):
            place = f"{job.line.env}, day {job.line.day}, variant {job.line.variant}"
            found.findings.append(Refused(row.kind, f"{place}: {row}").at(f"submissions/{job.entry}/{EPISODES}"))
        else:
            played[job.entry, job.line.env].append(VerifiedEpisode.of(row))
            found.replayed[job.line.env] += 1
            found.simulated_s += row.times["wall_s"]
    for env in board.ids:
        mine = [entry for entry in entries if len(played.get((entry.name, env), ())) == len(entry.episodes.get(env, ())) > 0]
        if mine:
            found.tables[env] = table_of(env, {entry.name: (entry, played[entry.name, env]) for entry in mine}, board)


def jobs_of(entry: Entry, env: str, board: Board, spared: Sequence[Episode] = ()) -> Iterator[Job]:
    """What is to be played again of an entry's id."""
    assert entry.submission is not None
    view = entry.submission.entries[env].view
    for line in (line for line in entry.episodes[env] if line.episode not in spared):
        yield Job(entry.name, line, view, board.ground(env).problem)


def table_of(env: str, played: dict[str, tuple[Entry, list[VerifiedEpisode]]], board: Board) -> VerifiedTable:
    """The table of an id, its episodes in the order of the protocol."""
    ground, rows = board.ground(env), []
    for entry, episodes in played.values():
        given, package = entry.submission, entry.episodes[env][0].package
        assert given is not None
        view = given.entries[env].view
        ordered = tuple(sorted(episodes, key=lambda each: ground.held_out.index(each.episode)))
        rows.append(VerifiedEntry(entry.name, given.kind, given.team, package, view, ordered))
    head = env, ground.problem.name, PROTOCOL, *ground.digests, EPISODE_SEED, len(ground.held_out)
    return VerifiedTable(*head, sorted_entries(rows))


def judge(board: Board, entries: Sequence[Entry], found: Verification, checks_tables: bool) -> None:
    """What can be told only of the board as a whole."""
    for env in board.ids:
        if env in found.tables or env in board.pinned:
            found.findings += canary_findings(board, env, found.tables.get(env))
        if env in found.tables:
            found.findings += null_findings(board, found.tables[env])
    found.findings += team_findings([entry.submission for entry in entries if entry.submission is not None])
    frozen, wrong = frozen_tables(board)
    for entry in entries:
        for env in (env for env in entry.episodes if not entry.is_current(env, board)):
            found.old.append((entry.name, env))
            if not is_frozen(entry, env, frozen):
                message = f"{env}: it was played on another problem, and no frozen table has it; evaluate it anew, or remove it"
                found.findings.append(Finding(f"{entry.where}/{EPISODES}", "digest", message))
    if checks_tables:
        found.findings += [*wrong, *table_findings(board, found.tables)]
