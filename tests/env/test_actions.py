"""Actions of every mode, and the masked samples that the documentation shows."""

import gymnasium as gym
import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.actions import choice_mask, delta_of
from sageserve_env.errors import InputError

HOUR = {"horizon_s": 3600.0}
BOX_MODES = ("target", "knobs", "multi_timescale")


@pytest.mark.parametrize("max_delta", [1, 2, 5])
@pytest.mark.parametrize("problem", ["mini", "azure"])
def test_a_choice_does_what_the_delta_action_of_one_change_does(problem: str, max_delta: int) -> None:
    config = {"problem": problem, "max_delta": max_delta}
    single, delta = FleetEnv(action_mode="discrete", **config), FleetEnv(**config)
    info, other = single.reset(seed=2)[1], delta.reset(seed=2)[1]
    n_fleets = delta.action_space.shape[0]
    assert single.action_space.n == 1 + n_fleets * 2 * max_delta
    rng = np.random.default_rng(0)
    for _ in range(12):
        np.testing.assert_array_equal(info["action_mask"], choice_mask(other["action_mask"]))
        choice = int(rng.integers(single.action_space.n))
        observation, reward, *_, info = single.step(choice)
        expected, same_reward, *_, other = delta.step(delta_of(choice, n_fleets, max_delta))
        np.testing.assert_array_equal(observation, expected)
        assert reward == same_reward


def test_choices_are_every_single_change_once() -> None:
    changes = [tuple(delta_of(choice, 3, 2) - 2) for choice in range(13)]
    assert changes[0] == (0, 0, 0)
    assert len(set(changes)) == 13
    assert all(np.count_nonzero(change) == 1 and abs(sum(change)) <= 2 for change in changes[1:])


def test_allowed_choices_are_made_in_full() -> None:
    env = FleetEnv(action_mode="discrete", **HOUR)
    mask = env.reset(seed=0, options={"initial_instances": 1})[1]["action_mask"]
    np.testing.assert_array_equal(mask, env.action_masks())
    snapshot, before = env.snapshot(), env._engine.rows["target"][0].copy()
    for choice in range(13):
        env.step(choice)
        made = np.array_equal(env._engine.rows["target"][0] - before, delta_of(choice, 3, 2) - 2)
        assert made == mask[choice], choice
        env.restore(snapshot)
    assert 0 < mask.sum() < 13


@pytest.mark.parametrize("mode", BOX_MODES)
def test_what_is_outside_a_box_is_taken_for_its_nearest_end(mode: str) -> None:
    env = FleetEnv(action_mode=mode, **HOUR)
    env.reset(seed=1)
    start = env.snapshot()
    ends = np.where(np.arange(env.action_space.shape[0]) % 2, -1.0, 1.0)
    expected = env.step(ends)
    for outside in (ends * 1.01, ends * 1e300, ends * np.inf, ends.astype(np.float32) * 3, (ends * 2).astype(int)):
        env.restore(start)
        got = env.step(outside)
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1] == expected[1]


def test_the_middle_of_a_box_is_the_middle_of_what_there_is() -> None:
    env = FleetEnv(action_mode="target", **HOUR)
    env.reset(seed=1)
    env.step(np.zeros(3))
    least, most = env.setup.world.scaling.min_instances, sum(env.setup.world.regions[0].vm_capacity.values())
    assert env._engine.rows["target"][0].tolist() == [round((least + most) / 2)] * 3


@pytest.mark.parametrize("mode", BOX_MODES)
def test_nan_is_an_error_wherever_it_is(mode: str) -> None:
    env = FleetEnv(action_mode=mode, **HOUR)
    env.reset(seed=1)
    action = np.zeros(env.action_space.shape)
    action[-1] = np.nan
    with pytest.raises(InputError, match="nan is no number"):
        env.step(action)


@pytest.mark.parametrize("choice", [13, -1, 1.5, np.nan, "0", None, [1], [1, 2], np.array([[1]]), True])
def test_what_is_no_choice_is_an_error(choice: object) -> None:
    env = FleetEnv(action_mode="discrete", **HOUR)
    env.reset(seed=1)
    with pytest.raises(InputError, match=r"^action "):
        env.step(choice)


@pytest.mark.parametrize("choice", [3, np.int32(3), np.uint8(3), 3.0, np.array(3)])
def test_whole_numbers_of_any_type_are_choices(choice: object) -> None:
    env = FleetEnv(action_mode="discrete", **HOUR)
    env.reset(seed=1)
    start = env.snapshot()
    expected = env.step(3)[0]
    env.restore(start)
    np.testing.assert_array_equal(env.step(choice)[0], expected)


def test_masked_samples_are_one_line_each() -> None:
    """Those of docs/environments.md."""
    for mode in ("delta", "discrete"):
        env = gym.make("SageServe/Mini-v0", action_mode=mode, **HOUR)
        info = env.reset(seed=0, options={"initial_instances": 2})[1]
        mask = info["action_mask"]
        assert (mask.dtype, mask.shape) == (np.int8, (3, 5) if mode == "delta" else (13,))
        for _ in range(30):
            action = env.action_space.sample(tuple(mask)) if mode == "delta" else env.action_space.sample(mask)
            allowed = mask[np.arange(3), action] if mode == "delta" else mask[action]
            assert np.all(allowed == 1)


@pytest.mark.parametrize("kind", ["vector_entry_point", "sync", "async"])
def test_masked_samples_of_vectors_are_one_line_each(kind: str) -> None:
    envs = gym.make_vec("SageServe/Mini-v0", num_envs=2, vectorization_mode=kind, **HOUR)
    infos = envs.reset(seed=0, options={"initial_instances": 2})[1]
    actions = np.stack([envs.single_action_space.sample(tuple(mask)) for mask in infos["action_mask"]])
    assert envs.action_space.contains(actions)
    assert np.take_along_axis(infos["action_mask"], actions[..., None], axis=2).all()
    envs.step(actions)
    envs.close()
    envs = gym.make_vec("SageServe/Mini-v0", num_envs=2, vectorization_mode=kind, action_mode="discrete", **HOUR)
    infos = envs.reset(seed=0, options={"initial_instances": 2})[1]
    actions = envs.action_space.sample(tuple(infos["action_mask"]))
    assert np.take_along_axis(infos["action_mask"], actions[:, None], axis=1).all()
    envs.step(actions)
    envs.close()


def test_masks_of_a_vector_are_those_of_its_rows() -> None:
    for mode in ("delta", "discrete"):
        envs = VectorFleetEnv(3, action_mode=mode, **HOUR)
        infos = envs.reset(seed=0)[1]
        np.testing.assert_array_equal(infos["action_mask"].reshape(3, -1), envs.action_masks())
        np.testing.assert_array_equal(np.stack(envs.call("action_masks")), envs.action_masks())
    with pytest.raises(InputError, match="'target' has no masks; use 'delta' or 'discrete'"):
        VectorFleetEnv(2, action_mode="target").action_masks()
