"""The multi-agent environment: PettingZoo's rules, one fleet with the single environment, rewards that add up, bad input."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("pettingzoo")

with warnings.catch_warnings():  # PettingZoo's tests import a game of its own the old way
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test

from pettingzoo.utils.conversions import parallel_to_aec

from sageserve_env.adapters.multi_agent import AGENTS, MODES, MultiAgentFleetEnv, parallel_env
from sageserve_env.env import FleetEnv
from sageserve_env.env.actions import delta_of
from sageserve_env.env.rewards import Money
from sageserve_env.errors import InputError

SHORT = {"horizon_s": 1800.0}
DAY = {"problem": "day", "horizon_s": 1200.0}


def sampled(env: MultiAgentFleetEnv, infos: dict) -> dict:
    return {agent: env.action_space(agent).sample(infos[agent].get("action_mask")) for agent in env.agents}


def seeded(env: MultiAgentFleetEnv, seed: int, **options) -> dict:
    """Begin an episode with random numbers of the actions that the seed gives; returns the infos."""
    for k, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + k)
    return env.reset(seed=seed, options=options)[1]


@pytest.mark.parametrize("rewards", ["shared", "individual"])
@pytest.mark.parametrize("agents", AGENTS)
@pytest.mark.parametrize("config", [SHORT, DAY | {"action_mode": "target"}], ids=["mini", "day"])
def test_pettingzoo_checks_are_clean(config: dict, agents: str, rewards: str) -> None:
    arguments = {**config, "agents": agents, "rewards": rewards}
    parallel_api_test(parallel_env(**arguments), num_cycles=20)
    parallel_seed_test(lambda: parallel_env(**arguments), num_cycles=4)


@pytest.mark.filterwarnings("ignore:We recommend agents to be named:UserWarning")
@pytest.mark.filterwarnings("ignore:Action space for each agent probably should be:UserWarning")
@pytest.mark.parametrize("mode", MODES)
def test_turn_based_conversion_passes_pettingzoos_check(mode: str) -> None:
    api_test(parallel_to_aec(parallel_env(action_mode=mode, **SHORT)), num_cycles=20)


def joint(mode: str, actions: dict) -> np.ndarray:
    """The single environment's action."""
    if mode != "discrete":
        return np.concatenate(list(actions.values()))
    n_fleets = 36 // len(actions)
    return np.concatenate([delta_of(int(action), n_fleets, 2) for action in actions.values()])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("agents", AGENTS)
def test_agents_together_are_the_single_environment(agents: str, mode: str) -> None:
    env = MultiAgentFleetEnv(agents=agents, action_mode=mode, **DAY)
    single = FleetEnv(action_mode="delta" if mode == "discrete" else mode, **DAY)
    infos = seeded(env, 3)
    observation, _ = single.reset(seed=3)
    np.testing.assert_array_equal(env.state(), observation)
    while env.agents:
        actions = sampled(env, infos)
        # Agents are in the order of the endpoints, so their actions end to end are the joint action.
        observation, reward, _, is_over, info = single.step(joint(mode, actions))
        observations, rewards, terminated, truncated, infos = env.step(actions)
        assert env.state().tobytes() == observation.tobytes()
        assert set(rewards.values()) == {reward}
        assert set(truncated.values()) == {is_over}
        assert not any(terminated.values())
        assert all(infos[agent][name] == info[name] for agent in infos for name in info if name != "action_mask")
        if mode == "delta":
            masks = [mask for agent in env.possible_agents for mask in infos[agent]["action_mask"]]
            np.testing.assert_array_equal(masks, info["action_mask"])
    assert is_over
    assert all(env.observation_space(agent).contains(seen) for agent, seen in observations.items())


@pytest.mark.parametrize("options", [{}, {"hide_queues": True, "telemetry_delay": 1, "telemetry_noise": 0.1}])
def test_agents_see_their_own_part_of_the_fleet(options: dict) -> None:
    env = parallel_env(agents="region-model", **DAY, **options)
    observations, _ = env.reset(seed=0)
    values = dict(zip([feature.name for feature in env.state_features], env.state(), strict=True))
    shown = set()
    for agent, observation in observations.items():
        names = [feature.name for feature in env.observation_features(agent)]
        np.testing.assert_array_equal(observation, [values[name] for name in names])
        region = agent.split("/")[0]
        assert all(name.startswith((f"{agent}/", f"{region}/spare", "time_of_")) for name in names)
        shown |= set(names)
    assert shown == set(values)
    assert len({observation.shape for observation in observations.values()}) == 1


@pytest.mark.parametrize("reward", ["latency-first", Money(breach_prices_usd=(1.0, 2.0, 3.0))])
@pytest.mark.parametrize("agents", AGENTS)
@pytest.mark.parametrize("config", [{"horizon_s": 14400.0}, DAY, {"problem": "azure"}], ids=["mini", "day", "azure"])
def test_individual_rewards_add_up_to_the_fleets(config: dict, agents: str, reward: str | Money) -> None:
    shared, own = (parallel_env(agents=agents, reward=reward, rewards=rewards, **config) for rewards in ("shared", "individual"))
    infos, _ = seeded(shared, 5, scale=3.0), seeded(own, 5, scale=3.0)
    breaches, per_agent = 0.0, []
    while shared.agents:
        actions = sampled(shared, infos)
        _, rewards, _, _, infos = shared.step(actions)
        _, parts, _, _, own_infos = own.step(actions)
        np.testing.assert_allclose(sum(parts.values()), next(iter(rewards.values())), rtol=1e-9)
        fleet = next(iter(infos.values()))
        for term in ("vm_usd", "breach_usd"):
            total = sum(info[term] for info in own_infos.values())
            np.testing.assert_allclose(total, fleet[term], rtol=1e-9)
        assert sum(info["cost"] for info in own_infos.values()) == fleet["cost"]
        breaches += fleet["cost"]
        per_agent.append(tuple(parts.values()))
    assert breaches > 0
    assert any(len(set(step)) > 1 for step in per_agent)


