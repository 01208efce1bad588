"""Rewards: presets at the prices of their problem, and the cost that goes with them."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.rewards import BREACH_PRICES_USD, REWARDS, TERMS, Constrained, Money, as_reward
from sageserve_env.errors import InputError
from sageserve_env.registration import IDS
from sageserve_env.scenarios import load_problem

LATE = {"horizon_s": 1800.0}
NOTHING = {"initial_instances": 0}
"""Where nobody serves, every fast request is late."""


def step_of_breaches(env: FleetEnv) -> tuple[float, dict]:
    env.reset(seed=0, options=NOTHING)
    for _ in range(3):
        _, reward, _, _, info = env.step(np.full(env.action_space.shape, 2))
    assert info["breaches_iw_f"] > 0
    return reward, info


@pytest.mark.parametrize("name", IDS)
def test_presets_charge_the_problems_prices(name: str) -> None:
    prices = load_problem(name).breach_prices_usd
    for reward in REWARDS:
        made = FleetEnv(problem=name, reward=reward).setup.reward
        assert made.name == reward
        assert made.breach_prices_usd == (prices if reward != "latency-first" else tuple(10 * price for price in prices))


def test_breach_dollars_are_breaches_at_their_price() -> None:
    for reward, factor in (("money", 1), ("latency-first", 10)):
        env = FleetEnv(reward=reward, **LATE)
        value, info = step_of_breaches(env)
        late = [info[f"breaches_{tier}"] for tier in ("iw_f", "iw_n", "niw")]
        assert info["breach_usd"] == pytest.approx(factor * np.dot(late, env.setup.problem.breach_prices_usd))
        assert value == pytest.approx(-(info["vm_usd"] + info["breach_usd"]) / 1000)


def test_constrained_leaves_breaches_to_the_cost() -> None:
    value, info = step_of_breaches(FleetEnv(reward="constrained", **LATE))
    assert value == pytest.approx(-info["vm_usd"] / 1000)
    assert info["cost"] == info["breaches_iw_f"] + info["breaches_iw_n"] + info["breaches_niw"] > 0
    envs = VectorFleetEnv(2, reward="constrained", **LATE)
    envs.reset(seed=0)
    _, rewards, _, _, infos = envs.step(np.full((2, 3), 2))
    np.testing.assert_allclose(rewards, -infos["vm_usd"] / 1000)
    assert (rewards < 0).all()


def test_an_object_keeps_its_own_prices() -> None:
    mine = Money(breach_prices_usd=(1.0, 2.0, 3.0))
    assert as_reward(mine, load_problem("mini").world(), (9.0, 9.0, 9.0)) is mine
    assert FleetEnv(reward=mine).setup.reward.breach_prices_usd == (1.0, 2.0, 3.0)
    assert Constrained().breach_prices_usd == Money().breach_prices_usd == BREACH_PRICES_USD


def test_a_problem_without_prices_has_the_packages() -> None:
    problem = load_problem("mini")
    fields = {name: getattr(problem, name) for name in ("name", "id", "summary", "fleet", "source", "splits")}
    plain = type(problem)(**fields, control_interval_s=300.0, horizon_s=3600.0)
    assert plain.breach_prices_usd == BREACH_PRICES_USD
    assert replace(plain, breach_prices_usd=(1.0, 1.0, 1.0)).validated().breach_prices_usd == (1.0, 1.0, 1.0)


def test_the_papers_reward_is_gone_by_name() -> None:
    with pytest.raises(InputError, match=r"reward = 'paper'; choose one of money, latency-first, constrained, vector"):
        FleetEnv(reward="paper")


def test_attainable_requests_are_those_that_came_and_can_be_in_time() -> None:
    env = FleetEnv(**LATE)
    env.reset(seed=0)
    total = dict.fromkeys(TERMS, 0.0)
    for _ in range(6):
        info = env.step(np.full(3, 2))[4]
        total = {name: total[name] + info[name] for name in total}
    seen = env.telemetry()
    attainable = {name: total[f"attainable_{name}"] for name in ("iw_f", "iw_n", "niw")}
    for k, (name, count) in enumerate(attainable.items()):
        assert 0 <= total[f"breaches_{name}"] <= count <= seen.arrived[:, :, k].sum()
    assert attainable["iw_n"] == seen.arrived[:, :, 1].sum()  # a minute is enough for any prompt
    assert sum(attainable.values()) <= total["arrived"]
