"""Settings of a training: what a file changes, and what is refused by name."""

import pytest

from sageserve_env.errors import InputError

pytest.importorskip("stable_baselines3")

from agents.training.settings import settings_for
from agents.training.train import train
from tests.agents.helpers import tiny_plan


def test_a_file_changes_what_it_names(tmp_path):
    shipped = settings_for("maskable-ppo", "mini")
    (tmp_path / "mine.yaml").write_text("n_envs: 4\nlayers: [32, 16]\nalgorithm: {gamma: 0.95}\nenvironment: {forecaster: null}\n")
    mine = settings_for("maskable-ppo", "mini", tmp_path / "mine.yaml")
    assert (mine.n_envs, mine.layers, mine.algorithm["gamma"]) == (4, (32, 16), 0.95)
    assert mine.algorithm["n_steps"] == shipped.algorithm["n_steps"]
    assert "forecaster" in shipped.view
    assert mine.view == {"action_mode": "delta", "max_delta": 1}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("n_env: 3", "'n_env' is not known"),
        ("environment: {split: test}", "environment: 'split' is not known"),
        ("environment: {action_mode: target}", "action_mode = 'target'"),
        ("environment: 3", "environment = 3 is no mapping"),
        ("layers: []", "layers"),
        ("layers: [a]", "layers"),
        ("learning_rate: fast", "learning_rate"),
        ("initial_instances: [3, 2]", "initial_instances"),
        ("initial_instances: 3", "initial_instances"),
        ("scale_rewards: 1", "scale_rewards"),
        ("choose: best", "choose"),
        ("- 3", "holds no settings"),
        ("a: [", "is no YAML"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, named):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        settings_for("maskable-ppo", "mini", tmp_path / "bad.yaml")
    assert named in str(error.value)


def test_arguments_that_an_algorithm_does_not_take_are_named(tmp_path):
    with pytest.raises(InputError, match="'horizon' is no argument of MaskablePPO"):
        train(tiny_plan(tmp_path, "maskable-ppo", 96, algorithm={"horizon": 3}), tmp_path / "run")
    with pytest.raises(InputError, match="--algo = 'a2c' is not known; choose one of ppo, maskable-ppo"):
        settings_for("a2c", "mini")
