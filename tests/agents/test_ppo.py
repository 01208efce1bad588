"""Training: checkpoints, resuming, determinism, clear errors."""

import json

import pytest

from sageserve_env.errors import InputError
from tests.cli.helpers import sageserve

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

from agents import ppo

SMALL = ppo.Settings(n_envs=2, n_steps=12, batch_size=12, n_epochs=1, hidden=8)
HOUR = {"horizon_s": 3600.0}


def weights(model):
    return {name: value.tolist() for name, value in model.policy.state_dict().items()}


def test_the_same_seed_gives_the_same_weights(tmp_path):
    runs = [ppo.train("mini", tmp_path / str(k), steps=48, seed=3, settings=SMALL, **HOUR) for k in range(2)]
    assert weights(runs[0]) == weights(runs[1])
    other = ppo.train("mini", tmp_path / "other", steps=48, seed=4, settings=SMALL, **HOUR)
    assert weights(runs[0]) != weights(other)


def test_a_run_that_was_cut_goes_on_from_its_checkpoint(tmp_path):
    ppo.train("mini", tmp_path, steps=24, settings=SMALL, **HOUR)
    kept = weights(ppo.read_model(tmp_path / ppo.MODEL))
    model = ppo.train("mini", tmp_path, steps=72, settings=SMALL, resume=True, **HOUR)
    assert model.num_timesteps == 72
    assert weights(model) != kept
    steps = [json.loads(line)["steps"] for line in (tmp_path / ppo.LOG).read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == 72


def test_bad_checkpoints_are_named(tmp_path):
    with pytest.raises(InputError, match="there is no checkpoint"):
        ppo.train("mini", tmp_path, steps=24, settings=SMALL, resume=True)
    (tmp_path / ppo.MODEL).write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        ppo.train("mini", tmp_path, steps=24, settings=SMALL, resume=True)
    with pytest.raises(InputError, match="is there already"):
        ppo.train("mini", tmp_path, steps=24, settings=SMALL)


def test_scores_are_those_of_the_score_table(tmp_path):
    """The starting fleet of Mini, held for an hour of each test day, costs its VM-hours and what it breaches."""
    held = ppo.evaluate("mini", lambda observation, mask: [1, 1, 1], max_delta=1, **HOUR)
    assert held["vm_usd"] == pytest.approx(9 * 12.29)
    assert held["total_usd"] == held["vm_usd"] + held["breach_usd"]


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--env", "SageServe/Mni-v0"], "SageServe/Mini-v0"), (["--algo", "dqn"], "ppo"), (["--steps", "0"], "0")],
)
def test_the_command_refuses_what_it_does_not_know(capsys, options, named):
    ran = sageserve(capsys, "train", *options)
    assert ran.status != 0
    assert named in ran.err
