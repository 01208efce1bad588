"""What holds for a board as a whole: canaries are there and as they were, nulls lead nothing, nobody copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf

import numpy as np

from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.statistics import interquartile_mean
from sageserve_env.leaderboard.board import VERIFIED, Board
from sageserve_env.leaderboard.canaries import NULLS
from sageserve_env.leaderboard.finding import Finding
from sageserve_env.leaderboard.submission.entry import Entry
from sageserve_env.leaderboard.submission.folder import EPISODES
from sageserve_env.leaderboard.submission.record import AGENT, Submission
from sageserve_env.leaderboard.tables.standings import rows_of
from sageserve_env.leaderboard.tables.table import VerifiedTable


def canary_findings(board: Board, env: str, table: VerifiedTable | None) -> Iterator[Finding]:
    """Canaries of an id that are not there, or did something else than is pinned."""
    ground, where = board.ground(env), f"{VERIFIED}/{board.table_file(env).name}"
    wanted = [canary.name for canary in board.wanted(ground.problem)]
    pins = board.pinned.get(env, {"digests": None, "canaries": {}})
    for name in sorted({*wanted, *pins["canaries"]}):
        entry = table.entry(name) if table is not None else None
        if entry is None:
            yield Finding(where, "canary", f"the canary '{name}' is not there; run leaderboard/enter_references.py")
        elif tuple(pins["digests"] or ()) == ground.digests and entry.pin != pins["canaries"].get(name):
            yield Finding(where, "canary", f"the canary '{name}' did something else than is pinned; restore it")
    if tuple(pins["digests"] or ()) != ground.digests:
        yield Finding(where, "canary", "its canaries are not pinned for the present problem; run leaderboard/enter_references.py")


def null_findings(board: Board, table: VerifiedTable) -> Iterator[Finding]:
    """Nulls that are better than every policy of use in some column."""
    where = f"{VERIFIED}/{board.table_file(table.env).name}"
    for column, values in columns(table).items():
        nulls = {name: value for name, value in values.items() if name in NULLS}
        others = [value for name, value in values.items() if name not in NULLS]
        leader = min(nulls, key=lambda name: nulls[name], default=None)
        if leader is not None and nulls[leader] < min(others, default=inf):
            yield Finding(where, "null", f"'{leader}' leads the column '{column}'; the problem pays for what is of no use")


def columns(table: VerifiedTable) -> dict[str, dict[str, float]]:
    """What policies come to, less is better, in each column that counts money and service together; bounds aside.

    Columns of one side only, such as dollars for VMs or attainment, have a trivial leader: serving nothing, or with all there is.
    """
    rows = {entry.name: rows_of(entry, table) for entry in table.entries if not entry.is_bound}
    made: dict[str, dict[str, float]] = {"dollars": {}, "dollars of feasible policies": {}, "score": {}, "interquartile mean": {}}
    for name, mine in rows.items():
        made["dollars"][name] = mean_usd(mine)
        if all(row.score.is_feasible for row in mine):
            made["dollars of feasible policies"][name] = mean_usd(mine)
        scaled = [row for row in mine if row.normalised is not None]
        if scaled:
            made["score"][name] = mean_usd(scaled)  # between the same anchors for all, so in the order of dollars
            made["interquartile mean"][name] = -interquartile_mean([row.normalised or 0.0 for row in scaled])
        for day in dict.fromkeys(str(row.episode["day"]) for row in mine):
            made.setdefault(f"dollars of {day}", {})[name] = mean_usd([row for row in mine if row.episode["day"] == day])
    return made


def mean_usd(rows: Sequence[Row]) -> float:
    """Mean dollars of episodes."""
    return float(np.mean([row.score.usd for row in rows]))


def team_findings(submissions: Sequence[Submission]) -> Iterator[Finding]:
    """Teams that declare several entries for the hidden split of an id."""
    declared = [(each, env) for each in submissions if each.hidden for env in each.entries]
    counts = Counter((each.team, env) for each, env in declared)
    for each, env in declared:
        if (count := counts[each.team, env]) > 1:
            message = f"team '{each.team}' declares {count} entries for the hidden split of {env}; declare one"
            yield Finding(f"submissions/{each.name}/submission.yaml", "team", message)


def copy_findings(entry: Entry, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Whether an entry did just what another one did: what an agent's did on some id, or any other's on all of them.

    Simple policies may meet on an easy problem, so a reference on some id is not enough.
    """
    for other in entries:
        same = [env for env in entry.episodes if other is not entry and did(entry, env) == did(other, env)]
        is_agent = other.submission is not None and other.submission.kind == AGENT
        if same and (is_agent or len(same) == len(entry.episodes)):
            yield Finding(f"{entry.where}/{EPISODES}", "copy", f"on {', '.join(same)} it did what '{other.name}' did; leave it out")


def did(entry: Entry, env: str) -> list[str]:
    """Digests of the actions of an entry in an id."""
    return [line.actions for line in entry.episodes.get(env, ())]
