"""``sageserve search``, end to end; what it finds is tested in tests/baselines/test_search.py."""

import json

import pytest

TINY = ("--day", "0", "--variant", "0", "--hours", "1", "--evaluations", "30")


def test_it_shows_what_it_found_and_goes_on_from_its_file(run, tmp_path):
    plans = tmp_path / "new" / "plans.json"
    ran = run("search", *TINY, "--out", plans)
    assert ran.status == 0, ran.err
    assert "schedules found in hindsight" in ran.out
    first = json.loads(plans.read_text())
    assert len(first["plans"]) == 1
    assert run("search", *TINY, "--out", plans, "--quiet").status == 0
    assert json.loads(plans.read_text())["plans"] == first["plans"]
    more = ("--day", "0", "--variant", "1", *TINY[4:])
    assert run("search", *more, "--out", plans, "--quiet").status == 0
    again = json.loads(plans.read_text())["plans"]
    assert [plan["episode"]["variant"] for plan in again] == [0, 1]
    assert again[0] == first["plans"][0]


def test_fleets_to_begin_with_that_are_short_of_vms_are_no_news(run, tmp_path, caplog):
    crowded = ("--env", "SageServe/Globe-v0", "--day", "2", "--variant", "2", "--hours", "2", "--evaluations", "1")
    assert run("search", *crowded, "--out", tmp_path / "plans.json").status == 0
    assert caplog.records == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "maxi"], "--env = 'maxi' does not exist"),
        (["--split", "train"], "split = 'train' of 'mini' lists no episodes"),
        (["--day", "someday"], "day = 'someday' is not in split"),
        (["--variant", "77"], "variant = 77 does not exist"),
        (["--hours", "inf"], "hours = inf"),
        (["--day", "0", "--variant", "0", "--evaluations", "0"], "evaluations = 0"),
        (["--minutes", "-1"], "--minutes = -1"),
        (["--seed", "-1"], "seed = -1"),
        (["--out", "plans.txt"], "--out = 'plans.txt' is no JSON file"),
    ],
    ids=str,
)
def test_what_cannot_be_searched_is_refused(refused, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("search", *arguments)
    assert list(tmp_path.iterdir()) == []
