"""One agent for several prices of breaches or service levels: its observation, reward and saved form have it."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

from agents.inference.conditioned import Conditioned, entry_of, with_condition
from agents.inference.mlp import Mlp
from agents.inference.saved import load_agent, save_agent
from agents.training.algorithms import ALGORITHMS
from agents.training.checkpoint import SEEN, checkpoints
from agents.training.conditioned import ConditionedEnvs, LevelPrices
from agents.training.settings import settings_of
from agents.training.train import train
from agents.training.vector import training_envs
from sageserve_env.adapters.sb3 import SB3VecEnv
from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.env.rewards import USD_PER_REWARD
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from tests.agents.helpers import tiny_plan

EPISODE = {"problem": "mini", "horizon_s": 1800.0, "num_threads": 1}


def test_the_observation_carries_the_price_and_the_reward_uses_it():
    envs, plain = ConditionedEnvs(SB3VecEnv(4, **EPISODE), "price_factor", 0.25, 4.0, seed=1), SB3VecEnv(4, **EPISODE)
    for each in (envs, plain):
        each.seed(3)
    envs.set_options({"initial_instances": 1, "scale": 3.0})
    plain.set_options({"initial_instances": 1, "scale": 3.0})
    first, seen = envs.reset(), plain.reset()
    np.testing.assert_array_equal(first[:, :-1], seen)
    breached, drawn = 0.0, []
    for _ in range(12):
        factors = envs.factors.copy()
        drawn.append(factors)
        actions = np.full((4, 3), 2)
        observations, rewards, dones, infos = envs.step(actions)
        seen, money, was_over, told = plain.step(actions)
        breach_usd = np.array([info["breach_usd"] for info in told])
        rest_usd = -money * USD_PER_REWARD - breach_usd
        np.testing.assert_allclose(-rewards * USD_PER_REWARD, rest_usd + factors * breach_usd, rtol=1e-4)
        np.testing.assert_array_equal(observations, with_condition(seen, "price_factor", envs.values))
        assert (dones == was_over).all()
        assert (envs.factors[~dones] == factors[~dones]).all()
        for row in np.flatnonzero(dones):
            last = with_condition(told[row]["terminal_observation"], "price_factor", factors[row])
            np.testing.assert_array_equal(infos[row]["terminal_observation"], last)
        breached += breach_usd.sum()
    assert breached > 0
    assert len(np.unique(drawn)) == 8  # two episodes of each row
    assert 0.25 <= np.min(drawn) < 1 < np.max(drawn) <= 4.0


def test_a_level_is_seen_and_breaches_cost_what_was_found_for_it():
    envs, plain = ConditionedEnvs(SB3VecEnv(4, **EPISODE), "level", 0.9, 0.99, seed=1), SB3VecEnv(4, **EPISODE)
    for each in (envs, plain):
        each.seed(3)
        each.set_options({"initial_instances": 1, "scale": 3.0})
        each.reset()
    late, due, lines = np.zeros(4), np.zeros(4), [envs.prices.line.copy()]
    expected = LevelPrices()
    for _ in range(12):
        levels, factors = envs.values.copy(), envs.factors.copy()
        assert ((levels >= 0.9) & (levels <= 0.99)).all()
        np.testing.assert_array_equal(factors, expected.factors(levels))
        actions = np.full((4, 3), 2)
        observations, rewards, dones, _ = envs.step(actions)
        _, money, _, told = plain.step(actions)
        breach_usd = np.array([info["breach_usd"] for info in told])
        np.testing.assert_allclose(rewards, money - (factors - 1.0) * breach_usd / USD_PER_REWARD, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(observations[:, -1], entry_of("level", envs.values).astype(np.float32))
        late += [info["breaches_iw_f"] for info in told]
        due += [info["attainable_iw_f"] for info in told]
        for row in np.flatnonzero(dones):
            expected.adapt(levels[row], late[row] / max(due[row], 1.0))
        late[dones] = due[dones] = 0.0
        lines.append(envs.prices.line.copy())
    np.testing.assert_array_equal(envs.prices.line, expected.line)
    assert len(np.unique(lines, axis=0)) == 3  # after each of the two rounds of episodes


def test_prices_settle_where_each_level_is_held():
    """Of a fleet that is late the less the dearer a breach is, each level gets the price at which it is just held."""
    prices, rng = LevelPrices(), np.random.default_rng(0)
    levels = np.array([0.9, 0.95, 0.99])
    for level in rng.choice(levels, 4000):
        prices.adapt(level, 0.1 / float(prices.factors(np.array(level))))
    np.testing.assert_allclose(prices.factors(levels), [1.0, 2.0, 10.0], rtol=0.3)
    other = LevelPrices()
    other.restore(prices.state())
    np.testing.assert_array_equal(other.factors(levels), prices.factors(levels))


def test_what_levels_cost_outlives_a_stop(tmp_path):
    train(tiny_plan(tmp_path, "maskable-ppo", 192, levels=(0.9, 0.99)), tmp_path / "run")
    agent = load_agent(tmp_path / "run" / "last", level=0.98)
    assert (agent.condition, agent.value) == ("level", 0.98)
    plan = tiny_plan(tmp_path, "maskable-ppo", 384, levels=(0.9, 0.99))
    with np.load(checkpoints(tmp_path / "run")[-1] / SEEN, allow_pickle=False) as arrays:
        kept = dict(arrays)
    fresh = training_envs("mini", plan.settings, 0, 1)[1]
    fresh.restore(kept | {"prices.line": np.array([0.5, 1.5])})
    np.testing.assert_array_equal(fresh.state()["prices.line"], [0.5, 1.5])
    assert len(train(plan, tmp_path / "run", resume=True)) >= 2


def test_it_trains_and_its_saved_form_takes_a_price(tmp_path):
    plan = tiny_plan(tmp_path, "maskable-ppo", 192, price_factors=(0.5, 2.0))
    train(plan, tmp_path / "run")
    agent = load_agent(tmp_path / "run" / "last")
    assert isinstance(agent, Conditioned)
    assert (agent.condition, agent.value) == ("price_factor", 1.0)
    dear = load_agent(tmp_path / "run" / "last", price_factor=2.0)
    n = len(agent.network.mean) - 1
    seen = [with_condition(np.zeros(n), "price_factor", each.value) for each in (agent, dear)]
    outputs = [agent.network.outputs(agent.network.normalised(each)) for each in seen]
    assert not np.array_equal(*outputs)
    assert len(train(tiny_plan(tmp_path, "maskable-ppo", 384, price_factors=(0.5, 2.0)), tmp_path / "run", resume=True)) >= 2


def test_the_price_decides_what_it_does(tmp_path):
    """A network that adds an instance where a breach is dear, and takes one off where it is cheap."""
    weight = np.array([[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]])
    network = Mlp([(weight, np.zeros(3))], np.zeros(2), np.ones(2), {}, "categorical", [3])
    save_agent(tmp_path / "agent", Conditioned(network, "price_factor"), "mini")
    choices = [load_agent(tmp_path / "agent", price_factor=factor).act(np.zeros(1), None)[0] for factor in (0.25, 4.0)]
    assert choices == [0, 2]
    entrant = Entrant.parse(f"{tmp_path / 'agent'}:price_factor=4.0", lambda words: policy_options(words, None))
    assert entrant.load().act(np.zeros(1), None)[0] == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"price_factors": 3}, "give the least and the greatest"),
        ({"levels": [0.9, 1.0]}, "levels"),
        ({"levels": [0.9, 0.99], "price_factors": [0.5, 2.0]}, "do not go together"),
        ({"price_factors": [2.0, 1.0]}, "price_factors"),
        ({"price_factors": [0.5, 2.0], "frame_stack": 2}, "do not go together"),
        ({"price_factors": [0.5, 2.0], "environment": {"action_mode": "delta", "reward": "constrained"}}, "reward 'money'"),
    ],
)
def test_settings_that_cannot_be_used_are_named(changed, message):
    with pytest.raises(InputError, match=message):
        settings_of({"environment": {"action_mode": "delta"}} | changed, ALGORITHMS["maskable-ppo"])


def test_other_agents_take_no_price(tmp_path):
    network = Mlp([(np.zeros((3, 2)), np.zeros(3))], np.zeros(2), np.ones(2), {}, "categorical", [3])
    save_agent(tmp_path / "agent", network, "mini")
    with pytest.raises(InputError, match="is told of none"):
        load_agent(tmp_path / "agent", price_factor=2.0)
    with pytest.raises(InputError, match="price_factor = 0"):
        Conditioned(network, "price_factor", 0)
