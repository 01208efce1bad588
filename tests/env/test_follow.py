"""Reference policies in an environment: the same fleets to choose from, the same simulation, the same accounts as an agent's."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from baselines import ReactivePolicy, StaticPolicy
from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import policy_rng, run_episode
from sageserve_env.scenarios import Scenario, load_problem
from sageserve_env.sim import Knobs

HOUR = {"horizon_s": 3600.0}
DAYS_MODELS = ("llama-3.1-8b", "qwen3-32b", "llama-3.1-70b", "kimi-k2.5")


def knobs_in_force(env: FleetEnv) -> Knobs:
    """What an action has set, read from the simulator."""
    state = {name: array[0] for name, array in env._engine.state.items()}
    endpoint, fleet, model = state["endpoint"], state["fleet"], state["model_knobs"]
    names = ("scale_out_utilization", "scale_in_utilization", "cool_down_s", "emergency_utilization")
    shape = (len(endpoint), len(env.setup.world.vm_types))
    return Knobs(
        fleet["floor"].reshape(shape).astype(np.int32),
        fleet["cap"].reshape(shape).astype(np.int32),
        *(endpoint[name].copy() for name in names),
        model["routing_threshold"].copy(),
        state["region_weight"].reshape(len(env.setup.world.models), -1).copy(),
        np.stack([model["release_high"], model["release_low"]], axis=1),
    )


def bounds(env: FleetEnv) -> tuple[list[int], list[int]]:
    fleet = env._engine.state["fleet"][0]
    return fleet["floor"].tolist(), fleet["cap"].tolist()


@pytest.mark.parametrize("problem", ["mini", "day", "azure"])
def test_follow_is_the_action_of_the_same_knobs(problem: str) -> None:
    acting, following = FleetEnv(problem=problem, action_mode="knobs"), FleetEnv(problem=problem, action_mode="knobs")
    np.testing.assert_array_equal(acting.reset(seed=4)[0], following.reset(seed=4)[0])
    acting.action_space.seed(4)
    for _ in range(8):
        observation, reward, _, is_over, info = acting.step(acting.action_space.sample())
        seen = following.follow(knobs_in_force(acting))
        np.testing.assert_array_equal(seen[0], observation)
        assert (seen[1], seen[3]) == (reward, is_over)
        for name, value in info.items():
            np.testing.assert_array_equal(seen[4][name], value)


@pytest.mark.parametrize("policy", [ReactivePolicy(), ReactivePolicy(scale_in_utilization=0.05), StaticPolicy(instances=2)])
def test_an_environment_simulates_what_a_run_does(policy: object) -> None:
    env = FleetEnv(problem="mini", horizon_s=7200.0)
    env.reset(seed=3)
    episode, world = env.episode, env.setup.world
    scenario = Scenario("mini", world, episode.workload, env.setup.problem.control_interval_s)
    policy.reset(scenario, policy_rng(episode.workload_seed))
    total, is_over = dict.fromkeys(TERMS, 0.0), False
    while not is_over:
        *_, is_over, info = env.follow(policy.decide(env.telemetry()))
        total = {name: total[name] + info[name] for name in total}
    metrics = run_episode(scenario, policy, seed=episode.workload_seed).metrics
    fleet, seen = metrics.fleet_total, env.telemetry()
    assert total["vm_hours"] == pytest.approx(fleet.active_h + fleet.provisioning_h + fleet.draining_h)
    assert total["vm_usd"] == pytest.approx(fleet.dollars)
    assert total["completed"] == metrics.total.completed == seen.completed.sum() > 500
    served = {row.tier: row for row in metrics.service if row.scope == "tier"}
    for k, tier in enumerate(("IW-F", "IW-N", "NIW")):
        assert seen.completed[:, k].sum() == served[tier].completed


def test_admission_orders_are_followed() -> None:
    env, other = FleetEnv(**HOUR), FleetEnv(admission_order="EDF", **HOUR)
    world = env.setup.world
    env.reset(seed=1, options={"scale": 4.0})
    other.reset(seed=1, options={"scale": 4.0})
    for _ in range(3):
        seen = env.follow(Knobs.static(world, "EDF"))[0]
        np.testing.assert_array_equal(seen, other.follow(Knobs.static(world, "EDF"))[0])
    assert env._engine.state["clock"][0, 0]["order"] == 1


def test_what_no_action_reaches_no_policy_reaches() -> None:
    """Paper keeps two instances of each endpoint, and a region has 100 VMs."""
    env = FleetEnv(problem="paper", horizon_s=300.0)
    knobs = Knobs.static(env.setup.world)
    for floor, cap, low, high in ((0, 0, 2, 2), (0, 10**6, 2, 100), (10**6, 10**6, 100, 100), (3, 50, 3, 50)):
        env.reset(seed=0)
        knobs.floor[:], knobs.cap[:] = floor, cap
        env.follow(knobs)
        assert bounds(env) == ([low] * 12, [high] * 12)
        assert env._engine.rows["target"][0].tolist() == [low] * 12


def test_an_endpoint_keeps_its_least_on_its_first_type_only() -> None:
    world = load_problem("day").world()
    env = FleetEnv(problem="day", world=replace(world, scaling=replace(world.scaling, min_instances=2)), horizon_s=600.0)
    env.reset(seed=0)
    knobs = Knobs.static(world)
    knobs.floor[:], knobs.cap[:] = 0, 0
    env.follow(knobs)
    least = {"llama-3.1-8b": [2, 0, 0], "qwen3-32b": [2, 0, 0], "llama-3.1-70b": [0, 2, 0], "kimi-k2.5": [0, 0, 2]}
    assert bounds(env)[0] == bounds(env)[1] == 3 * [count for model in DAYS_MODELS for count in least[model]]
    env.reset(seed=0)
    for _ in range(2):
        env.step(np.zeros(36, int))
    target = FleetEnv(problem="day", world=env.setup.world, action_mode="target", horizon_s=300.0)
    target.reset(seed=0)
    target.step(np.full(36, -1.0))
    assert target._engine.rows["target"][0].tolist() == bounds(env)[0]


@pytest.mark.parametrize("mode", ["delta", "target", "knobs", "multi_timescale", "discrete"])
def test_models_have_no_instances_on_vms_that_cannot_run_them(mode: str) -> None:
    env = FleetEnv(problem="day", action_mode=mode, **HOUR)
    info = env.reset(seed=0)[1]
    runs = can_run(env)
    assert (len(runs), runs.sum()) == (36, 18)
    highest = {"delta": 4, "discrete": 4}.get(mode, 1.0)
    for step in range(4):
        if mode in ("delta", "discrete"):
            assert env.action_masks()[_choices_of(~runs, mode)].sum() == 0
        action = 1 + 4 * (12 * step % 36) + 3 if mode == "discrete" else np.full(env.action_space.shape, highest)
        info = env.step(action)[4]
        floor, cap = (np.array(each) for each in bounds(env))
        assert not floor[~runs].any()
        assert not cap[~runs].any()
        assert not env._engine.rows["target"][0][~runs].any()
    assert np.isfinite(info["vm_usd"])
    knobs = Knobs.static(env.setup.world)
    knobs.floor[:], knobs.cap[:] = 5, 10
    env.follow(knobs)
    floor, cap = (np.array(each) for each in bounds(env))
    most = np.array([env.setup.world.regions[0].vm_capacity[vm.name] for vm in env.setup.world.vm_types] * 12)
    np.testing.assert_array_equal(floor, np.where(runs, np.minimum(5, most), 0))
    np.testing.assert_array_equal(cap, np.where(runs, np.minimum(10, most), 0))


def can_run(env: FleetEnv) -> np.ndarray:
    """Of each fleet, whether its model has a profile on its VM type."""
    world = env.setup.world
    return np.array([vm.name in model.profiles for _ in world.regions for model in world.models for vm in world.vm_types])


def _choices_of(fleets: np.ndarray, mode: str) -> np.ndarray:
    """Of each choice of a mask, whether it changes one of some fleets."""
    changes = np.repeat(fleets[:, None], 5, axis=1)
    changes[:, 2] = False
    return changes.ravel() if mode == "delta" else np.concatenate([[False], np.delete(changes, 2, axis=1).ravel()])


def test_an_agent_takes_over_from_a_policy_and_back() -> None:
    env = FleetEnv(**HOUR)
    env.reset(seed=0)
    knobs = Knobs.static(env.setup.world)
    knobs.floor[:], knobs.cap[:] = 2, 9
    env.follow(knobs)
    assert env._engine.rows["target"][0].tolist() == [2] * 3
    env.step(np.full(3, 3))
    assert bounds(env) == ([3] * 3, [3] * 3)
    env.follow(knobs)
    assert bounds(env) == ([2] * 3, [9] * 3)


def test_followed_episodes_are_restored_and_travel() -> None:
    env = FleetEnv(**HOUR)
    env.reset(seed=2)
    knobs = Knobs.static(env.setup.world)
    knobs.cap[:] = 9
    env.follow(knobs)
    snapshot, copy = env.snapshot(), pickle.loads(pickle.dumps(env))
    ahead = [env.follow(knobs)[0].tobytes() for _ in range(4)]
    assert [copy.follow(knobs)[0].tobytes() for _ in range(4)] == ahead
    env.restore(snapshot)
    assert [env.follow(knobs)[0].tobytes() for _ in range(4)] == ahead


def test_rows_follow_alone() -> None:
    """A row of an engine that is given no knobs stays where it is; the others are single environments."""
    envs, env = VectorFleetEnv(2, **HOUR), FleetEnv(**HOUR)
    envs.reset(seed=5)
    env.reset(seed=6)
    knobs = Knobs.static(env.setup.world)
    knobs.cap[:] = 9
    before = envs._engine.rows["observation"][0].copy()
    envs._engine.follow([None, knobs])
    seen = env.follow(knobs)[0]
    np.testing.assert_array_equal(envs._engine.rows["observation"][0], before)
    np.testing.assert_array_equal(envs._engine.rows["observation"][1], seen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"floor": np.zeros((2, 1), np.int32)}, "knob floor has shape"),
        ({"floor": np.full((3, 1), 5, np.int32)}, "is above cap"),
        ({"scale_out_utilization": np.full(3, np.nan)}, "knob scale_out_utilization"),
        ({"admission_order": "LIFO"}, "knob admission_order = 'LIFO'"),
    ],
)
def test_knobs_that_do_not_fit_change_nothing(change: dict, message: str) -> None:
    env = FleetEnv(**HOUR)
    env.reset(seed=0)
    good = Knobs.static(env.setup.world)
    snapshot = env.snapshot()
    expected = env.follow(good)[0]
    env.restore(snapshot)
    with pytest.raises(InputError, match=message):
        env.follow(replace(good, **change))
    np.testing.assert_array_equal(env.follow(good)[0], expected)


def test_knobs_of_one_bad_row_move_no_row() -> None:
    envs = VectorFleetEnv(2, **HOUR)
    envs.reset(seed=5)
    good = Knobs.static(envs.setup.world)
    before = envs._engine.state["clock"].tobytes()
    with pytest.raises(InputError, match="admission_order"):
        envs._engine.follow([good, replace(good, admission_order="LIFO")])
    assert envs._engine.state["clock"].tobytes() == before


def test_follow_needs_an_episode() -> None:
    env = FleetEnv(horizon_s=300.0)
    knobs = Knobs.static(env.setup.world)
    with pytest.raises(InputError, match=r"follow\(\): no episode is under way; call reset\(\) first"):
        env.follow(knobs)
    with pytest.raises(InputError, match=r"episode: none was begun; call reset\(\) first"):
        _ = env.episode
    env.reset(seed=0)
    assert env.follow(knobs)[3]
    with pytest.raises(InputError, match=r"follow\(\): no episode is under way"):
        env.follow(knobs)
