"""The environments with a vector of rewards, under MO-Gymnasium's own wrappers and vectors."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mo_gymnasium")

import mo_gymnasium
from mo_gymnasium.wrappers import LinearReward, MOClipReward, MOMaxAndSkipObservation, MONormalizeReward, MORecordEpisodeStatistics
from mo_gymnasium.wrappers.vector import MORecordEpisodeStatistics as MORecordVectorStatistics
from mo_gymnasium.wrappers.vector import MOSyncVectorEnv

from sageserve_env.registration import IDS, MO_IDS

ID = MO_IDS["mini"]
SHORT = {"horizon_s": 900.0}  # three steps
WEIGHTS = np.array([0.5, 0.3, 0.2])


def make(**arguments: Any) -> gym.Env:
    return mo_gymnasium.make(ID, **{**SHORT, **arguments})


def rest(env: gym.Env) -> list[tuple]:
    """Seed, reset and play an episode of actions that change nothing."""
    env.reset(seed=0)
    steps = []
    while not steps or not steps[-1][3]:
        steps.append(env.step(env.action_space.nvec // 2))
    return steps


def native(n: int) -> Any:
    return gym.make_vec(ID, num_envs=n, vectorization_mode="vector_entry_point", **SHORT)


def synchronous(n: int) -> MOSyncVectorEnv:
    return MOSyncVectorEnv([make for _ in range(n)])


@pytest.mark.parametrize("problem", IDS)
def test_every_problem_has_an_id_with_a_vector_of_rewards(problem: str) -> None:
    env = mo_gymnasium.make(f"sageserve_env:{MO_IDS[problem]}")
    space = env.unwrapped.reward_space
    assert env.unwrapped.reward_dim == space.shape[0] == (5 if problem == "globe" else 3)  # egress and carbon are dollars there
    assert env.unwrapped.setup.problem.name == problem


def test_rewards_lie_in_their_space_and_add_up_to_those_of_the_plain_id() -> None:
    steps = rest(make())
    plain = rest(gym.make(IDS["mini"], **SHORT))
    for (_, reward, *_), (_, money, *_) in zip(steps, plain, strict=True):
        assert make().unwrapped.reward_space.contains(reward)
        assert reward[:2].sum() == pytest.approx(money)


@pytest.mark.parametrize("module", ["gymnasium", "mo_gymnasium"])
def test_gymnasiums_checker_does_not_object_to_the_vector(module: str) -> None:
    env = {"gymnasium": gym, "mo_gymnasium": mo_gymnasium}[module].make(ID, **SHORT)
    assert len(rest(env)) == 3


def test_linear_reward_is_the_weighted_sum() -> None:
    for (_, scalar, *_), (_, vector, *_) in zip(rest(LinearReward(make(), WEIGHTS)), rest(make()), strict=True):
        assert scalar == pytest.approx(float(vector @ WEIGHTS))


def test_one_objective_is_normalised_and_the_others_are_kept() -> None:
    for (_, scaled, *_), (_, plain, *_) in zip(rest(MONormalizeReward(make(), 0)), rest(make()), strict=True):
        assert scaled[0] != plain[0]
        np.testing.assert_array_equal(scaled[1:], plain[1:])


def test_one_objective_is_clipped() -> None:
    assert all(step[1][0] == -0.001 for step in rest(MOClipReward(make(), 0, -0.001, 0.0)))


def test_skipped_steps_add_their_rewards() -> None:
    skipped = rest(MOMaxAndSkipObservation(make(), skip=3))
    assert len(skipped) == 1
    np.testing.assert_allclose(skipped[0][1], sum(step[1] for step in rest(make())), rtol=1e-5)


def test_episode_statistics_hold_the_vector() -> None:
    steps = rest(MORecordEpisodeStatistics(make(), gamma=0.9))
    episode = steps[-1][4]["episode"]
    np.testing.assert_allclose(episode["r"], sum(step[1] for step in steps), rtol=1e-5)
    np.testing.assert_allclose(episode["dr"], sum(0.9**k * step[1] for k, step in enumerate(steps)), rtol=1e-5)
    assert episode["l"] == 3


@pytest.mark.parametrize("vectors", [native, synchronous])
def test_statistics_of_vectors(vectors: Callable[[int], Any]) -> None:
    envs = MORecordVectorStatistics(vectors(2))
    assert envs.env.reward_space.shape == (3,)
    envs.reset(seed=0)
    total = np.zeros((2, 3))
    for _ in range(3):
        _, rewards, _, truncated, infos = envs.step(np.full((2, 3), 2))
        assert rewards.shape == (2, 3)
        total += rewards
    assert truncated.all()
    np.testing.assert_allclose(infos["episode"]["r"], total, rtol=1e-5)
    np.testing.assert_array_equal(infos["episode"]["l"], [3, 3])


def test_the_native_vector_is_mo_gymnasiums() -> None:
    ours, theirs = native(2), synchronous(2)
    np.testing.assert_array_equal(ours.reset(seed=4)[0], theirs.reset(seed=4)[0])
    for step in range(5):  # over the end of an episode
        actions = np.full((2, 3), 1 + step % 3)
        for got, expected in zip(ours.step(actions)[:4], theirs.step(actions)[:4], strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-6)
