"""Recorded episodes: actions that do what the controller's fleet does, the environment's own numbers, the same ones again."""

import numpy as np
import pytest

from sageserve_env.datasets.fleets import Bounds
from sageserve_env.datasets.record import Recording
from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.runner import policy_rng
from sageserve_env.scenarios.scenario import Scenario

MINI, HOUR = "SageServe/Mini-v0", {"horizon_s": 3600.0}


def recording(policy: str = "reactive", mix=None, episodes: int = 1, **more) -> Recording:
    return Recording(load_policy(policy), MINI, mix or {"expert": 1.0}, episodes, **HOUR, **more)


@pytest.mark.parametrize("problem", ["mini", "day", "storm", "globe"])
def test_bounds_are_those_of_the_actions(problem: str) -> None:
    """The least fleet and one with a single endpoint at its most come out as the environment carries them out."""
    env = FleetEnv(problem=problem, action_mode="target", control_interval_s=60.0, horizon_s=120.0)
    bounds = Bounds(env.setup.world)
    env.reset(seed=0)
    env.step(bounds.action(bounds.least))
    targets = env._engine.rows["target"][0]
    assert np.array_equal(targets, bounds.least)
    room = np.flatnonzero(bounds.most > bounds.least)
    for place in (room[0], room[-1]):
        wanted = bounds.least.copy()
        wanted[place] = (bounds.least[place] + bounds.most[place]) // 2
        env.reset(seed=0)
        env.step(bounds.action(wanted))
        assert np.array_equal(env._engine.rows["target"][0], wanted)


def test_a_held_fleet_is_followed_exactly() -> None:
    """Of a controller whose floor is its cap, nothing is lost: the recorded episode costs what its own costs."""
    made = recording("static")
    (episode,) = made.episodes()
    env = FleetEnv(problem="mini", **HOUR)
    env.reset(seed=episode.seed)
    policy = load_policy("static")
    policy.reset(Scenario("mini", env.setup.world, env.episode.workload, env.setup.problem.control_interval_s), policy_rng(0))
    for step in range(12):
        *_, info = env.follow(policy.decide(env.telemetry()))
        assert all(episode.infos[name][step + 1] == info[name] for name in TERMS)


def test_a_scaling_fleet_is_followed_an_interval_later() -> None:
    """What the action asks for at an instant is what the controller's own fleet has or gets then."""
    (episode,) = recording("reactive").episodes()
    env = FleetEnv(problem="mini", **HOUR)
    env.reset(seed=episode.seed)
    policy, bounds = load_policy("reactive"), Bounds(env.setup.world)
    policy.reset(Scenario("mini", env.setup.world, env.episode.workload, env.setup.problem.control_interval_s), policy_rng(0))
    counts = []
    for action in episode.actions:
        telemetry = env.telemetry()
        counts.append((telemetry.active + telemetry.provisioning).ravel())
        assert np.array_equal(action, bounds.action(counts[-1]))
        env.follow(policy.decide(telemetry))
    assert len(np.unique(counts, axis=0)) > 3


def test_what_is_recorded_is_what_the_environment_says() -> None:
    made = recording(mix={"random": 0.5, "noisy": 0.5}, episodes=2)
    episodes = list(made.episodes())
    assert {each.kind for each in episodes} == {"random", "noisy"}
    for each in episodes:
        env = FleetEnv(problem="mini", action_mode="target", **HOUR)
        observation, _ = env.reset(seed=each.seed)
        assert np.array_equal(observation, each.observations[0])
        for step, action in enumerate(each.actions):
            observation, reward, _, is_over, info = env.step(action)
            assert np.array_equal(observation, each.observations[step + 1])
            assert (reward, is_over, info["cost"]) == (each.rewards[step], each.is_truncated[step], each.infos["cost"][step + 1])
        assert is_over
        assert each.facts()["usd"] == pytest.approx(-1000 * each.rewards.sum())


def test_the_same_seed_records_the_same_and_another_does_not() -> None:
    """An episode depends on its number only, not on those before it."""
    mix = {"noisy": 1.0}
    first, again, other = (recording(mix=mix, episodes=2, seed=seed) for seed in (1, 1, 2))
    facts = [each.facts() for each in first.episodes()]
    assert [again.episode("noisy", 1).facts(), again.episode("noisy", 0).facts()] == facts[::-1]
    assert other.episode("noisy", 0).facts()["outcomes"] != facts[0]["outcomes"]


def test_random_fleets_cover_what_is_possible() -> None:
    actions = np.concatenate([each.actions for each in recording(mix={"random": 1.0}, episodes=12).episodes()])
    shares = np.histogram(actions, bins=4, range=(-1, 1))[0] / actions.size
    assert (shares > 0.1).all()
    assert (np.diff(actions[:12], axis=0) == 0).mean() > 0.5  # levels are held


@pytest.mark.parametrize(
    ("policy", "more", "told"),
    [
        ("oracle", {}, "knows the future"),
        ("reactive", {"split": "test"}, "split = 'test'"),
        ("reactive", {"episodes": 0}, "episodes = 0"),
        ("reactive", {"seed": -1}, "seed = -1"),
    ],
)
def test_what_cannot_be_recorded_is_refused(policy: str, more, told: str) -> None:
    with pytest.raises(InputError, match=told):
        recording(policy, **more)