def test_breaches_are_paid_where_requests_come_from() -> None:
    env = parallel_env(rewards="individual", horizon_s=14400.0)
    infos = seeded(env, 5)
    total = np.zeros(len(env.agents))
    while env.agents:
        infos = env.step(sampled(env, infos))[4]
        total += [infos[agent]["cost"] for agent in env.possible_agents]
    np.testing.assert_array_equal(total, env.telemetry().breached.sum(axis=(1, 2)))


def test_episodes_end_for_all_agents_at_once_and_can_begin_again() -> None:
    env = parallel_env(**SHORT)
    for _ in range(2):
        infos = env.reset(seed=1, options={"day": 0})[1]
        assert infos[env.agents[0]]["day"] == 0
        told = set(infos[env.agents[0]])
        for step in range(6):
            assert env.agents == env.possible_agents
            _, _, _, truncated, infos = env.step(sampled(env, infos))
            assert set(infos["westus"]) == told
            assert set(truncated) == set(env.possible_agents)
            assert set(truncated.values()) == {step == 5}
        assert env.agents == []
    with pytest.raises(InputError, match="call reset"):
        env.step({})


@pytest.mark.parametrize("rewards", ["shared", "individual"])
def test_pickled_and_restored_environments_go_on_bit_for_bit(rewards: str) -> None:
    env = parallel_env(rewards=rewards, horizon_s=3600.0)
    infos = seeded(env, 2)
    for _ in range(4):
        infos = env.step(sampled(env, infos))[4]
    snapshot, copy = env.snapshot(), pickle.loads(pickle.dumps(env))
    more = {agent: np.array([4]) for agent in env.agents}

    def ahead(one: MultiAgentFleetEnv) -> list[tuple]:
        return [(one.step(more)[1], one.state().tobytes()) for _ in range(8)]

    first = ahead(env)
    assert env.agents == []
    assert ahead(copy) == first
    observations = env.restore(snapshot)
    assert list(observations) == env.agents == env.possible_agents
    assert ahead(env) == first
    env.restore(snapshot)
    env.restore(env.fork(1))  # the state of then, and other requests to come
    assert env.agents == env.possible_agents
    assert ahead(env) != first


def test_render_shows_the_fleet() -> None:
    env = parallel_env(render_mode="ansi", **SHORT)
    infos = seeded(env, 0)
    env.step(sampled(env, infos))
    assert "westus" in env.render()
    env.close()
    assert parallel_env(**SHORT).render() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agents": "model"}, "agents = 'model'"),
        ({"rewards": "mine"}, "rewards = 'mine'"),
        ({"action_mode": "knobs"}, "choose one of delta, target, discrete"),
        ({"observation": "dict"}, "flat Box"),
        ({"mask_in_observation": True}, "flat Box"),
        ({"reward": "vector"}, "is a vector"),
        ({"reward": "constrained", "rewards": "individual"}, "use 'money' or 'latency-first'"),
        ({"render_mode": "sound"}, "render_mode"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parallel_env(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"westus": None}, "no action of agent 'westus'"),
        ({"mars": [2]}, "no agent 'mars'"),
        ({"westus": [5]}, r"action of agent 'westus' = \[5\]"),
        ({"westus": [2, 2]}, r"\[2, 2\] is not in its action space"),
        ({"westus": [2.5]}, "not in its action space"),
    ],
)
def test_bad_actions(change: dict, message: str) -> None:
    env = parallel_env(**SHORT)
    with pytest.raises(InputError, match="no episode was begun"):
        env.state()
    env.reset(seed=0)
    actions = {agent: [2] for agent in env.agents} | change
    with pytest.raises(InputError, match=message):
        env.step({agent: action for agent, action in actions.items() if action is not None})


def test_unknown_arguments_are_pythons_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'agent'"):
        parallel_env(agent="region")


@pytest.mark.parametrize("mode", ["delta", "discrete"])
def test_whole_numbers_may_be_floats(mode: str) -> None:
    outcomes = []
    for kind in (np.int64, np.float32):
        env = parallel_env(action_mode=mode, **SHORT)
        env.reset(seed=0)
        env.step({agent: np.ones(env.action_space(agent).shape, kind) for agent in env.agents})
        outcomes.append(env.state().tobytes())
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("share", [np.array([np.nan]), [0.5, 0.5], ["much"]])
def test_bad_shares(share: object) -> None:
    env = parallel_env(action_mode="target", **SHORT)
    env.reset(seed=0)
    with pytest.raises(InputError, match="not in its action space"):
        env.step(dict.fromkeys(env.agents, share))
