"""The tables in a board: compared with what the replays give, written, and frozen once their problem is no more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.files.writing import write_text
from sageserve_env.leaderboard.board import OLD, VERIFIED, Board
from sageserve_env.leaderboard.finding import Finding
from sageserve_env.leaderboard.rules import did
from sageserve_env.leaderboard.submission.entry import Entry
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedTable, read_table


def frozen_tables(board: Board) -> tuple[list[VerifiedTable], list[Finding]]:
    """Tables of problems that are no more, those that are about to be frozen among them, and what is wrong with them."""
    tables, wrong = [], []
    for path in [*sorted((board.verified / OLD).glob("*.json")), *sorted(board.verified.glob("*.json"))]:
        where = path.relative_to(board.root).as_posix()
        try:
            table = read_table(path)
        except InputError as error:
            wrong.append(Finding(where, "table", str(error).replace(f"{board.root}/", "")))
            continue
        if path.parent.name == OLD and path.name != frozen_name(table):
            wrong.append(Finding(where, "table", "it has not the name of its digests; restore it"))
        elif not is_of_now(table, board):
            tables.append(table)
    return tables, wrong


def is_frozen(entry: Entry, env: str, frozen: Sequence[VerifiedTable]) -> bool:
    """Whether a frozen table has what an entry did."""
    line = entry.episodes[env][0]
    digests = line.problem_digest, line.dynamics_digest
    rows = [table.entry(entry.name) for table in frozen if table.env == env and table.digests == digests]
    return any(row is not None and [each.actions for each in row.episodes] == did(entry, env) for row in rows)


def frozen_name(table: VerifiedTable) -> str:
    """File of a table once its problem is no more."""
    return f"{table.problem}-{table.problem_digest[:8]}-{table.dynamics_digest[:8]}.json"


def table_findings(board: Board, tables: dict[str, VerifiedTable]) -> Iterator[Finding]:
    """Where the tables in the board are not those of the replays."""
    expected = {board.table_file(env).name: table for env, table in tables.items()}
    there = {path.name for path in board.verified.glob("*.json")}
    for name in sorted(there | set(expected)):
        where, path = f"{VERIFIED}/{name}", board.verified / name
        if name not in there:
            yield Finding(where, "table", "it is not there; run sageserve leaderboard verify")
        elif name not in expected:
            yield Finding(where, "table", "no entry is of its problem any more; run sageserve leaderboard verify, which freezes it")
        else:
            yield from row_findings(where, path, expected[name])


def row_findings(where: str, path: Path, expected: VerifiedTable) -> Iterator[Finding]:
    """Where a table in the board is another one than expected."""
    kept = readable(path)
    if kept is None:
        return  # told by frozen_tables
    if kept.digests != expected.digests:
        yield Finding(
            where, "table", "it is of another problem than the present one; run sageserve leaderboard verify, which freezes it"
        )
        return
    for name in sorted({entry.name for entry in (*kept.entries, *expected.entries)}):
        if kept.entry(name) != expected.entry(name):
            yield Finding(where, "table", f"the row '{name}' is not what the replay gives; run sageserve leaderboard verify")


def write_tables(board: Board, tables: dict[str, VerifiedTable]) -> list[Path]:
    """Write the tables; those of problems that are no more are frozen first, as they are, in a folder of their own.

    Returns:
        Files of tables that were frozen.

    Raises:
        InputError: One cannot be written.
    """
    (board.verified / OLD).mkdir(parents=True, exist_ok=True)
    frozen = []
    for path in sorted(board.verified.glob("*.json")):
        table = readable(path)
        if table is not None and not is_of_now(table, board):
            frozen.append(board.verified / OLD / frozen_name(table))
            write_text(frozen[-1], path.read_text(encoding="utf-8"))
        path.unlink()
    for env, table in tables.items():
        table.write(board.table_file(env))
    return frozen


def readable(path: Path) -> VerifiedTable | None:
    """A table from its file; None where it is none, or was edited."""
    try:
        return read_table(path)
    except InputError:
        return None


def is_of_now(table: VerifiedTable, board: Board) -> bool:
    """Whether a table is of an id as that is now."""
    return table.env in board.ids and table.digests == board.ground(table.env).digests


def verified_rows(board: Board) -> dict[tuple[str, str], VerifiedEntry]:
    """Rows of the tables of problems as they are now, by id and name; those of a table that was edited are left out."""
    tables = [readable(path) for path in sorted(board.verified.glob("*.json"))]
    return {
        (table.env, row.name): row for table in tables if table is not None and is_of_now(table, board) for row in table.entries
    }


def write_pins(board: Board, tables: dict[str, VerifiedTable]) -> None:
    """Pin what the canaries of tables did; pins of other ids stay.

    Raises:
        InputError: They cannot be written.
    """
    pins = dict(board.pinned)
    for env, table in tables.items():
        wanted = [canary.name for canary in board.wanted(board.ground(env).problem)]
        did_what = {entry.name: entry.pin for entry in table.entries if entry.name in wanted}
        pins[env] = {"digests": list(table.digests), "canaries": did_what}
    ordered = {env: pins[env] for env in board.ids if env in pins}
    write_text(board.pins, json.dumps(ordered, indent=1) + "\n")
