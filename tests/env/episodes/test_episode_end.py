"""How episodes end: at their horizon, at a limit of steps, or where more requests than may be are in the system."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeAwareObservation

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.errors import InputError
from sageserve_env.registration import IDS
from sageserve_env.scenarios import load_problem

KINDS = ["vector_entry_point", "sync", "async"]
ROOM = 400
FULL = {"max_in_flight": ROOM, "horizon_s": 7200.0}
"""Room for so few requests that they fill it within two hours where Mini has no instances."""

SEEDS = (3, 5, 6)


def steps_until_the_end(env: gym.Env) -> int:
    env.reset(seed=0)
    for step in range(1, 10_000):
        if env.step(env.action_space.sample())[3]:
            return step
    raise AssertionError("no end")


@pytest.mark.parametrize("name", IDS)
def test_spec_tells_the_steps_of_an_episode(name: str) -> None:
    problem = load_problem(name)
    steps = round(problem.horizon_s / problem.control_interval_s)
    assert gym.make(IDS[name]).spec.max_episode_steps == steps
    assert gym.make_vec(IDS[name], num_envs=2).spec.max_episode_steps == steps


@pytest.mark.parametrize(
    ("config", "steps"), [({}, 20), ({"control_interval_s": 10.0}, 60), ({"horizon_s": 630.0}, 21), ({"horizon_s": 60.0}, 2)]
)
def test_no_limit_cuts_an_episode_that_arguments_make_longer(config: dict, steps: int) -> None:
    env = gym.make("SageServe/Azure-v0", split="test", **config)
    assert env.spec.max_episode_steps == steps
    assert steps_until_the_end(env) == steps
    assert gym.make(env.spec).spec == env.spec
    assert steps_until_the_end(pickle.loads(pickle.dumps(env))) == steps


def test_a_limit_of_steps_truncates_and_wrappers_know_it() -> None:
    env = gym.make("SageServe/Mini-v0", max_episode_steps=2)
    assert env.spec.max_episode_steps == 2
    assert steps_until_the_end(env) == 2
    timed = TimeAwareObservation(env, flatten=True)
    assert timed.reset(seed=0)[0].shape == (88,)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_limit_of_steps_truncates_every_kind_of_vector(mode: str) -> None:
    ends = {}
    for kind in KINDS:
        more = {"autoreset_mode": mode} if kind == "vector_entry_point" else {"vector_kwargs": {"autoreset_mode": mode}}
        envs = gym.make_vec(
            "SageServe/Mini-v0", num_envs=2, vectorization_mode=kind, max_episode_steps=2, render_mode="ansi", **more
        )
        observations = [envs.reset(seed=0)[0]]
        truncated = []
        for _ in range(5):
            observation, _, _, is_over, _ = envs.step(np.full((2, 3), 3))
            observations.append(observation)
            truncated.append(is_over.tolist())
        assert envs.render_mode == "ansi"
        assert all("westus" in text for text in envs.render())
        envs.close()
        ends[kind] = (np.stack(observations).tobytes(), truncated)
    assert len({str(end) for end in ends.values()}) == 1
    assert ends["sync"][1][:2] == [[False, False], [True, True]]


@pytest.mark.parametrize(("limit", "steps"), [(None, 3), (-1, 3), (2, 2), (9, 3)])
def test_a_vectors_limit_never_lengthens_an_episode(limit: int | None, steps: int) -> None:
    envs = VectorFleetEnv(1, horizon_s=900.0, max_episode_steps=limit)
    envs.reset(seed=0)
    assert [bool(envs.step([[2, 2, 2]])[3][0]) for _ in range(3)].index(True) + 1 == steps


def overfull_episode(env: FleetEnv, seed: int) -> list[tuple]:
    """Each step of an episode with ever fewer instances: observation, reward, end, and the infos but for the mask."""
    env.reset(seed=seed, options={"initial_instances": 2, "start_s": 10_800.0})
    steps, is_over = [], False
    while not is_over:
        observation, reward, terminated, is_over, info = env.step(np.zeros(3, int))
        assert env.observation_space.contains(observation)
        assert np.isfinite(reward)
        assert not terminated
        steps.append((observation, reward, is_over, info))
    return steps


def test_a_full_pool_truncates_the_episode_with_its_reason() -> None:
    env = FleetEnv(**FULL)
    for seed in SEEDS:
        steps = overfull_episode(env, seed)
        assert [info["is_overfull"] for *_, info in steps] == [False] * (len(steps) - 1) + [True]
        assert 1 <= len(steps) < env.setup.n_steps
        fleet, vm_hours = env.telemetry(), sum(info["vm_hours"] for *_, info in steps)
        assert (len(steps) - 1) * 300.0 <= fleet.now_s < len(steps) * 300.0  # the last interval ends early
        assert vm_hours == pytest.approx((fleet.active_s + fleet.provisioning_s + fleet.draining_s).sum() / 3600)
        assert fleet.arrived.sum() - fleet.completed.sum() == ROOM
        with pytest.raises(InputError, match="call reset"):
            env.step(np.zeros(3, int))
        assert not env.reset(seed=0)[1]["is_overfull"]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_in_a_vector_only_the_full_row_ends(mode: AutoresetMode) -> None:
    env = FleetEnv(**FULL)
    alone = [overfull_episode(env, seed) for seed in SEEDS]
    envs = VectorFleetEnv(3, autoreset_mode=mode, num_threads=2, **FULL)
    envs.reset(seed=list(SEEDS), options={"initial_instances": 2, "start_s": 10_800.0})
    lengths = [len(steps) for steps in alone]
    assert len(set(lengths)) > 1
    for step in range(min(lengths) if mode is AutoresetMode.DISABLED else max(lengths)):
        observations, rewards, _, truncated, infos = envs.step(np.zeros((3, 3), int))
        for row, steps in enumerate(alone):
            if step >= len(steps):
                continue
            observation, reward, is_over, info = steps[step]
            is_final = is_over and mode is AutoresetMode.SAME_STEP
            told = infos["final_info"] if is_final else infos
            np.testing.assert_array_equal(infos["final_obs"][row] if is_final else observations[row], observation)
            assert (rewards[row], truncated[row]) == (reward, is_over)
            for name, value in info.items():
                np.testing.assert_array_equal(told[name][row], value)
    envs.close()


def test_training_goes_on_over_many_full_pools() -> None:
    envs = VectorFleetEnv(4, autoreset_mode="SameStep", max_in_flight=1, horizon_s=3600.0)
    envs.reset(seed=0)
    ends = 0
    for _ in range(40):
        observations, rewards, _, truncated, infos = envs.step(envs.action_space.sample())
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()
        ends += truncated.sum()
        if truncated.any():
            assert infos["final_info"]["is_overfull"][truncated].all()
    assert ends > 40


GRACE_S = load_problem("mini").niw_grace_s
UNSERVED = {"initial_instances": 0, "start_s": 36_000.0, "day": 0}
HOLD = np.full(3, 2)


def niw_by_age(env: FleetEnv, at_s: float) -> tuple[int, int]:
    """NIW of the episode under way that has come by ``at_s``: older than the grace, and all."""
    requests = env.episode.workload.stream(env.setup.world, env.episode.workload_seed).next_chunk()
    age_s = at_s - requests["arrival_s"][requests["tier"] == 2]
    return int(np.sum(age_s > GRACE_S)), int(np.sum(age_s > 0))


def held(env: FleetEnv, seed: int = 0) -> list[dict]:
    """Infos of an episode in which nobody serves."""
    env.reset(seed=seed, options=UNSERVED)
    infos, is_over = [], False
    while not is_over:
        *_, is_over, info = env.step(HOLD)
        infos.append(info)
    return infos


@pytest.mark.parametrize("hours", [2, 3])
def test_niw_that_is_old_and_unserved_at_the_horizon_is_late(hours: int) -> None:
    env = FleetEnv(horizon_s=hours * 3600.0)
    *before, last = held(env)
    old, arrived = niw_by_age(env, hours * 3600.0)
    assert [info["breaches_niw"] for info in before] == [0.0] * (12 * hours - 1)
    assert 0 < last["breaches_niw"] == old < arrived
    assert sum(info["attainable_niw"] for info in (*before, last)) == arrived


def test_niw_that_is_young_at_the_horizon_is_not_late() -> None:
    env = FleetEnv(horizon_s=GRACE_S)
    infos = held(env)
    assert niw_by_age(env, GRACE_S)[1] > 0
    assert sum(info["breaches_niw"] for info in infos) == 0


def test_a_longer_episode_books_nothing_before_its_own_horizon() -> None:
    long, short = FleetEnv(horizon_s=9000.0), FleetEnv(horizon_s=7200.0)
    infos, others = held(long), held(short)
    assert infos[23]["breaches_niw"] == 0 < others[23]["breaches_niw"]
    assert infos[-1]["breaches_niw"] == niw_by_age(long, 9000.0)[0]


def test_niw_that_was_late_already_is_not_late_again() -> None:
    env = FleetEnv(horizon_s=8 * 3600.0)
    infos = held(env)
    before = sum(info["breaches_niw"] for info in infos[:-1])
    assert before > 0  # past its level of six hours
    assert before + infos[-1]["breaches_niw"] == niw_by_age(env, 8 * 3600.0)[0]


def test_niw_that_is_done_is_not_late() -> None:
    env = FleetEnv(horizon_s=7200.0)
    env.reset(seed=0, options=UNSERVED | {"initial_instances": 6})
    late = [env.step(HOLD)[4]["breaches_niw"] for _ in range(24)]
    assert late == [0.0] * 24
    assert env.telemetry().completed[:, 2].sum() > 0


def test_a_full_pool_makes_all_its_niw_late() -> None:
    env = FleetEnv(**FULL)
    *before, last = held(env)
    assert last["is_overfull"]
    now_s = env.telemetry().now_s
    assert now_s < GRACE_S
    assert sum(info["breaches_niw"] for info in before) == 0
    assert last["breaches_niw"] == niw_by_age(env, now_s)[1] > 0


def test_vectors_and_restored_environments_book_the_same() -> None:
    env, envs = FleetEnv(horizon_s=7200.0), VectorFleetEnv(2, autoreset_mode="Disabled", horizon_s=7200.0)
    last = held(env, seed=1)[-1]
    envs.reset(seed=[0, 1], options=UNSERVED)
    for step in range(24):
        if step == 20:
            snapshot = envs.snapshot(1)
        infos = envs.step(np.tile(HOLD, (2, 1)))[4]
    assert infos["breaches_niw"][1] == last["breaches_niw"] > 0
    env.restore(snapshot)
    again = [env.step(HOLD)[4]["breaches_niw"] for _ in range(4)]
    assert again == [0.0, 0.0, 0.0, last["breaches_niw"]]
