"""``sageserve tune``, end to end; what it tunes is tested in tests/baselines/test_tuning.py."""

import json

import pytest

TINY = ("--policy", "reactive", "--budget", "3", "--hours", "0.5")


def test_it_shows_the_best_and_writes_a_log_that_compare_takes(run, tmp_path):
    log = tmp_path / "new" / "reactive.json"
    ran = run("tune", *TINY, "--out", log)
    assert ran.status == 0, ran.err
    assert "best of 3" in ran.out
    assert len(json.loads(log.read_text())["trials"]) == 3
    again = run("tune", *TINY, "--out", log, "--quiet")
    assert (again.status, again.out) == (0, "")
    assert run("compare", "o365-hour", "--hours", "0.05", "--policies", f"reactive:tuned={log}", "--quiet").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "orcale"], "policy = 'orcale' is not known"),
        (["--policy", "oracle"], "declares nothing to tune"),
        (["--policy", "reactive:speed=3"], "unexpected keyword argument 'speed'"),
        (["--policy", "reactive:cool_down_s"], "cool_down_s"),
        (["--env", "maxi"], "--env = 'maxi' does not exist"),
        (["--budget", "0"], "budget = 0"),
        (["--seed", "-1"], "seed = -1"),
        (["--hours", "nan"], "hours = nan"),
        (["--hours", "0.51"], "horizon_s = 1836 is no whole number of control intervals"),
        (["--workers", "0"], "workers = 0"),
        (["--out", "log.txt"], "--out = 'log.txt' is no JSON file"),
    ],
    ids=str,
)
def test_what_cannot_be_tuned_is_refused(refused, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("tune", *arguments)
    assert list(tmp_path.iterdir()) == []
