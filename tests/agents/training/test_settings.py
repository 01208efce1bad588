"""Settings of a training: what a file changes, and what is refused by name."""

from pathlib import Path

import pytest

from sageserve_env.errors import InputError

pytest.importorskip("stable_baselines3")

from agents.training.settings import settings_for
from agents.training.train import train
from agents.training.vector import training_envs
from sageserve_env.scenarios import load_problem
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
        ("train_horizon_s: -1", "train_horizon_s = -1"),
        ("breach_factor: 0", "breach_factor = 0"),
        ("learning_rate: fast", "learning_rate"),
        ("initial_instances: [3, 2]", "initial_instances"),
        ("initial_instances: 3", "initial_instances"),
        ("scale_rewards: 1", "scale_rewards"),
        ("choose: best", "choose"),
        ("- 3", "holds no fields"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, named):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        settings_for("maskable-ppo", "mini", tmp_path / "bad.yaml")
    assert named in str(error.value)


def test_episodes_of_a_training_may_be_shorter(tmp_path):
    settings = tiny_plan(tmp_path, "maskable-ppo", 0, train_horizon_s=900.0).settings
    envs, _ = training_envs("mini", settings, 0, 1)
    assert envs.unwrapped.envs.n_steps == 3
    assert settings.scored["horizon_s"] == 3600.0
    envs.close()


def test_breaches_count_for_more_in_rewards_only():
    from agents.common.rewards import priced

    assert priced("mini", "latency-first", 1.0) == "latency-first"
    assert priced("mini", "money", 3.0).breach_prices_usd == tuple(3 * usd for usd in load_problem("mini").breach_prices_usd)
    with pytest.raises(InputError, match="not of 'vector'"):
        priced("mini", "vector", 2.0)


def test_arguments_that_an_algorithm_does_not_take_are_named(tmp_path):
    with pytest.raises(InputError, match="'horizon' is no argument of MaskablePPO"):
        train(tiny_plan(tmp_path, "maskable-ppo", 96, algorithm={"horizon": 3}), tmp_path / "run")
    with pytest.raises(InputError, match="--algo = 'a2c' is not known; choose one of ppo, maskable-ppo"):
        settings_for("a2c", "mini")


def test_the_documented_settings_are_some(tmp_path):
    page = (Path(__file__).resolve().parents[3] / "docs" / "learning.md").read_text(encoding="utf-8")
    (tmp_path / "documented.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    settings = settings_for("maskable-ppo", "mini", tmp_path / "documented.yaml")
    assert (settings.frame_stack, settings.initial_instances, settings.train_horizon_s) == (4, (1, 8), 43200)
