"""Fleets side by side: each as a single environment, whoever else steps or stays."""

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.env.fleets import Fleets
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.scenarios import load_problem
from sageserve_env.sim import Knobs

PROBLEM = load_problem("mini").with_overrides(horizon_s=1800.0)


def single(seed: int, **view) -> FleetEnv:
    env = FleetEnv(problem=PROBLEM, **view)
    env.reset(seed=seed)
    return env


@pytest.mark.parametrize("n_threads", [1, 2])
def test_each_is_bit_identical_to_an_environment(n_threads: int) -> None:
    """One acts, one follows knobs, and one begins late; each at its own pace."""
    view = {"telemetry_noise": 0.1, "forecaster": "recurring"}
    fleets, rng = Fleets(3, n_threads, problem=PROBLEM, **view), np.random.default_rng(0)
    envs = [single(seed, **view) for seed in range(3)]
    knobs = Knobs.static(envs[0].setup.world)
    for number in range(6):
        for seed, (fleet, env) in enumerate(zip(fleets.each, envs, strict=True)):
            if number == 2 * (seed == 2):
                fleet.begin(seed)
            if (seed == 2 and number < 2) or (seed == 1 and number % 2):
                continue
            assert not fleet.is_over
            if seed == 1:
                fleet.follow(knobs)
                env.follow(knobs)
            else:
                action = [rng.choice(np.flatnonzero(each)) for each in env.action_masks().reshape(env.setup.mask_shape)]
                fleet.act(action)
                env.step(action)
        fleets.step()
        for fleet, env in zip(fleets.each[: 2 + (number >= 2)], envs, strict=False):
            assert fleet.observation().tobytes() == env._observer.observation().tobytes()
            assert dict(zip(TERMS, fleet.terms, strict=True)) == env.reward_terms
            assert fleet.episode_terms == env.episode_terms
    assert [fleet.is_over for fleet in fleets.each] == [True, False, False]
    fleets.close()


def test_nothing_moves_that_was_told_nothing() -> None:
    fleets = Fleets(2, problem=PROBLEM)
    fleets.step()
    fleets.each[0].begin(0)
    before = fleets.each[0].snapshot()
    fleets.step()
    after = fleets.each[0].snapshot()
    assert all(array.tobytes() == after.row.state[name].tobytes() for name, array in before.row.state.items())
    assert fleets.each[0].telemetry().now_s == 0.0


def test_what_is_refused_moves_nothing() -> None:
    fleets = Fleets(problem=PROBLEM)
    fleets.each[0].begin(0)
    for action in (np.nan, [0], "much"):
        with pytest.raises(InputError):
            fleets.each[0].act(action)
    fleets.step()
    assert fleets.each[0].telemetry().now_s == 0.0
    with pytest.raises(TypeError, match="did you mean 'problem'"):
        Fleets(problm="mini")
