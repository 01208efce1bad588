"""``sageserve dataset``, end to end; the recording itself is tested in tests/datasets."""

import json

import pytest


def test_it_writes_a_dataset_that_loads(run, tmp_path, monkeypatch):
    given = ["dataset", "-p", "static:instances=3", "--episodes", 2, "--mix", "random=0.5,expert=0.5", "--out", tmp_path]
    ran = run(*given, "--name", "held-v1")
    assert ran.status == 0, ran.err
    facts = json.loads((tmp_path / "sageserve" / "mini" / "held-v1" / "provenance.json").read_text())
    assert (facts["policy"], facts["options"]["instances"]) == ("static", "3")
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert minari.load_dataset("sageserve/mini/held-v1").total_episodes == 2
    assert "sageserve/mini/held-v1" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "orcale"], "policy = 'orcale' is not known"),
        (["--policy", "oracle:throughput=[[20000.0]]"], "knows the future"),
        (["--env", "maxi"], "--env = 'maxi' does not exist"),
        (["--episodes", "0"], "episodes = 0"),
        (["--mix", "expert=0.5"], "makes 0.5, not 1"),
        (["--split", "test"], "split = 'test'"),
        (["--name", "Held"], "--name = 'Held' is no name of a dataset"),
        (["--seed", "-1"], "--seed = -1"),
    ],
    ids=str,
)
def test_what_cannot_be_recorded_is_refused(refused, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("dataset", *arguments)
    assert list(tmp_path.iterdir()) == []
