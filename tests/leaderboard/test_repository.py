"""The leaderboard of this repository: sound as far as can be told without replays, which ``sageserve leaderboard verify`` makes."""

import json
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from sageserve_env.leaderboard.board import Board
from sageserve_env.leaderboard.hidden.seeds import COMMITMENT
from sageserve_env.leaderboard.hidden.split import hidden
from sageserve_env.leaderboard.submission.entry import read_entry
from sageserve_env.leaderboard.tables.table import read_table
from sageserve_env.leaderboard.verify import verify
from sageserve_env.registration import problem_name
from sageserve_env.scenarios import Split, load_problem
from tests.leaderboard.sample import ID, short

ROOT = Path(__file__).resolve().parents[2] / "leaderboard"


def test_submissions_and_tables_can_be_read() -> None:
    board = Board(ROOT)
    for name in board.names():
        assert read_entry(board.submissions / name, board).findings == ()
    entered = {read_table(path).env for path in board.verified.glob("*.json")}
    assert entered == set(board.pinned)


def test_what_is_committed_to_can_be_played() -> None:
    facts = json.loads((ROOT / COMMITMENT).read_text())
    assert len(facts["sha256"]) == 64
    for env, episodes in facts["episodes"].items():
        assert len(hidden(load_problem(problem_name(env)), range(episodes)).episodes) == episodes


@pytest.fixture
def script(monkeypatch):
    """The script that enters references, on one short episode of Mini."""
    spec = spec_from_file_location("enter_references", ROOT / "enter_references.py")
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look there
    spec.loader.exec_module(module)
    problem = short()
    test = problem.split("test")
    only = replace(problem, splits=(*problem.splits[:2], Split("test", test.windows[:1], variants=test.variants[:1])))
    wanted = ["hold", "serve-nothing"]

    def board(root, pins) -> Board:
        return Board(root, pins, {ID: only}, lambda problem: [each for each in module.canaries(problem) if each.name in wanted])

    monkeypatch.setattr(module, "Board", board)
    return module


def test_references_are_entered_verified_and_pinned(script, tmp_path, capsys) -> None:
    """And it goes on from its results: nothing is played again."""
    (tmp_path / "board" / "submissions").mkdir(parents=True)
    arguments = ["--ids", "mini", "--only", "hold", "serve-nothing", "--workers", "1"]
    for name in ("board", "runs", "pins"):
        arguments += [f"--{name}", str(tmp_path / (f"{name}.json" if name == "pins" else name))]
    script.main(arguments)
    results = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*.json*")}
    assert len(results) == 4
    board = script.Board(tmp_path / "board", tmp_path / "pins.json")
    kinds = {each.kind for each in verify(board, checks_tables=True).findings}
    assert kinds <= {"null"}  # there are only nulls
    assert set(board.pinned[ID]["canaries"]) == {"hold", "serve-nothing"}
    tables = {path: path.read_bytes() for path in (tmp_path / "board").rglob("*") if path.is_file()}
    script.main(arguments)
    assert {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*.json*")} == results
    assert {path: path.read_bytes() for path in (tmp_path / "board").rglob("*") if path.is_file()} == tables
    assert "left out" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        script.main([*arguments, "--only", "nobody"])
    assert "nobody is none here" in capsys.readouterr().err
