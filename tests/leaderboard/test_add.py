"""New submissions: what is refused, what comes in, and that nothing else may change."""

import shutil
import subprocess

import pytest

from sageserve_env.errors import InputError
from sageserve_env.leaderboard.add import add
from tests.leaderboard.sample import Sample, enter, grows, short


def git(sample: Sample, *words: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, "-C", str(sample.root.parent), *words], check=True, capture_output=True)


@pytest.fixture
def checkout(sample, monkeypatch) -> Sample:
    """The sample in a git checkout."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(sample, "init", "-q")
    git(sample, "add", "-A")
    git(sample, "commit", "-qm", "board")
    return sample


@pytest.fixture
def new(whole, tmp_path_factory):
    """A submission outside of any board."""
    outside = whole.copy(tmp_path_factory.mktemp("new") / "board")
    enter(outside.board(), "new", grows(-1))
    return outside.folder("new")


def test_it_is_copied_in(checkout, new) -> None:
    assert add(checkout.board(), new) == []
    assert sorted(path.name for path in checkout.folder("new").iterdir()) == ["episodes.jsonl.gz", "submission.yaml"]
    assert add(checkout.board(), checkout.folder("new")) == []  # it may lie where it belongs
    with pytest.raises(InputError, match="is there already"):
        add(checkout.board(), new)


def test_what_else_changes_is_named(checkout, new) -> None:
    (checkout.root / "canaries.json").write_text("{}")
    (checkout.root.parent / "notes.txt").write_text("")
    (finding,) = add(checkout.board(), new)
    assert (finding.kind, finding.where) == ("elsewhere", "submissions/new")
    assert "'leaderboard/canaries.json', 'notes.txt' changed, too" in finding.message
    assert not checkout.folder("new").exists()


def test_commits_since_the_base_count(checkout, new) -> None:
    git(checkout, "branch", "base")
    checkout.say("who: Ada", "who: Eve", "other")
    shutil.copytree(new, checkout.folder("new"))
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "mine")
    assert add(checkout.board(), checkout.folder("new")) == []
    (finding,) = add(checkout.board(), checkout.folder("new"), base="base")
    assert "'leaderboard/submissions/other/submission.yaml' changed" in finding.message


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda board: board.change(0, "new", seed=7), "seed"),
        (lambda board: board.write(board.lines("new")[:3], "new"), "missing"),
        (lambda board: (board.folder("new") / "ppo.zip").write_bytes(b"PK"), "weights"),
        (lambda board: (board.folder("new") / "more.md").write_bytes(b"x" * 10_000_001), "size"),
        (lambda board: board.say("who:", "usd: 3\nwho:", "new"), "score"),
        (lambda board: board.change(1, "new", outcomes="0" * 32), "outcomes"),
        (lambda board: board.write(board.lines("other"), "new"), "copy"),
    ],
)
def test_what_is_wrong_stays_out(checkout, new, change, kind: str) -> None:
    change(Sample(new.parents[1]))
    assert [each.kind for each in add(checkout.board(), new)] == [kind]
    assert not checkout.folder("new").exists()


def test_nobody_takes_a_canarys_name(checkout, new) -> None:
    forged = new.rename(new.with_name("hold"))
    Sample(new.parents[1]).say("name: new", "name: hold", "hold")
    assert [each.kind for each in add(checkout.board(), forged)] == ["canary"]


def test_a_team_declares_one_entry(checkout, new) -> None:
    checkout.say("hidden: false", "hidden: true")
    git(checkout, "commit", "-qam", "declared")
    Sample(new.parents[1]).say("hidden: false", "hidden: true", "new")
    assert [each.kind for each in add(checkout.board(), new)] == ["team"]


def test_what_was_played_on_another_problem_is_evaluated_anew(checkout, new) -> None:
    assert [each.kind for each in add(checkout.board(short(1200.0)), new)] == ["digest"]


def test_without_a_checkout_nobody_can_tell(sample, new, tmp_path) -> None:
    with pytest.raises(InputError, match="git rev-parse"):
        add(sample.board(), new)
    with pytest.raises(InputError, match="is no folder"):
        add(sample.board(), tmp_path / "nowhere")
