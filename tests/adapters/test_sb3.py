"""The vector environment behind Stable-Baselines3's interface."""

import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.registration import IDS

pytest.importorskip("stable_baselines3")

from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecVideoRecorder

from sageserve_env.adapters.sb3 import SB3VecEnv, make_sb3_env

ROOT = Path(__file__).resolve().parents[2]
HOUR = {"problem": "mini", "horizon_s": 3600.0}


@pytest.mark.parametrize("problem", IDS)
@pytest.mark.parametrize("mode", ["delta", "discrete", "target"])
def test_checker_is_clean(problem, mode):
    env = FleetEnv(problem=problem, horizon_s=60.0, control_interval_s=30.0, action_mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


@pytest.mark.parametrize("mode", ["delta", "discrete", "target"])
def test_rows_are_those_of_a_dummy_vector(mode):
    config = HOUR | {"action_mode": mode}
    envs, singles = SB3VecEnv(3, **config), DummyVecEnv([partial(FleetEnv, **config) for _ in range(3)])
    assert envs.seed(7) == singles.seed(7) == [7, 8, 9]
    np.testing.assert_array_equal(envs.reset(), singles.reset())
    assert_same_infos(envs.reset_infos, singles.reset_infos)
    envs.action_space.seed(0)
    for step in range(15):  # over the end of an episode
        actions = np.stack([envs.action_space.sample() for _ in range(3)])
        got, expected = envs.step(actions), singles.step(actions)
        for array, other in zip(got[:3], expected[:3], strict=True):
            np.testing.assert_array_equal(array, other)
            assert array.dtype == other.dtype
        assert got[2].all() == (step == 11)
        for row, info in enumerate(got[3]):
            statistics = info.pop("episode", None)
            assert (statistics is not None) == (step == 11)
            assert_same_infos([info], [expected[3][row]])
        assert_same_infos(envs.reset_infos, singles.reset_infos)
    envs.close()


def assert_same_infos(infos, others):
    """Infos of rows with the same keys and values, as plain numbers or arrays."""
    assert len(infos) == len(others)
    for info, other in zip(infos, others, strict=True):
        assert set(info) == set(other)
        for name, value in info.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)
            assert isinstance(value, np.ndarray | bool | int | float | dict)


def test_logged_returns_are_those_of_the_rewards():
    envs = SB3VecEnv(2, **HOUR)
    envs.seed(3)
    envs.reset()
    returns = np.zeros(2)
    for _ in range(12):
        _, rewards, _, infos = envs.step(np.full((2, 3), 2))
        returns += rewards
    for info, total in zip(infos, returns, strict=True):
        assert info["episode"]["r"] == pytest.approx(total, rel=1e-5)
        assert info["episode"]["l"] == 12


def test_terms_and_cost_are_in_every_info(tmp_path):
    envs = VecMonitor(SB3VecEnv(2, **HOUR), str(tmp_path / "log"), info_keywords=("cost", "vm_usd"))
    envs.seed(0)
    envs.reset()
    assert all(info["cost"] == 0.0 for info in envs.unwrapped.reset_infos)
    for _ in range(12):
        infos = envs.step(np.full((2, 3), 2))[3]
        assert all({*TERMS, "cost"} <= set(info) for info in infos)
        assert all(info["vm_usd"] > 0 for info in infos)
    envs.close()
    rows = (tmp_path / "log.monitor.csv").read_text().splitlines()[1:]
    assert rows[0] == "r,l,t,cost,vm_usd"
    assert [float(row.split(",")[-1]) for row in rows[1:]] == [info["vm_usd"] for info in infos]


def test_masks_for_sb3_contrib():
    envs = SB3VecEnv(2, **HOUR)
    envs.reset()
    assert envs.has_attr("action_masks")
    masks = np.stack(envs.env_method("action_masks"))
    np.testing.assert_array_equal(masks, envs.envs.action_masks())
    np.testing.assert_array_equal(envs.env_method("action_masks", indices=[1]), masks[1:])


