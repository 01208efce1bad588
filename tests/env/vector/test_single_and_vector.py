"""The environments: Gymnasium's rules, exactness across faces, masks, rewards, bad input."""

import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.actions import ACTION_MODES
from sageserve_env.env.rewards import REWARDS, TERMS, Money
from sageserve_env.errors import InputError
from sageserve_env.registration import IDS

SHORT = {"horizon_s": 1800.0}
BOX_MODES = ("target", "knobs", "multi_timescale")


def play(env: FleetEnv, seed: int, n_steps: int) -> list[tuple]:
    """Observations, rewards and ends under random legal actions."""
    _, info = env.reset(seed=seed)
    env.action_space.seed(seed)
    steps = []
    for _ in range(n_steps):
        observation, reward, _, truncated, info = env.step(env.action_space.sample(tuple(info["action_mask"])))
        steps.append((observation.tobytes(), reward, truncated))
    return steps


@pytest.mark.parametrize("name", IDS.values())
def test_gymnasium_checker_is_clean(name: str) -> None:
    horizon = {"SageServe/Azure-v0": 300.0}.get(name, 1800.0)
    env = gym.make(name, horizon_s=horizon, disable_env_checker=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


@pytest.mark.parametrize("mode", ACTION_MODES)
def test_observations_stay_in_the_space_under_random_and_extreme_actions(mode: str) -> None:
    env = FleetEnv(action_mode=mode, **SHORT)
    lows = np.full(env.action_space.shape, -1 if mode in BOX_MODES else 0, env.action_space.dtype)
    highs = lows + {"delta": 4, "discrete": 12}.get(mode, 2)
    for seed, extreme in enumerate((None, lows, highs)):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        for _ in range(6):
            action = env.action_space.sample() if extreme is None else extreme
            observation, reward, terminated, truncated, _ = env.step(action)
            assert env.observation_space.contains(observation)
            assert np.isfinite(reward)
            assert not terminated
        assert truncated


def test_features_describe_every_entry() -> None:
    env = FleetEnv()
    assert len(env.observation_features) == env.observation_space.shape[0]
    assert len({feature.name for feature in env.observation_features}) == len(env.observation_features)
    hidden = FleetEnv(hide_queues=True)
    assert not any("waiting" in feature.name or "pending" in feature.name for feature in hidden.observation_features)
    assert hidden.reset(seed=0)[0].shape == hidden.observation_space.shape


def test_same_seed_same_episode_and_another_seed_another() -> None:
    env = FleetEnv(**SHORT)
    first, again, other = play(env, 1, 6), play(env, 1, 6), play(env, 2, 6)
    assert first == again
    assert first != other


def test_pickled_and_restored_environments_go_on_bit_for_bit() -> None:
    env = FleetEnv()
    play(env, 3, 5)
    action = np.full(env.action_space.shape, 3)
    snapshot = env.snapshot()
    copy = pickle.loads(pickle.dumps(env))
    ahead = [env.step(action)[0].tobytes() for _ in range(5)]
    assert [copy.step(action)[0].tobytes() for _ in range(5)] == ahead
    env.restore(snapshot)
    assert [env.step(action)[0].tobytes() for _ in range(5)] == ahead
    envs = VectorFleetEnv(3)
    envs.reset(seed=9)
    assert len({row.tobytes() for row in envs.restore(snapshot)}) == 1
    forked = [envs.step(np.tile(action, (3, 1)))[0] for _ in range(5)]
    assert [row.tobytes() for row in np.stack(forked)[:, 2]] == ahead


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(("width", "threads"), [(1, 1), (3, 2)])
def test_rows_equal_single_environments(mode: AutoresetMode, width: int, threads: int) -> None:
    envs = VectorFleetEnv(width, autoreset_mode=mode, num_threads=threads, horizon_s=900.0)
    singles = [FleetEnv(horizon_s=900.0) for _ in range(width)]
    observations, _ = envs.reset(seed=5)
    expected = [env.reset(seed=5 + row)[0] for row, env in enumerate(singles)]
    np.testing.assert_array_equal(observations, expected)
    rng = np.random.default_rng(0)
    ended = np.zeros(width, bool)
    for _ in range(9):
        actions = rng.integers(0, 5, (width, 3))
        if mode is AutoresetMode.DISABLED and ended.any():
            observations, _ = envs.reset(options={"reset_mask": ended})
            np.testing.assert_array_equal(observations[ended], [singles[row].reset()[0] for row in np.flatnonzero(ended)])
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        for row, env in enumerate(singles):
            if mode is AutoresetMode.NEXT_STEP and ended[row]:
                observation, reward, is_over = env.reset()[0], 0.0, False
            else:
                observation, reward, _, is_over, _ = env.step(actions[row])
            if mode is AutoresetMode.SAME_STEP and is_over:
                np.testing.assert_array_equal(infos["final_obs"][row], observation)
                observation = env.reset()[0]
            np.testing.assert_array_equal(observations[row], observation)
            assert (rewards[row], truncated[row], terminated[row]) == (reward, is_over, False)
        ended = truncated
    envs.close()


def test_returned_observations_do_not_alias_unless_asked() -> None:
    for copy in (True, False):
        envs = VectorFleetEnv(2, copy=copy)
        first, _ = envs.reset(seed=0)
        before = first.copy()
        envs.step(np.full((2, 3), 4))
        assert np.array_equal(first, before) == copy


def test_masks_admit_exactly_the_changes_that_can_be_made_in_full() -> None:
    env = FleetEnv(**SHORT)
    env.reset(seed=0)
    snapshot = env.snapshot()
    masks = env.action_masks().reshape(3, 5)
    for place in range(3):
        for choice in range(5):
            env.restore(snapshot)
            before = env._engine.rows["target"][0].copy()
            action = np.full(3, 2)
            action[place] = choice
            env.step(action)
            made = env._engine.rows["target"][0] - before
            assert (made[place] == choice - 2) == masks[place, choice]


def test_reward_terms_add_up_to_the_reward_and_the_telemetry() -> None:
    env = FleetEnv(**SHORT)
    env.reset(seed=4)
    total = dict.fromkeys(env.reward_terms, 0.0)
    for _ in range(6):
        _, reward, _, _, info = env.step(np.array([4, 2, 0]))
        terms = {name: info[name] for name in TERMS}
        assert terms == env.reward_terms
        assert reward == pytest.approx(-(terms["vm_usd"] + terms["breach_usd"]) / 1000)
        assert info["cost"] == terms["breaches_iw_f"] + terms["breaches_iw_n"] + terms["breaches_niw"]
        total = {name: total[name] + terms[name] for name in total}
    telemetry = env.telemetry()
    hours = (telemetry.active_s + telemetry.provisioning_s + telemetry.draining_s).sum() / 3600
    assert total["vm_hours"] == pytest.approx(hours)
    assert total["vm_usd"] == pytest.approx(hours * env.setup.world.vm_types[0].price_usd_per_h)
    assert total["arrived"] == telemetry.arrived.sum()
    assert total["breaches_iw_f"] == telemetry.breached[:, :, 0].sum()


@pytest.mark.parametrize("name", REWARDS)
def test_reward_presets(name: str) -> None:
    env = FleetEnv(reward=name, **SHORT)
    env.reset(seed=0)
    reward = env.step(np.full(3, 2))[1]
    assert np.shape(reward) == ((3,) if name == "vector" else ())
    assert np.all(np.asarray(reward) <= 0)


def test_a_reward_is_replaced_in_one_line() -> None:
    env = FleetEnv(reward=Money(breach_prices_usd=(0.0, 0.0, 0.0)), **SHORT)
    env.reset(seed=0)
    assert env.step(np.full(3, 2))[4]["breach_usd"] == 0


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.array([0, 0]), "shape"),
        (np.array([0, 0, 5]), r"action\[2\] = 5"),
        (np.array([0.0, 0.0, 1.5]), r"action\[2\] = 1.5"),
        (np.array([0, 0, -1]), r"action\[2\] = -1"),
        (np.array([0.0, np.nan, 1.0]), r"action\[1\] = nan"),
        (np.array([0.0, np.inf, 1.0]), r"action\[1\] = inf"),
        (np.array(["0", "0", "1"]), "dtype"),
        ([[1], [1, 2], [1]], "rows of different lengths"),
        (None, "dtype object"),
        (2, r"shape \(\)"),
    ],
)
def test_actions_outside_the_space_are_errors(action: np.ndarray, message: str) -> None:
    env = FleetEnv(**SHORT)
    env.reset(seed=0)
    with pytest.raises(InputError, match=message):
        env.step(action)


