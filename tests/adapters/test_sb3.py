"""The vector environment behind Stable-Baselines3's interface."""

import warnings

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.registration import IDS

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import VecMonitor

from sageserve_env.adapters.sb3 import SB3VecEnv, make_sb3_env

HOUR = {"problem": "mini", "horizon_s": 3600.0}


@pytest.mark.parametrize("problem", IDS)
@pytest.mark.parametrize("mode", ["delta", "target"])
def test_checker_is_clean(problem, mode):
    env = FleetEnv(problem=problem, horizon_s=60.0, control_interval_s=30.0, action_mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


def test_rows_are_those_of_single_environments():
    envs = SB3VecEnv(3, **HOUR)
    assert envs.seed(7) == [7, 8, 9]
    observations = envs.reset()
    singles = [FleetEnv(**HOUR) for _ in range(3)]
    for row, env in enumerate(singles):
        np.testing.assert_array_equal(observations[row], env.reset(seed=7 + row)[0])
    rng = np.random.default_rng(0)
    returns = np.zeros(3)
    for step in range(12):
        actions = rng.integers(0, 5, (3, 3))
        observations, rewards, dones, infos = envs.step(actions)
        for row, env in enumerate(singles):
            observation, reward, _, truncated, _ = env.step(actions[row])
            assert rewards[row] == np.float32(reward)
            assert dones[row] == truncated == (step == 11)
            returns[row] += reward
            if truncated:
                assert infos[row]["TimeLimit.truncated"] is True
                np.testing.assert_array_equal(infos[row]["terminal_observation"], observation)
                assert infos[row]["episode"]["r"] == pytest.approx(returns[row])
                assert infos[row]["episode"]["l"] == 12
                np.testing.assert_array_equal(observations[row], env.reset()[0])
            else:
                assert infos[row] == {}
                np.testing.assert_array_equal(observations[row], observation)
    envs.close()


def test_masks_for_sb3_contrib():
    envs = SB3VecEnv(2, **HOUR)
    envs.reset()
    assert envs.has_attr("action_masks")
    masks = np.stack(envs.env_method("action_masks"))
    np.testing.assert_array_equal(masks, envs.envs.action_masks())
    assert len(envs.env_method("action_masks", indices=[1])) == 1
    with pytest.raises(InputError, match="env_method"):
        envs.env_method("fly")


def test_options_reach_the_reset():
    envs = SB3VecEnv(2, **HOUR)
    envs.seed(0)
    envs.set_options({"initial_instances": 2})
    envs.reset()
    assert {envs.envs._engine.telemetry(row).active.sum() for row in range(2)} == {6}


@pytest.mark.parametrize("wrap", [lambda envs: envs, VecMonitor])
def test_ppo_learns_a_few_steps(wrap):
    envs = wrap(SB3VecEnv(2, **HOUR))
    model = PPO("MlpPolicy", envs, n_steps=16, batch_size=16, n_epochs=1, seed=0, device="cpu")
    model.learn(64)
    assert len(model.ep_info_buffer) == 4
    envs.close()


def test_autoreset_is_not_a_choice():
    with pytest.raises(InputError, match="SAME_STEP"):
        SB3VecEnv(1, autoreset_mode="NextStep", problem="mini")


def test_masked_ppo_learns_a_few_steps():
    contrib = pytest.importorskip("sb3_contrib")
    envs = make_sb3_env("SageServe/Mini-v0", n_envs=2, seed=1, horizon_s=3600.0)
    model = contrib.MaskablePPO("MlpPolicy", envs, n_steps=16, batch_size=16, n_epochs=1, seed=0, device="cpu")
    model.learn(64)
    assert model.num_timesteps == 64
    envs.close()


def test_helper_is_seeded_and_names_an_unknown_id():
    rows = [make_sb3_env("SageServe/Mini-v0", 2, seed=5, horizon_s=3600.0).reset() for _ in range(2)]
    np.testing.assert_array_equal(rows[0], rows[1])
    with pytest.raises(InputError, match="env_id = 'Mini'"):
        make_sb3_env("Mini")


def test_a_vector_reward_is_refused():
    with pytest.raises(InputError, match="one number"):
        SB3VecEnv(1, problem="mini", reward="vector")
