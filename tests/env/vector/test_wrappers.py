"""The environments under Gymnasium's own wrappers, vector environments and specs."""

import pickle
import subprocess
import sys
from pathlib import Path

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
    vector,
)

import sageserve_env  # noqa: F401  registers the ids
from sageserve_env.env import VectorFleetEnv
from sageserve_env.errors import InputError

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


def frames_of(path: Path) -> list[np.ndarray]:
    """A video's frames."""
    from moviepy import VideoFileClip

    with VideoFileClip(str(path)) as clip:
        return list(clip.iter_frames())


def test_record_video_writes_the_episode(tmp_path: Path) -> None:
    env = RecordVideo(make(render_mode="rgb_array"), str(tmp_path / "one"), disable_logger=True)
    env.reset(seed=0)
    play(env, still(env))
    env.close()
    (video,) = (tmp_path / "one").glob("*.mp4")
    frames = frames_of(video)
    assert {frame.shape for frame in frames} == {(720, 1280, 3)}
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 50  # something has moved


@pytest.mark.skipif(not hasattr(vector, "RecordVideo"), reason="Gymnasium 1.2.0 films no vectors")
def test_record_video_writes_every_row_of_a_vector(tmp_path: Path) -> None:
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode="vector_entry_point", render_mode="rgb_array", **SHORT)
    envs = vector.RecordVideo(envs, str(tmp_path / "two"))
    envs.reset(seed=0)
    for _ in range(4):
        envs.step(np.full((2, 3), 3))
    envs.close()
    first, *_ = sorted((tmp_path / "two").glob("*.mp4"))
    assert {frame.shape for frame in frames_of(first)} == {(720, 2560, 3)}


def test_a_vectors_frames_are_those_of_single_environments() -> None:
    singles = [make(render_mode="rgb_array") for _ in range(2)]
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode="vector_entry_point", render_mode="rgb_array", **SHORT)
    envs.reset(seed=5)
    for row, env in enumerate(singles):
        env.reset(seed=5 + row)
    for _ in range(3):
        envs.step(np.full((2, 3), 1))
        for env in singles:
            env.step(np.full(3, 1))
        assert [frame.tobytes() for frame in envs.render()] == [env.render().tobytes() for env in singles]
    envs.close()
    assert gym.make_vec(ID, num_envs=2, **SHORT).render() == (None, None)


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
    env = make(split="test", action_mode="target", control_interval_s=60.0, reward="constrained")
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


@pytest.mark.parametrize("kind", ["vector_entry_point", "sync", "async"])
def test_vectors_are_asked_as_gymnasiums_are(kind: str) -> None:
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode=kind, **SHORT)
    envs.reset(seed=[1, 2], options={"day": "wednesday-o365-a"})
    assert [words["day"] for words in envs.get_attr("episode_description")] == ["wednesday-o365-a", "wednesday-o365-a"]
    assert [fleet.now_s for fleet in envs.call("telemetry")] == [0.0, 0.0]
    assert [mask.shape for mask in envs.call("action_masks")] == [(15,), (15,)]
    assert [space.shape for space in envs.get_attr("action_space")] == [(3,), (3,)]
    assert envs.get_attr("render_mode") == (None, None)
    envs.set_attr("mark", [3, 4])
    assert envs.get_attr("mark") == (3, 4)
    envs.set_attr("mark", 5)
    assert envs.get_attr("mark") == (5, 5)
    with pytest.raises((AttributeError, ValueError)):
        envs.set_attr("mark", [1, 2, 3])
    if kind != "async":
        with pytest.raises(AttributeError):
            envs.get_attr("no_such_thing")
    assert envs.metadata["autoreset_mode"].value == "NextStep"
    assert envs.metadata["render_fps"] == 12
    envs.close()


def test_a_picture_before_the_first_reset_is_an_error() -> None:
    for env in (make(render_mode="ansi").unwrapped, VectorFleetEnv(2, render_mode="rgb_array")):
        with pytest.raises(InputError, match=r"render\(\): no episode was begun; call reset\(\) first"):
            env.render()


CORE_ONLY = """
import sys, warnings
sys.modules.update(dict.fromkeys(("matplotlib", "moviepy", "pandas", "pettingzoo", "stable_baselines3")))
import gymnasium as gym
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import check_env
import sageserve_env
with warnings.catch_warnings():
    warnings.simplefilter("error")
    check_env(gym.make("SageServe/Mini-v0", horizon_s=900.0).unwrapped)
    print(gym.make("SageServe/Mini-v0").metadata["render_modes"])
def missing(make):
    try:
        make()
    except DependencyNotInstalled as error:
        print(error)
for mode in ("rgb_array", "human"):
    missing(lambda: gym.make("SageServe/Mini-v0", render_mode=mode))
    missing(lambda: gym.make_vec("SageServe/Mini-v0", num_envs=2, render_mode=mode))
missing(lambda: __import__("sageserve_env.adapters.multi_agent"))
missing(lambda: __import__("sageserve_env.adapters.sb3"))
"""


def test_gymnasiums_checker_is_clean_without_any_extra() -> None:
    done = subprocess.run([sys.executable, "-c", CORE_ONLY], capture_output=True, text=True, check=True)
    modes, *lines = done.stdout.splitlines()
    assert modes == "['ansi']"
    assert len(lines) == 6
    for line, mode in zip(lines, ("rgb_array", "rgb_array", "human", "human"), strict=False):
        assert line.startswith(f"render_mode = '{mode}' needs matplotlib, which is not installed; run: pip install 'sageserve-env[")
        assert line.endswith("or in a checkout: pip install '.[plots]'")
    assert lines[4].endswith("pip install '.[multi-agent]'")
    assert lines[5].endswith("pip install '.[agents]'")
