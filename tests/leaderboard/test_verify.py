"""Verification: the same bytes each time, only what is asked for, and no table of two problems."""

import json
from dataclasses import replace

import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.leaderboard.replay import Job, environment, replay
from sageserve_env.leaderboard.tables.table import read_table
from sageserve_env.leaderboard.tables.tree import write_pins, write_tables
from sageserve_env.leaderboard.verify import verify
from tests.leaderboard.sample import DECIDES, ID, MINE, OTHER, Sample, enter, short


def tables(sample: Sample) -> dict[str, bytes]:
    return {path.relative_to(sample.root).as_posix(): path.read_bytes() for path in sorted(sample.root.glob("verified/**/*.json"))}


def test_another_run_gives_the_same_bytes(sample) -> None:
    before = tables(sample)
    board = sample.board()
    write_tables(board, verify(board, workers=2).tables)
    assert tables(sample) == before
    assert list(before) == ["verified/mini.json"]


def test_a_replay_gives_the_terms_of_the_episode(whole) -> None:
    """Played with the same actions by hand."""
    ground, line = whole.board().ground(ID), whole.lines()[2]
    row = replay(environment(Job(MINE, line, {}, ground.problem)), line)
    env = FleetEnv(problem=ground.problem, split="test")
    env.reset(seed=2025, options={"day": "one", "variant": 1})
    for step in range(3):
        env.step(DECIDES[MINE](env, step)["action"])
    assert row.terms == env.episode_terms
    entry = read_table(whole.root / "verified" / "mini.json").entry(MINE)
    assert entry.episodes[2].terms == {name: round(value, 6) for name, value in row.terms.items()}


def test_only_the_named_are_verified(sample) -> None:
    sample.change(0, seed=7)
    assert verify(sample.board(), [OTHER]).findings == []
    assert [each.kind for each in verify(sample.board(), [MINE]).findings] == ["seed"]
    with pytest.raises(InputError, match="'nobody' is no submission"):
        verify(sample.board(), ["nobody"])
    with pytest.raises(InputError, match="workers = 0"):
        verify(sample.board(), workers=0)


def test_what_is_wrong_with_one_leaves_the_others_in_the_table(sample) -> None:
    sample.change(0, seed=7)
    found = verify(sample.board())
    assert [entry.name for entry in found.tables[ID].entries] == ["least-fleet", OTHER, "serve-nothing"]


def test_a_bound_may_lack_episodes(sample) -> None:
    sample.write(sample.lines()[:2])
    sample.say("kind: agent", "kind: bound")
    found = verify(sample.board())
    assert found.findings == []
    assert len(found.tables[ID].entry(MINE).episodes) == 2


def test_when_the_problem_changes_its_table_is_frozen_and_nothing_is_mixed(sample) -> None:
    before = tables(sample)["verified/mini.json"]
    longer = short(1200.0)
    (checked,) = [each for each in verify(sample.board(longer), checks_tables=True).findings if each.kind == "table"]
    assert "which freezes it" in checked.message
    board = sample.board(longer)
    found = verify(board)
    assert {each.kind for each in found.findings} == {"canary"}  # all are of the old problem
    assert sorted(found.old) == [(name, ID) for name in sorted(DECIDES)]
    (frozen,) = write_tables(board, found.tables)
    assert tables(sample) == {frozen.relative_to(sample.root).as_posix(): before}
    again(sample, longer)
    assert verify(sample.board(longer), checks_tables=True).findings == []
    table = read_table(sample.root / "verified" / "mini.json")
    assert [entry.name for entry in table.entries] == ["least-fleet", OTHER, "serve-nothing"]
    assert len(table.entries[0].episodes[0].terms) > 0
    assert table.entries[0].episodes[0].steps == 4


def again(sample: Sample, problem) -> None:
    """Enter all but one of the entries on another problem."""
    for name in (OTHER, "least-fleet", "serve-nothing"):
        for path in sample.folder(name).iterdir():
            path.unlink()
        sample.folder(name).rmdir()
        enter(sample.board(problem), name, DECIDES[name])
    board = sample.board(problem)
    found = verify(board)
    write_tables(board, found.tables)
    write_pins(board, found.tables)


def test_an_old_entry_that_is_not_what_was_frozen_is_told(sample) -> None:
    longer = short(1200.0)
    board = sample.board(longer)
    write_tables(board, verify(board).tables)
    again(sample, longer)
    lines = sample.lines()
    sample.write([replace(line, log=lines[1].log) for line in lines[:1]] + lines[1:])
    assert verify(sample.board(longer)).findings == []  # the same actions: it holds the fleet in both
    (path,) = (sample.root / "verified" / "old").glob("*.json")
    facts = json.loads(path.read_text())
    facts["entries"] = [entry for entry in facts["entries"] if entry["name"] != MINE]
    path.write_text(json.dumps(facts))
    kinds = [each.kind for each in verify(sample.board(longer), checks_tables=True).findings]
    assert kinds == ["digest", "table"]


def test_a_folder_without_submissions_is_no_board(tmp_path) -> None:
    from sageserve_env.leaderboard.board import Board

    with pytest.raises(InputError, match="is no leaderboard"):
        verify(Board(tmp_path))
