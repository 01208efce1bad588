"""The environments under Gymnasium's own wrappers, vector environments and specs."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import (
    FlattenObservation,
    FrameStackObservation,
    NormalizeObservation,
    RecordEpisodeStatistics,
    RecordVideo,
    RescaleAction,
    TimeAwareObservation,
    TimeLimit,
)

import sageserve_env  # noqa: F401  registers the ids

ID = "SageServe/Mini-v0"
SHORT = {"horizon_s": 900.0}  # three steps


def make(**arguments: object) -> gym.Env:
    return gym.make(ID, **{**SHORT, **arguments})


def still(env: gym.Env) -> np.ndarray:
    return env.action_space.nvec // 2


def play(env: gym.Env, action: object) -> list[tuple]:
    """Steps of the rest of an episode."""
    steps, done = [], False
    while not done:
        steps.append(env.step(action))
        done = steps[-1][3]
    return steps


def test_episode_statistics_are_those_of_the_rewards() -> None:
    env = RecordEpisodeStatistics(make())
    env.reset(seed=0)
    steps = play(env, still(env))
    episode = steps[-1][4]["episode"]
    assert episode["l"] == len(steps) == 3
    assert episode["r"] == pytest.approx(sum(step[1] for step in steps), abs=1e-6)


def test_rescaled_actions_reach_both_ends() -> None:
    plain, rescaled = make(action_mode="target"), make(action_mode="target")
    wrapped = RescaleAction(rescaled, np.float32(0), np.float32(1))
    plain.reset(seed=0)
    wrapped.reset(seed=0)
    for share in (0.0, 0.5, 1.0):
        expected = plain.step(np.full(3, 2 * share - 1, np.float32))
        got = wrapped.step(np.full(3, share, np.float32))
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1] == expected[1]


@pytest.mark.parametrize(
    "wrap",
    [
        FlattenObservation,
        lambda env: FrameStackObservation(env, 4),
        lambda env: TimeAwareObservation(TimeLimit(env, 100), flatten=True),
        NormalizeObservation,
    ],
    ids=["flatten", "frame-stack", "time-aware", "normalize"],
)
def test_wrapped_observations_lie_in_the_wrapped_space(wrap: object) -> None:
    env = wrap(make())
    observations = [env.reset(seed=0)[0], *(step[0] for step in play(env, still(env)))]
    for observation in observations:
        assert np.asarray(observation).shape == env.observation_space.shape
        assert np.isfinite(observation).all()
        if not isinstance(env, NormalizeObservation):
            assert env.observation_space.contains(observation)


def test_flattening_a_dict_keeps_every_entry() -> None:
    flat, env = make(), FlattenObservation(make(observation="dict"))
    np.testing.assert_array_equal(np.sort(env.reset(seed=0)[0]), np.sort(flat.reset(seed=0)[0]))


def test_record_video_writes_the_episode(tmp_path) -> None:
    env = RecordVideo(make(render_mode="rgb_array"), str(tmp_path), disable_logger=True)
    env.reset(seed=0)
    play(env, still(env))
    env.close()
    videos = list(tmp_path.glob("*.mp4"))
    assert len(videos) == 1
    assert videos[0].stat().st_size > 1000


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasiums_vectors_equal_the_native_rows(mode: str) -> None:
    native = gym.make_vec(ID, num_envs=2, vectorization_mode="vector_entry_point", **SHORT)
    others = gym.make_vec(ID, num_envs=2, vectorization_mode=mode, **SHORT)
    np.testing.assert_array_equal(others.reset(seed=3)[0], native.reset(seed=3)[0])
    for step in range(5):  # over the end of an episode
        actions = np.full((2, 3), 1 + step % 3)
        for got, expected in zip(others.step(actions)[:4], native.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(got, expected)
    others.close()
    native.close()


def test_specs_go_through_json() -> None:
    env = make(split="test", action_mode="target", control_interval_s=60.0, reward="paper")
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec == env.spec
    action = np.full(3, 0.5, np.float32)
    np.testing.assert_array_equal(again.reset(seed=1)[0], env.reset(seed=1)[0])
    got, expected = again.step(action), env.step(action)
    np.testing.assert_array_equal(got[0], expected[0])
    assert got[1] == expected[1]


@pytest.mark.parametrize("module", ["pickle", "cloudpickle"])
def test_wrapped_environments_are_pickled_in_mid_episode(module: str) -> None:
    dumps = pickle.dumps if module == "pickle" else pytest.importorskip("cloudpickle").dumps
    env = make()
    env.reset(seed=2)
    env.step(still(env))
    copy = pickle.loads(dumps(env))
    for got, expected in zip(play(copy, still(copy)), play(env, still(env)), strict=True):
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1:4] == expected[1:4]
