"""What the pages tell, gathered from a board: its verified tables, and what submissions say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sageserve_env.errors import InputError
from sageserve_env.evaluation.problems.episodes import LEVELS
from sageserve_env.leaderboard.board import Board, Ground
from sageserve_env.leaderboard.canaries import ANCHOR, HINDSIGHT, NAMES
from sageserve_env.leaderboard.page.formats import percent
from sageserve_env.leaderboard.replay import Job
from sageserve_env.leaderboard.rules import did
from sageserve_env.leaderboard.submission.entry import Entry, read_entry
from sageserve_env.leaderboard.submission.record import Submission
from sageserve_env.leaderboard.tables.standings import Ranking, Standing, ranking
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedTable, read_table
from sageserve_env.leaderboard.tables.tree import frozen_tables
from sageserve_env.scenarios import Problem
from sageserve_env.world.schema import TIERS


@dataclass(frozen=True)
class Place:
    """A row of a problem's table.

    Attributes:
        standing: Where it stands.
        submission: What it says of itself.
        opens, closes: Whether it is the first, or the last, of its tier.
    """

    standing: Standing
    submission: Submission
    opens: bool = False
    closes: bool = False

    @property
    def name(self) -> str:
        """Of the submission."""
        return self.standing.name

    @property
    def marks(self) -> list[str]:
        """What a reader must know of it."""
        ends = {ANCHOR: "score 0", HINDSIGHT: "score 1"}
        found = ["bound"] if self.standing.entry.is_bound else []
        found += ["null"] if self.standing.is_null else ["canary"] if self.name in NAMES else []
        return found + ([ends[self.name]] if self.name in ends else [])

    @property
    def missed(self) -> str:
        """The levels that it misses, with the worst share and the level, in per cent."""
        worst, levels = self.standing.figures["missed"], dict(zip(TIERS, LEVELS, strict=True))
        parts = [f"{tier} {percent(share)} of {100 * levels[tier]:g} %" for tier, share in worst.items()]
        overfull = self.standing.figures["overfull"]
        return ", ".join(parts + ([f"{overfull} episodes cut short"] if overfull else []))


@dataclass(frozen=True)
class Group:
    """Rows that are sorted among themselves."""

    title: str
    places: list[Place]


@dataclass(frozen=True)
class Section:
    """A problem and its entries.

    Attributes:
        problem: The problem as it is now.
        found: The standings; None where nobody has entered.
        groups: Ranked policies, those that miss a level, and bounds, as far as there are any.
        jobs: By entry, the first episode of the protocol, to be played again.
    """

    problem: Problem
    found: Ranking | None
    groups: list[Group]
    jobs: dict[str, Job]

    @property
    def places(self) -> list[Place]:
        """All rows."""
        return [place for group in self.groups for place in group.places]

    @property
    def best(self) -> Place | None:
        """The first ranked policy."""
        return next((place for place in self.places if place.standing.place == 1), None)

    def place(self, name: str) -> Place | None:
        """An entry's row; None where it has not entered."""
        return next((place for place in self.places if place.name == name), None)

    @property
    def scores_episodes(self) -> int:
        """Episodes that have both anchors."""
        scaled = [place.standing.figures["normalised"] for place in self.places]
        return max((each["episodes"] for each in scaled if each is not None), default=0)


def sections(board: Board) -> list[Section]:
    """All problems of a board.

    Raises:
        InputError: A table is of a problem that is no more, or not of the submissions as they are.
    """
    entries = {name: read_entry(board.submissions / name, board) for name in board.names()}
    return [section(board, env, entries) for env in board.ids]


def section(board: Board, env: str, entries: dict[str, Entry]) -> Section:
    """A problem of a board."""
    ground, path = board.ground(env), board.table_file(env)
    if not path.is_file():
        return Section(ground.problem, None, [], {})
    table = read_table(path)
    if table.digests != ground.digests:
        raise InputError(f"'{path}' is of a problem that is no more; run sageserve leaderboard verify")
    jobs = {each.name: job_of(each, entries.get(each.name), ground, table) for each in table.entries}
    found = ranking(table)
    submissions = {name: entry.submission for name, entry in entries.items() if entry.submission is not None}
    return Section(ground.problem, found, list(groups(found, submissions)), jobs)


def job_of(verified: VerifiedEntry, entry: Entry | None, ground: Ground, table: VerifiedTable) -> Job:
    """The first episode of an entry.

    Raises:
        InputError: The submission is gone, or has other actions than those that were verified.
    """
    actions = [each.actions for each in verified.episodes]
    if entry is None or entry.submission is None or did(entry, table.env) != actions:
        message = f"{table.env}: the submission '{verified.name}' is not what the verified table has"
        raise InputError(f"{message}; run sageserve leaderboard verify")
    line, view = entry.episodes[table.env][0], entry.submission.entries[table.env].view
    return Job(entry.name, line, view, ground.problem)


def groups(found: Ranking, submissions: dict[str, Submission]) -> Iterator[Group]:
    """The rows of a ranking."""
    titled = {
        "Feasible policies": found.ranked,
        "Policies that miss a level": found.infeasible,
        "Bounds, which know the future": found.bounds,
    }
    for title, standings in titled.items():
        tiers = [each.tier for each in standings]
        rows = [
            Place(each, submissions[each.name], tiers[:n].count(each.tier) == 0, tiers[n + 1 :].count(each.tier) == 0)
            for n, each in enumerate(standings)
        ]
        if rows:
            yield Group(title, rows)


def old_rankings(board: Board) -> list[Ranking]:
    """The standings of frozen tables.

    Raises:
        InputError: One was edited.
    """
    tables, wrong = frozen_tables(board)
    if wrong:
        raise InputError(str(wrong[0]))
    return [ranking(table) for table in tables]
