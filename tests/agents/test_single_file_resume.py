"""A run of the single-file PPO that was stopped goes on as if it had not been; others' checkpoints are refused and run no code."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import agents.single_file_ppo as module
from agents.common.position import Course
from agents.common.resume import CHECKPOINT
from agents.inference.saved import pack
from agents.single_file_ppo import Args, train
from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.errors import InputError

SMALL = {"num_envs": 2, "rollout": 4, "horizon_s": 2100.0, "width": 8, "minibatches": 2, "threads": 1, "evaluate_every": 10**6}
"""Episodes of seven steps in rollouts of four: updates are in the midst of episodes."""


class Killed(BaseException):
    """As a signal would."""


def stop_after(monkeypatch, updates):
    """Kill a run in the update after so many."""
    real, calls = module.update, []

    def update(*args, **kwargs):
        calls.append(1)
        if len(calls) > updates:
            raise Killed
        real(*args, **kwargs)

    monkeypatch.setattr(module, "update", update)


def timeless(rows):
    return [{name: value for name, value in row.items() if not name.endswith("_s")} for row in rows]


@pytest.mark.parametrize("changed", [{}, {"action_mode": "target", "lagrangian": True}])
@pytest.mark.parametrize("updates", [1, 3])
def test_a_run_goes_on_bit_for_bit(tmp_path, monkeypatch, updates, changed):
    args = Args(steps=40, out=str(tmp_path / "whole"), **SMALL, **changed)
    whole = train(args)
    own = replace(args, out=str(tmp_path / "parts"))
    with monkeypatch.context() as patched:
        stop_after(patched, updates)
        with pytest.raises(Killed):
            train(own)
    parts = train(replace(own, resume=True))
    assert timeless(parts) == timeless(whole)
    assert len(parts) == 5
    arrays = [np.load(tmp_path / name / CHECKPOINT) for name in ("whole", "parts")]
    for name in set(arrays[0].files) - {"about"}:
        np.testing.assert_array_equal(arrays[0][name], arrays[1][name], err_msg=name)
    weights = [(tmp_path / name / "last" / "weights.npz").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_rows_of_different_ages_are_found_again():
    """Row 0 is three steps into its episode and row 1 one step: each is where a single environment is."""
    config = {"problem": "mini", "horizon_s": 3600.0}
    envs = VectorFleetEnv(2, autoreset_mode="SameStep", num_threads=1, **config)
    course = Course(envs)
    course.reset(5)
    drawn_from = course.state()["drawn_from"]
    acted = np.arange(18).reshape(3, 2, 3) % 5
    position = {"drawn_from": drawn_from, "steps": np.array([3, 1]), "acted": acted}
    for _ in range(2):
        observations = course.restore(position)
        for row, steps in enumerate((3, 1)):
            alone = FleetEnv(**config)
            alone.reset(seed=5 + row)
            for action in acted[3 - steps :, row]:
                expected, *_ = alone.step(action)
            np.testing.assert_array_equal(observations[row], expected)
        position = course.state()


def test_a_course_keeps_no_more_than_the_longest_episode():
    envs = VectorFleetEnv(2, problem="mini", horizon_s=900.0, autoreset_mode="SameStep", num_threads=1)
    course = Course(envs)
    course.reset(0)
    for _ in range(8):
        actions = np.full((2, 3), 2)
        course.note(actions, envs.step(actions)[3])
    now = envs.step(np.full((2, 3), 2))[0]
    course.note(np.full((2, 3), 2), np.ones(2, bool))
    assert course.state()["acted"].shape == (0, 2, 3)
    np.testing.assert_array_equal(course.restore(course.state()), now)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    args = Args(steps=8, out=str(tmp_path_factory.mktemp("run")), **SMALL)
    train(args)
    return args


class Bomb:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a checkpoint ran code",))


@pytest.mark.parametrize("content", [b"", b"none", pickle.dumps(Bomb()), pack({"a": np.zeros(2)}), pack({"about": np.array("[]")})])
def test_what_is_no_checkpoint_is_refused(trained, tmp_path, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(InputError, match=r"--resume: '.*' (is no checkpoint|cannot be read)"):
        train(replace(trained, out=str(tmp_path), resume=True))


def test_objects_in_it_are_not_unpickled(trained, tmp_path):
    np.savez(tmp_path / CHECKPOINT, about=np.array([Bomb()], object))
    with pytest.raises(InputError, match="is no checkpoint"):
        train(replace(trained, out=str(tmp_path), resume=True))


def test_another_run_is_named(trained, tmp_path):
    with pytest.raises(InputError, match="with seed = 0, not 1; give what it was begun with"):
        train(replace(trained, seed=1, resume=True))
    with pytest.raises(InputError, match="cannot be read"):
        train(replace(trained, out=str(tmp_path / "none"), resume=True))
    with np.load(f"{trained.out}/{CHECKPOINT}") as packed:
        arrays = dict(packed)
    about = json.loads(str(arrays["about"]))
    for change, message in (
        ({"about": np.array(json.dumps({**about, "format": 9}))}, "format that this package does not read"),
        ({"network.action.bias": np.zeros(4)}, "is torn"),
        ({"steps": np.zeros(5)}, "is torn"),
    ):
        (tmp_path / CHECKPOINT).write_bytes(pack({**arrays, **change}))
        with pytest.raises(InputError, match=message):
            train(replace(trained, out=str(tmp_path), resume=True))
