"""``sageserve train``."""

import json

import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

SMALL = """
environment: {horizon_s: 3600.0, forecaster: null}
n_envs: 2
layers: [8]
algorithm: {n_steps: 12, batch_size: 12, n_epochs: 1}
evaluate_every: 1000
evaluate_episodes: 2
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path / "small.yaml"


def test_seeds_are_trained_resumed_and_evaluated(run, config, tmp_path):
    words = ("train", "--algo", "maskable-ppo", "--config", config, "--out", tmp_path / "run", "--seeds", "0,7")
    ran = run(*words, "--steps", 24)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.count(" of 2") == 2
    card = json.loads((tmp_path / "run" / "seed-7" / "best" / "card.json").read_text())
    assert card["training"]["command"].startswith("sageserve train --algo maskable-ppo --env SageServe/Mini-v0 --steps 24 --config")
    assert card["training"]["seed"] == 7
    assert run(*words, "--steps", 48, "--resume", "--quiet").out == ""
    log = (tmp_path / "run" / "seed-0" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["steps"] for line in log] == [0, 24, 48]
    again = run(*words, "--steps", 48)
    assert again.status == 2
    assert "add --resume" in again.err


def test_an_evolution_is_begun_resumed_and_evaluated(run, tmp_path):
    pytest.importorskip("cma")
    (tmp_path / "tiny.yaml").write_text("{generations: 1, population: 4, episodes: 1, validate_every: 1, horizon_s: 3600.0}")
    words = ("train", "--algo", "cma-es", "--config", tmp_path / "tiny.yaml", "--out", tmp_path / "run", "--seeds", "1,2")
    ran = run(*words)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.count(" of 20") == 2
    card = json.loads((tmp_path / "run" / "seed-2" / "best" / "card.json").read_text())
    assert card["training"]["command"].startswith("sageserve train --algo cma-es --env SageServe/Mini-v0 --config")
    assert (card["training"]["seed"], card["training"]["best"]["steps"]) == (2, 48)
    assert "add --resume" in run(*words).err
    assert run(*words, "--resume", "--quiet").out == ""


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--env", "SageServe/Mni-v0"], "SageServe/Mini-v0"),
        (["--algo", "a2c"], "--algo = 'a2c'; choose one of ppo, maskable-ppo"),
        (["--steps", "0"], "--steps = 0"),
        (["--algo", "cma-es", "--steps", "9"], "--steps = 9: cma-es has none"),
        (["--algo", "cem", "--config", "none.yaml"], "'none.yaml' cannot be read"),
        (["--algo", "cem", "--resume", "--out", "none"], "has no log of these seeds"),
        (["--seeds", "1,1"], "give different whole numbers"),
        (["--seeds", "a"], "is no list of seeds"),
        (["--seeds", ""], "is no list of seeds"),
        (["--parallel", "0"], "--parallel = 0"),
        (["--device", "abacus"], "--device = 'abacus'"),
        (["--config", "none.yaml"], "'none.yaml' cannot be read"),
        (["--resume", "--out", "none"], "has no checkpoint of these seeds"),
    ],
)
def test_what_cannot_be_used_is_named(refused, options, named):
    assert named in refused("train", *options)