def test_attributes_and_methods_reach_the_rows_that_are_asked_for():
    envs = SB3VecEnv(3, **HOUR)
    envs.seed(0)
    envs.reset()
    days = envs.get_attr("episode_description")
    assert len({description["start_s"] for description in days}) > 1
    assert envs.get_attr("episode_description", 2) == envs.get_attr("episode_description", -1) == days[2:]
    envs.set_attr("label", "mine", indices=[0, 2])
    assert [envs.has_attr("label"), *envs.get_attr("label", [0, 2])] == [False, "mine", "mine"]
    assert [fleet.now_s for fleet in envs.env_method("telemetry", indices=range(2))] == [0.0, 0.0]
    snapshot = envs.env_method("snapshot", indices=0)[0]
    envs.env_method("restore", snapshot, indices=[1])
    assert envs.get_attr("episode_description") == [days[0], days[0], days[2]]
    assert envs.env_is_wrapped(Monitor, indices=[0, 1]) == [False, False]
    for ask in (envs.get_attr, envs.env_method):
        with pytest.raises(AttributeError, match="fly"):
            ask("fly")


def test_options_are_each_rows_own():
    envs = SB3VecEnv(3, **HOUR)
    envs.seed(0)
    wanted = [{"initial_instances": 2}, {}, {"initial_instances": 4, "day": "wednesday-o365-a"}]
    envs.set_options(wanted)
    first = envs.reset()
    assert [fleet.active.sum() for fleet in envs.env_method("telemetry")] == [6, 9, 12]
    assert envs.get_attr("episode_description", 2)[0]["day"] == "wednesday-o365-a"
    for row, options in enumerate(wanted):
        np.testing.assert_array_equal(first[row], FleetEnv(**HOUR).reset(seed=row, options=options)[0])
    envs.reset()  # options hold for one reset
    assert [fleet.active.sum() for fleet in envs.env_method("telemetry")] == [9, 9, 9]
    envs.set_options({"initial_instances": 2})
    envs.reset()
    assert [fleet.active.sum() for fleet in envs.env_method("telemetry")] == [6, 6, 6]
    with pytest.raises(InputError, match="2 dicts for 3 rows"):
        envs.set_options([{}, {}])


def test_a_video_shows_all_rows(tmp_path):
    envs = SB3VecEnv(2, render_mode="rgb_array", **HOUR | {"horizon_s": 600.0})
    recorder = VecVideoRecorder(envs, str(tmp_path), record_video_trigger=lambda step: step == 0, video_length=2)
    envs.seed(0)
    recorder.reset()
    for _ in range(3):
        recorder.step(np.full((2, 3), 2))
    recorder.close()
    assert recorder.frames_per_sec == FleetEnv.metadata["render_fps"]
    assert [path.stat().st_size > 1000 for path in tmp_path.glob("*.mp4")] == [True]


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


@pytest.mark.parametrize(("algorithm", "mode"), [(DQN, "discrete"), (SAC, "target")])
def test_off_policy_agents_learn_a_few_steps(algorithm, mode):
    envs = make_sb3_env("mini", n_envs=2, seed=1, horizon_s=3600.0, action_mode=mode)
    model = algorithm("MlpPolicy", envs, learning_starts=16, batch_size=16, buffer_size=1000, seed=0, device="cpu")
    model.learn(48)
    assert model.num_timesteps == 48
    envs.close()


@pytest.mark.parametrize("form", ["mini", "SageServe/Mini-v0", "SageServe/Mini", "sageserve_env:SageServe/Mini-v0"])
def test_the_helper_takes_every_form_of_an_id_and_is_seeded(form):
    rows = [make_sb3_env(name, 2, seed=5, horizon_s=3600.0).reset() for name in (form, "SageServe/Mini-v0")]
    np.testing.assert_array_equal(rows[0], rows[1])


def test_the_helper_works_where_nothing_was_registered():
    program = (
        "from sageserve_env.adapters.sb3 import make_sb3_env; print(make_sb3_env('sageserve_env:SageServe/Mini-v0').reset().shape)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 87)"


def test_the_helper_names_an_unknown_id():
    with pytest.raises(InputError, match="env_id = 'Mini' does not exist; choose one of mini"):
        make_sb3_env("Mini")


def test_a_vector_reward_is_refused():
    with pytest.raises(InputError, match="one number"):
        SB3VecEnv(1, problem="mini", reward="vector")
