"""``sageserve evaluate``, end to end; the evaluation itself is tested in tests/evaluation/locked."""

import json
from pathlib import Path

import pytest

ENTRANTS = Path(__file__).parents[2] / "evaluation" / "locked" / "entrants.py"


def test_it_shows_the_summary_and_goes_on_from_its_file(run, tmp_path):
    out = tmp_path / "new" / "static.json"
    ran = run("evaluate", "--policy", "static:instances=3", "--env", "SageServe/Azure-v0", "--episodes", 1, "--out", out)
    assert ran.status == 0, ran.err
    for text in ("protocol v1", "1 of 20: not complete, unranked", "IW-F in time", "conv"):
        assert text in ran.out
    first = json.loads(out.read_text())
    assert first["policy"]["options"]["instances"] == "3"
    again = run(
        "evaluate", "--policy", "static:instances=3", "--env", "SageServe/Azure-v0", "--episodes", 2, "--out", out, "--quiet"
    )
    assert (again.status, again.out) == (0, "")
    assert json.loads(out.read_text())["episodes"][:1] == first["episodes"]


def test_an_agent_that_draws_is_shown_both_ways_and_in_pictures(run, tmp_path):
    policy, out = f"{ENTRANTS}:MayDraw", tmp_path / "r.json"
    ran = run(
        "evaluate", "-p", policy, "--env", "SageServe/Mini-v0", "--episodes", 1, "--sampled", "-o", out, "--figures", tmp_path
    )
    assert ran.status == 0, ran.err
    likeliest, sampled = (json.loads(path.read_text()) for path in (out, tmp_path / "r.sampled.json"))
    assert (likeliest["policy"]["options"], sampled["policy"]["options"]) == ({}, {"sampled": "True"})
    assert likeliest["episodes"][0]["actions"] != sampled["episodes"][0]["actions"]
    assert sum(line.startswith(" dollars") for line in ran.out.splitlines()) == 1
    assert {"days.png", "profile.png", "service.png"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "orcale"], "policy = 'orcale' is not known"),
        (["--policy", "mine.py:Agent"], "'mine.py' is no file"),
        (["--policy", "mine.py"], "names no class"),
        (["--policy", ""], "policy = ''"),
        (["--policy", "oracle"], "knows the future"),
        (["--policy", "reactive", "--bound"], "--bound: 'reactive'"),
        (["--policy", "reactive", "--env", "maxi"], "--env = 'maxi' does not exist"),
        (["--policy", "reactive", "--episodes", "21"], "episodes = 21"),
        (["--policy", "reactive", "--workers", "0"], "workers = 0"),
        (["--policy", "reactive", "--out", "log.txt"], "--out = 'log.txt' is no JSON file"),
        (["--policy", "reactive", "--sampled"], "unexpected keyword argument 'sampled'"),
        (["--policy", f"{ENTRANTS}:MayDraw:sampled=true", "--sampled"], "leave out --sampled"),
        (["--policy", "reactive", "--actions"], "give --out FILE.json, too"),
        (["--policy", "reactive", "--seed", "3"], "--seed"),
        (["--policy", "reactive", "--world", "published"], "--world"),
    ],
    ids=str,
)
def test_what_cannot_be_evaluated_is_refused(refused, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("evaluate", *arguments)
    assert list(tmp_path.iterdir()) == []
