"""Snapshots of environments: where they belong they go on bit for bit, elsewhere they are refused and change nothing."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.errors import InputError
from sageserve_env.scenarios import load_problem

HOUR = {"horizon_s": 3600.0}
ACTION = np.array([3, 2, 1])


def world_with(**changes: Any) -> Any:
    return replace(load_problem("mini").world(), **changes)


def played(steps: int = 3, **config: Any) -> FleetEnv:
    env = FleetEnv(**{**HOUR, **config})
    env.reset(seed=1)
    for _ in range(steps):
        env.step(np.zeros(env.action_space.shape, int))
    return env


def ahead(step: Callable[[Any], tuple], action: Any) -> list[bytes]:
    return [np.asarray(step(action)[0]).tobytes() for _ in range(4)]


FOREIGN = {
    "problem": {"problem": "day"},
    "split": {"split": "test"},
    "horizon_s": {"horizon_s": 7200.0},
    "control_interval_s": {"control_interval_s": 60.0},
    "action_mode": {"action_mode": "discrete"},
    "max_delta": {"max_delta": 1},
    "admission_order": {"admission_order": "EDF"},
    "max_in_flight": {"max_in_flight": 5000},
    "telemetry_delay": {"telemetry_delay": 1},
    "telemetry_noise": {"telemetry_noise": 0.1},
    "forecaster": {"forecaster": "seasonal-naive"},
    "world.lead_times": {"lead_times": {"reclaim_s": 61.0}},
    "world.niw": {"world": world_with(niw=replace(load_problem("mini").world().niw, promote_after_s=1.0))},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_snapshot_is_named_and_changes_nothing(name: str) -> None:
    env, other, envs = played(), played(**FOREIGN[name]), VectorFleetEnv(2, **HOUR)
    expected = ahead(played().step, ACTION)
    for foreign in (other.snapshot(), pickle.loads(pickle.dumps(other.snapshot()))):
        for restore in (env.restore, envs.restore):
            with pytest.raises(InputError, match=rf"^restore\(\): it was taken with another {name}; restore it where"):
                restore(foreign)
    assert ahead(env.step, ACTION) == expected


@pytest.mark.parametrize("name", ["control_interval_s", "action_mode", "max_delta", "max_in_flight", "world.lead_times"])
def test_an_engine_refuses_the_rows_of_another(name: str) -> None:
    env, other = played(), played(**FOREIGN[name])
    with pytest.raises(InputError, match=f"another {name}"):
        env._engine.restore(0, other.snapshot().row)


def test_another_workload_is_foreign() -> None:
    own = {"problem": "paper", "horizon_s": 600.0}
    env, other = played(1, **own), played(1, workload="o365-hour", **own)
    with pytest.raises(InputError, match="another workload"):
        env.restore(other.snapshot())


@pytest.mark.parametrize("thing", [None, "snapshot", (), (None, None, None, None), {}, np.zeros(3)])
def test_what_is_no_snapshot_is_an_error(thing: Any) -> None:
    env, envs = played(), VectorFleetEnv(2, **HOUR)
    envs.reset(seed=0)
    for restore in (env.restore, envs.restore, lambda snapshot: env._engine.restore(0, snapshot)):
        with pytest.raises(InputError, match="is no snapshot; give what snapshot"):
            restore(thing)


@pytest.mark.parametrize("rows", [[2], [-1], [0, 1, 5], ["0"], [0.0], [None], [True], 7, "0", [np.int64(9)]])
def test_rows_that_do_not_exist_are_named_before_any_is_touched(rows: Any) -> None:
    envs = VectorFleetEnv(2, **HOUR)
    envs.reset(seed=0)
    snapshot = envs.snapshot(0)
    envs.step(np.tile(ACTION, (2, 1)))
    before = envs.snapshot(0)
    with pytest.raises(InputError, match="is none of these environments; give 0 to 1"):
        envs.restore(snapshot, rows)
    assert envs.snapshot(0).row.state["clock"].tobytes() == before.row.state["clock"].tobytes()
    with pytest.raises(InputError, match="give 0 to 1"):
        envs.snapshot(rows if not isinstance(rows, list) else rows[-1])


@pytest.mark.parametrize("config", [{}, {"telemetry_delay": 2, "telemetry_noise": 0.2}, {"problem": "azure", "horizon_s": 600.0}])
def test_snapshots_go_between_single_environments_rows_and_processes(config: dict) -> None:
    env = played(**config)
    action = np.full(env.action_space.shape, 3)
    snapshot = pickle.loads(pickle.dumps(env.snapshot()))
    expected = ahead(env.step, action)
    fresh = FleetEnv(**{**HOUR, **config})  # never reset
    fresh.restore(snapshot)
    assert ahead(fresh.step, action) == expected
    envs = VectorFleetEnv(3, **{**HOUR, **config})
    envs.reset(seed=8)
    envs.restore(snapshot, [2])
    actions = np.tile(action, (3, 1))
    assert [envs.step(actions)[0][2].tobytes() for _ in range(4)] == expected
    assert fresh.episode_description == env.episode_description == envs.get_attr("episode_description")[2]


def test_a_snapshot_goes_where_only_reward_and_form_differ() -> None:
    env, other = played(), FleetEnv(reward="vector", observation="dict", hide_queues=True, mask_in_observation=True, **HOUR)
    seen = other.restore(env.snapshot())
    assert other.observation_space.contains(seen)
    assert other.step(ACTION)[1].shape == (3,)


def test_restored_infos_and_pictures_are_those_of_the_episode() -> None:
    env = played()
    expected = env.step(ACTION)[4]
    envs = VectorFleetEnv(2, render_mode="ansi", **HOUR)
    source = played()
    envs.restore(source.snapshot())
    infos = envs.step(np.tile(ACTION, (2, 1)))[4]
    for name, value in expected.items():
        np.testing.assert_array_equal(infos[name][1], value)
    assert all("westus" in text for text in envs.render())
