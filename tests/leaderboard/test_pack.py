"""From an evaluation to a submission to a verified row, by the command line; and what cannot be packed."""

import json
from pathlib import Path

import pytest
import yaml

from sageserve_env.evaluation.locked.result.logs import Logged, log_file, read_lines
from sageserve_env.leaderboard.submission.record import read_submission
from tests.cli.conftest import refused, run
from tests.leaderboard.sample import ABOUT

__all__ = ["refused", "run"]

ID = "SageServe/Azure-v0"


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Path:
    """Two episodes of Azure, made to look like all: packing reads what the result says."""
    from sageserve_env.cli.policies.simulate import policy_options
    from sageserve_env.evaluation.locked.entrant import Entrant
    from sageserve_env.evaluation.locked.evaluate import evaluate
    from sageserve_env.scenarios import load_problem

    out = tmp_path_factory.mktemp("results") / "azure.json"
    entrant = Entrant.parse("sageserve_env.leaderboard.nulls:Hold", lambda words: policy_options(words, None))
    evaluate(entrant, load_problem("azure"), episodes=2, out=out, keeps_actions=True, has_anchors=False)
    return out


@pytest.fixture
def whole(result, tmp_path) -> Path:
    """A result that says that there are two episodes."""
    out = tmp_path / "runs" / "azure.json"
    out.parent.mkdir()
    out.write_text(json.dumps(json.loads(result.read_text()) | {"held_out": 2}))
    log_file(out).write_bytes(log_file(result).read_bytes())
    return out


@pytest.fixture
def about(tmp_path) -> Path:
    path = tmp_path / "about.yaml"
    path.write_text(yaml.safe_dump(ABOUT))
    return path


def test_a_submission_has_the_actions_and_no_scores(run, whole, about, tmp_path) -> None:
    folder = tmp_path / "leaderboard" / "submissions" / "holds"
    ran = run("leaderboard", "pack", folder, whole, "--about", about)
    assert ran.status == 0, ran.err
    submission = read_submission((folder / "submission.yaml").read_text())
    assert submission.entries[ID].command == f"sageserve evaluate --policy sageserve_env.leaderboard.nulls:Hold --env {ID}"
    assert submission.entries[ID].policy == "sageserve_env.leaderboard.nulls:Hold"
    times = [row["times"] for row in json.loads(whole.read_text())["episodes"]]
    told = submission.entries[ID].decision_ms
    assert told["mean"] == pytest.approx(1e3 * sum(each["decision_mean_s"] for each in times) / len(times), abs=1e-3)
    assert told["most"] == pytest.approx(1e3 * max(each["decision_max_s"] for each in times), abs=1e-3)
    assert "usd" not in (folder / "submission.yaml").read_text()
    kept, packed = (read_lines(path) for path in (log_file(whole), folder / "episodes.jsonl.gz"))
    assert kept == packed
    assert [Logged.read(line).day for line in packed] == ["conv", "code"]


def test_the_board_says_what_is_wrong_and_ends_with_one(run, whole, about, tmp_path) -> None:
    """All but two of Azure's episodes are missing, and so are its canaries."""
    board = tmp_path / "leaderboard"
    run("leaderboard", "pack", board / "submissions" / "holds", whole, "--about", about)
    ran = run("leaderboard", "verify", "holds", "--board", board)
    assert (ran.status, "18 of 20 held-out episodes" in " ".join(ran.out.split())) == (1, True)
    assert not (board / "verified").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda out, about: log_file(out).unlink(), "cannot be read"),
        (lambda out, about: out.write_text(out.read_text().replace('"held_out": 2', '"held_out": 10')), "has 2 of 10 episodes"),
        (lambda out, about: about.write_text("who: me"), "has no"),
        (lambda out, about: about.write_text(yaml.safe_dump({**ABOUT, "usd": 1})), "what only a replay may say"),
        (lambda out, about: about.write_text(yaml.safe_dump({**ABOUT, "name": "x"})), "has name or entries"),
        (lambda out, about: about.write_text(yaml.safe_dump({**ABOUT, "kind": "bound"})), "was evaluated not as a bound"),
        (lambda out, about: about.write_text("- 1"), "holds no fields"),
        (lambda out, about: about.unlink(), "cannot be read"),
    ],
)
def test_what_cannot_be_packed_is_told(refused, whole, about, tmp_path, change, told: str) -> None:
    change(whole, about)
    assert told in refused("leaderboard", "pack", tmp_path / "new", whole, "--about", about)
    assert not (tmp_path / "new").exists()


def test_two_results_of_one_id_are_refused(refused, whole, about, tmp_path) -> None:
    assert "two results are of one id" in refused("leaderboard", "pack", tmp_path / "new", whole, whole, "--about", about)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["verify", "--board", "nowhere"], "'nowhere' is no leaderboard"),
        (["rank", "mini", "--board", "nowhere"], "'nowhere' is no leaderboard"),
        (["rank", "maxi"], "ID = 'maxi' does not exist"),
        (["add", "nowhere", "--board", "nowhere"], "'nowhere' is no leaderboard"),
    ],
)
def test_bad_input_is_one_line(refused, arguments, told: str) -> None:
    assert told in refused("leaderboard", *arguments)


def test_rank_needs_a_table(refused, tmp_path) -> None:
    (tmp_path / "submissions").mkdir()
    assert "run sageserve leaderboard verify" in refused("leaderboard", "rank", "azure", "--board", tmp_path)


def test_an_empty_board_has_nothing_wrong_but_its_canaries(run, tmp_path) -> None:
    (tmp_path / "submissions").mkdir()
    ran = run("leaderboard", "verify", "--board", tmp_path, "--quiet")
    assert ran.status in (0, 1)
    assert ("canary" in ran.out) == (ran.status == 1)
