"""Environments of worlds in which everything goes wrong: alone, in a vector, restored and pickled they are the same."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.scenarios import load_problem
from sageserve_env.world import Faults, PlannedFailure, PlannedOutage, World

VM_TYPE = load_problem("mini").world().vm_types[0].name
REGIONS = [region.name for region in load_problem("mini").world().regions]
EVERYTHING = Faults(
    failures_per_vm_day=23.0,
    repair_median_s=600.0,
    repair_p90_s=3600.0,
    planned_failures=tuple(PlannedFailure(region, VM_TYPE, 400.0, 900.0) for region in REGIONS),
    outages_per_region_day=12.0,
    planned_outages=(PlannedOutage(REGIONS[0], 1500.0, 700.0),),
    lead_time_sigma=0.7,
    spot_leave_median_s=30.0,
    spot_leave_p90_s=300.0,
    evicted_vm_types=(VM_TYPE,),
    router_telemetry_s=20.0,
)


def world_of(faults: Faults) -> World:
    return replace(load_problem("mini").world(), faults=faults)


CONFIG: dict[str, Any] = {"problem": "mini", "horizon_s": 5400.0, "world": world_of(EVERYTHING)}


def trajectory(env: FleetEnv, first: int, end: int) -> list[tuple[bytes, float]]:
    """Observations and rewards of some steps, under actions that the step decides."""
    played = []
    for step in range(first, end):
        observation, reward, *_ = env.step((np.arange(env.action_space.shape[0]) + step) % 5)
        played.append((observation.tobytes(), float(reward)))
    return played


def test_single_vector_restored_and_pickled_are_the_same() -> None:
    env = FleetEnv(**CONFIG)
    env.reset(seed=3)
    n_steps = env.setup.n_steps
    half = n_steps // 2
    first = trajectory(env, 0, half)
    snapshot = pickle.loads(pickle.dumps(env.snapshot()))
    rest = trajectory(env, half, n_steps)
    seen = env.telemetry()
    assert seen.retried.sum() > 0
    assert seen.failed_s.sum() > 0
    restored = FleetEnv(**CONFIG)
    restored.restore(snapshot)
    assert trajectory(restored, half, n_steps) == rest
    envs = VectorFleetEnv(3, **CONFIG)
    envs.reset(seed=[8, 3, 9])
    for step, (observation, reward) in enumerate(first + rest):
        actions = np.tile((np.arange(envs.single_action_space.shape[0]) + step) % 5, (3, 1))
        observations, rewards, *_ = envs.step(actions)
        if step < n_steps - 1:  # the last is the next episode's first
            assert observations[1].tobytes() == observation
        assert rewards[1] == reward
    unpickled = pickle.loads(pickle.dumps(restored))
    assert unpickled.telemetry().retried.tolist() == seen.retried.tolist()
    envs.reset(seed=1)
    envs.restore(snapshot, [2])
    for step in range(half, n_steps - 1):
        observations, rewards, *_ = envs.step(np.tile((np.arange(envs.single_action_space.shape[0]) + step) % 5, (3, 1)))
        assert (observations[2].tobytes(), rewards[2]) == rest[step - half]


def test_forks_of_one_alone_and_in_a_vector_are_the_same() -> None:
    """The same seed is the same future, faults included, whoever plays it; another seed is another."""
    env, envs = FleetEnv(**CONFIG), VectorFleetEnv(2, **CONFIG)
    env.reset(seed=3)
    envs.reset(seed=[8, 3])
    trajectory(env, 0, 6)
    for step in range(6):
        envs.step(np.tile((np.arange(envs.single_action_space.shape[0]) + step) % 5, (2, 1)))
    played = []
    for fork in (env.fork(5), env.fork(5), envs.fork(1, 5), env.fork(6)):
        env.restore(pickle.loads(pickle.dumps(fork)))
        played.append(trajectory(env, 6, env.setup.n_steps))
        played[-1].append((env.telemetry().failed_s.tobytes(), float(env.telemetry().retried.sum())))
    assert played[0] == played[1] == played[2]
    assert played[3][-1] != played[0][-1]
    envs.restore(envs.fork(1, 5), [0])
    for step in range(6, env.setup.n_steps - 1):
        observations, rewards, *_ = envs.step(np.tile((np.arange(envs.single_action_space.shape[0]) + step) % 5, (2, 1)))
        assert (observations[0].tobytes(), rewards[0]) == played[0][step - 6]


def test_episodes_differ_and_the_same_seed_does_not() -> None:
    env = FleetEnv(**CONFIG)
    lost = []
    for seed in (1, 2, 1):
        env.reset(seed=seed)
        trajectory(env, 0, 8)
        lost.append(env.telemetry().failed_s.tobytes())
    assert lost[0] == lost[2] != lost[1]


@pytest.mark.parametrize("mode", ["delta", "discrete"])
def test_masks_do_not_offer_vms_that_are_not_there(mode: str) -> None:
    """While a region is out no rise can be made there; targets stay what they were, and are met again afterwards."""
    faults = Faults(planned_outages=(PlannedOutage(REGIONS[0], 400.0, 1000.0),))
    env = FleetEnv(problem="mini", horizon_s=3600.0, world=world_of(faults), action_mode=mode)
    _, info = env.reset(seed=0)
    rises = info["action_mask"][0, 3:] if mode == "delta" else info["action_mask"][3:5]
    assert rises.any()
    instances = env.telemetry().active[0, 0]
    hold = np.full(env.action_space.shape, 2) if mode == "delta" else 0
    for at_s, offered in ((300.0, True), (600.0, False), (900.0, False), (1200.0, False), (1500.0, True)):
        _, _, _, _, info = env.step(hold)
        rises = info["action_mask"][0, 3:] if mode == "delta" else info["action_mask"][3:5]
        assert env.telemetry().now_s == at_s
        assert rises.any() == offered
    assert env.telemetry().active[0, 0] + env.telemetry().provisioning[0, 0] == instances


def test_a_failed_vm_is_not_paid_for_and_its_floor_is_met_by_another() -> None:
    faults = Faults(planned_failures=(PlannedFailure(REGIONS[0], VM_TYPE, 30.0, 1e6),))
    env, sound = (FleetEnv(problem="mini", horizon_s=3600.0, world=world_of(given)) for given in (faults, Faults()))
    for one in (env, sound):
        one.reset(seed=0)
        _, _, _, _, info = one.step(np.full(one.action_space.shape, 2))
        one.hours = info["vm_hours"] + info["spot_hours"]
    assert env.telemetry().failed[0, 0] == 1
    assert env.hours == pytest.approx(sound.hours - 270 / 3600)
    assert env.telemetry().provisioning[0, 0] + env.telemetry().active[0, 0] == sound.telemetry().active[0, 0]
