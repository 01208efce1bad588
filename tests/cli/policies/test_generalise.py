"""``sageserve generalise``, end to end; the table itself is tested in tests/evaluation/generalisation."""

import json

import pytest


def test_it_shows_writes_and_draws(run, tmp_path):
    out, figure = tmp_path / "new" / "table.json", tmp_path / "new" / "map.png"
    given = ["generalise", "-p", "static:instances=3", "--on", "azure", "--on", "azure:0.5", "--days", 1, "-o", out]
    ran = run(*given, "--figure", figure)
    assert ran.status == 0, ran.err
    for text in ("reactive, tuned there", "static:instances=3", "azure:0.5", "1.00"):
        assert text in ran.out
    assert len(json.loads(out.read_text())["cells"]) == 4
    assert figure.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "orcale"], "policy = 'orcale' is not known"),
        (["--policy", "static", "--on", "maxi"], "--on = 'maxi' does not exist"),
        (["--policy", "static", "--from", "maxi"], "--from = 'maxi' does not exist"),
        (["--policy", "static", "--days", "0"], "--days = 0"),
        (["--policy", "static", "--out", "table.txt"], "--out = 'table.txt' is no JSON file"),
        (["--policy", "static", "--figure", "map.txt"], "no picture format"),
        (["--policy", "oracle", "--on", "mini"], "knows the future"),
    ],
    ids=str,
)
def test_what_cannot_be_tried_is_refused(refused, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("generalise", *arguments)
    assert list(tmp_path.iterdir()) == []