def test_nan_in_a_box_action_is_an_error() -> None:
    env = FleetEnv(action_mode="target", **SHORT)
    env.reset(seed=0)
    with pytest.raises(InputError, match="nan"):
        env.step(np.array([0.5, np.nan, 0.5], np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "holdout"}, "split = 'holdout'"),
        ({"action_mode": "absolute"}, "action_mode = 'absolute'"),
        ({"reward": "fun"}, "reward = 'fun'"),
        ({"max_delta": 0}, "max_delta = 0"),
        ({"max_delta": "two"}, "max_delta = two is out of range; give a whole number, 1 to 12"),
        ({"max_in_flight": 0}, "max_in_flight = 0"),
        ({"horizon_s": 1000.0}, "horizon_s = 1000 is no whole number of control intervals"),
        ({"render_mode": "vr"}, "render_mode = 'vr'"),
        ({"problem": "mega"}, "mega"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FleetEnv(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 0}, "num_envs = 0"),
        ({"num_envs": 2, "num_threads": -1}, "num_threads = -1"),
        ({"num_envs": 2, "autoreset_mode": "Never"}, "autoreset_mode = 'Never'"),
    ],
)
def test_bad_arguments_of_the_vector_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        VectorFleetEnv(**arguments)


def test_a_vector_that_was_never_reset_names_its_rows() -> None:
    with pytest.raises(InputError, match=r"rows \[0, 1\] have no episode"):
        VectorFleetEnv(2).step(np.full((2, 3), 2))


def test_step_before_reset_and_after_the_end_is_an_error() -> None:
    env = FleetEnv(horizon_s=300.0)
    with pytest.raises(InputError, match="call reset"):
        env.step(np.full(3, 2))
    env.reset(seed=0)
    env.step(np.full(3, 2))
    with pytest.raises(InputError, match="call reset"):
        env.step(np.full(3, 2))


def test_rendering_modes() -> None:
    frames = FleetEnv(render_mode="rgb_array", **SHORT)
    frames.reset(seed=0)
    frames.step(np.full(3, 2))
    assert frames.render().dtype == np.uint8
    text = FleetEnv(render_mode="ansi", **SHORT)
    text.reset(seed=0)
    assert "westus" in text.render()
