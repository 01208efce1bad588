"""Forks: the state of now, a future drawn anew, and nothing else touched."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.errors import InputError
from sageserve_env.scenarios import load_problem
from sageserve_env.sim.state import DOWN
from sageserve_env.world import Faults

MINI = load_problem("mini")
NOISY = {"day": 0, "variant": 4}
CONFIG = {"split": "test", "horizon_s": 4 * 3600.0}
STEPS = 20


def begun(steps=STEPS, options=NOISY, **config):
    env = FleetEnv(**{**CONFIG, **config})
    env.reset(seed=3, options=options)
    play(env, steps)
    return env


def play(env, steps):
    """Hold the fleet; the bytes of what was seen, and the arrivals of each step."""
    seen, arrived = [], []
    for _ in range(steps):
        observation, *_, info = env.step(np.full(env.action_space.shape, 2))
        seen.append(np.asarray(observation).tobytes())
        arrived.append(int(info["arrived"]))
    return seen, arrived


def test_the_same_seed_gives_the_same_future_and_another_another():
    env = begun()
    futures = {}
    for seed in (7, 7, 8):
        env.restore(begun().fork(seed))
        futures.setdefault(seed, []).append(play(env, 10))
    assert futures[7][0] == futures[7][1]
    assert futures[7][0][1] != futures[8][0][1]


def test_the_original_goes_on_as_if_nothing_had_been_forked():
    env, other = begun(), begun()
    forks = [env.fork(seed) for seed in range(3)]
    assert play(env, 10) == play(other, 10)
    env.restore(forks[0])
    assert play(env, 10) != play(other, 10)


def test_a_fork_is_the_state_of_now_bit_for_bit():
    env = begun()
    now, fork = env.snapshot(), env.fork(5)
    for name, array in now.row.state.items():
        mine = fork.row.state[name]
        if name == "clock":  # where in the buffer of requests to come, and what draws faults
            array, mine = array.copy(), mine.copy()
            for field in ("cursor", "fault_seed"):
                array[field] = mine[field] = 0
        assert array.tobytes() == mine.tobytes(), name
    for name in ("target", "history", "seen", "served", "observation", "mask", "terms"):
        assert now.row.rows[name].tobytes() == fork.row.rows[name].tobytes(), name
    seen = env.telemetry()
    env.restore(fork)
    np.testing.assert_array_equal(env.telemetry().arrived, seen.arrived)
    assert env.telemetry().now_s == seen.now_s


def test_no_seed_gives_the_true_future():
    env = begun(0, options={"day": 0, "variant": 0})
    true_seed = env.episode.workload_seed
    true = play(begun(0, options={"day": 0, "variant": 0}), 20)[1]
    for seed in (0, 3, true_seed):
        other = begun(0, options={"day": 0, "variant": 0})
        other.restore(other.fork(seed))
        assert play(other, 20)[1] != true


def test_futures_have_the_law_of_the_workload():
    """Over many forks of one instant the arrivals have the mean that the intensity says, less the noise that is not known."""
    options = {"day": 0, "variant": 0}
    env = begun(12, options=options)
    intensity = env.episode.workload.folded(0)
    now_s, end_s = 3600.0, 4 * 3600.0
    middles = (intensity.edges[:-1] + intensity.edges[1:]) / 2
    inside = (middles > now_s) & (middles < end_s)
    expected = float((intensity.rate * np.diff(intensity.edges))[:, inside].sum())
    counts = []
    for seed in range(12):
        env.restore(begun(12, options=options).fork(seed))
        counts.append(sum(play(env, 36)[1]))
    assert np.mean(counts) == pytest.approx(expected, abs=4 * np.sqrt(expected / len(counts)))
    assert len(set(counts)) > 6


def test_single_vector_and_pickled_forks_go_the_same_way():
    env = begun()
    fork = env.fork(11)
    envs = VectorFleetEnv(3, **CONFIG)
    envs.reset(seed=0)
    envs.restore(fork)
    assert envs.fork(0, 1).row.rows["series"].tobytes() == pickle.loads(pickle.dumps(envs.fork(2, 1))).row.rows["series"].tobytes()
    env.restore(pickle.loads(pickle.dumps(fork)))
    actions = np.full(env.action_space.shape, 2)
    for _ in range(10):
        observation = env.step(actions)[0]
        for row in envs.step(np.tile(actions, (3, 1)))[0]:
            np.testing.assert_array_equal(row, observation)
    again = env.snapshot()  # a snapshot within a fork sees the fork's future
    first = play(env, 5)
    env.restore(again)
    assert play(env, 5) == first


def test_a_fork_of_a_fork_at_the_same_instant_forgets_the_first():
    env = begun(options={"day": 0, "variant": 0})
    direct = env.fork(2)
    env.restore(env.fork(1))
    env.restore(env.fork(2))
    through = play(env, 8)
    env.restore(direct)
    assert play(env, 8) == through


def test_noise_of_the_telemetry_is_drawn_anew():
    env = begun(telemetry_noise=0.3)
    fork, truth = env.fork(1), env.snapshot()
    noises = [each.seen.noise["state"] for each in (fork, truth)]
    assert noises[0] != noises[1]
    assert fork.seen.frames.tobytes() == truth.seen.frames.tobytes()


def test_faults_to_come_are_drawn_anew_and_what_is_down_stays_down():
    faults = Faults(failures_per_vm_day=20.0, repair_median_s=600.0, repair_p90_s=3600.0, lead_time_sigma=0.5)
    env = begun(world=replace(MINI.world(), faults=faults))
    now, fork = (each.row.state["fault"] for each in (env.snapshot(), env.fork(1)))
    is_down = now["phase"] == DOWN
    assert is_down.any()
    assert fork[is_down].tobytes() == now[is_down].tobytes()
    assert (fork["start_s"][~is_down] != now["start_s"][~is_down]).all()
    assert (fork["start_s"][~is_down] > env.telemetry().now_s).all()
    failed = []
    for seed in (1, 1, 2):
        env.restore(begun(world=replace(MINI.world(), faults=faults)).fork(seed))
        play(env, 12)
        failed.append(env.telemetry().failed_s.tobytes())
    assert failed[0] == failed[1] != failed[2]


def test_what_cannot_be_forked_is_named():
    env = begun(2)
    for seed in (-1, 2**64, 1.5, "x", None, True):
        with pytest.raises(InputError, match=r"fork\(seed=.*\): give a whole number from 0 to"):
            env.fork(seed)
    with pytest.raises(InputError, match="no episode is under way"):
        FleetEnv().fork(0)
    short = begun(0, horizon_s=300.0)
    play(short, 1)
    with pytest.raises(InputError, match="no episode is under way"):
        short.fork(0)
    recorded = FleetEnv(problem="azure")
    recorded.reset(seed=0)
    with pytest.raises(InputError, match=r"fork\(\): the requests of .* are recorded and have no law to draw others by"):
        recorded.fork(0)
    envs = VectorFleetEnv(2)
    envs.reset(seed=0)
    with pytest.raises(InputError, match="row = 2 is none"):
        envs.fork(2, 0)


def test_a_fork_goes_where_a_snapshot_goes():
    fork = begun().fork(1)
    other = FleetEnv(**{**CONFIG, "world": replace(MINI.world(), lead_times=replace(MINI.world().lead_times, reclaim_s=61.0))})
    with pytest.raises(InputError, match=r"it was taken with another world.lead_times"):
        other.restore(fork)
