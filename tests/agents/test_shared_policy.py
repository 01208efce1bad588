"""The shared policy: the same for regions in any order, for one environment or many, and on disk."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from agents.evolution.evolve import facts_of
from agents.inference.saved import load_agent, save_agent
from agents.inference.shared import SharedPolicy
from agents.inference.shared.apportion import settle
from agents.inference.shared.facts import Facts
from agents.inference.shared.sight import see
from agents.inference.shared.weights import spreads, starts
from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.errors import InputError

N_STREAMS = {"mini": 1, "day": 6}

DAY_CAPACITY = np.array([[6000.0, 0.0, 0.0], [2264.0, 16974.0, 0.0], [0.0, 5623.0, 13966.0], [0.0, 0.0, 5623.0]])


@pytest.fixture(scope="module")
def mini() -> Facts:
    return facts_of("mini")


def candidates(facts: Facts, count: int) -> np.ndarray:
    """Weights drawn as a search would."""
    n = len(facts.streams[0])
    return starts(n) + spreads(n) * np.random.default_rng(5).standard_normal((count, len(starts(n))))


def rolled_regions(facts: Facts, observation: np.ndarray) -> np.ndarray:
    """The observation as if each region were the one before it."""
    rolled = observation.copy()
    for places in facts.places.values():
        if places.shape[0] == len(facts.world.regions):
            rolled[..., places] = observation[..., np.roll(places, 1, axis=0)]
    return rolled


def test_streams_are_the_pairs_of_models_and_vm_types(mini: Facts) -> None:
    assert len(mini.streams[0]) == N_STREAMS["mini"]
    day = Facts("day", DAY_CAPACITY)
    assert len(day.streams[0]) == N_STREAMS["day"]
    assert day.is_main.tolist() == [True, False, True, False, True, True]


def test_the_calendar_has_mini_s_peaks(mini: Facts) -> None:
    westus, _, eastus = mini.calendar[:, 0]
    assert westus[83:87].tolist() == [1.0, 4.0, 4.0, 1.0]  # 7:00 to 7:10
    np.testing.assert_array_equal(np.roll(westus, -36), eastus)  # three hours earlier


def test_regions_in_another_order_get_their_actions_in_that_order(mini: Facts) -> None:
    other = Facts("mini", mini.capacity)
    other.__dict__["calendar"] = np.roll(mini.calendar, 1, axis=0)
    weights = candidates(mini, 1)[0]
    first, second = SharedPolicy(mini, weights), SharedPolicy(other, weights)
    env = FleetEnv(problem="mini", split="train", horizon_s=7200.0, **SharedPolicy.VIEW)
    observation, _ = env.reset(seed=3, options={"start_s": 6.5 * 3600})
    for step in range(24):
        action = first.act(observation)
        rolled = second.act(rolled_regions(mini, observation))
        for start in (0, 3, 6, 9) if step else ():  # floors, caps, utilizations; equals at first, in their order
            np.testing.assert_allclose(np.roll(action[start : start + 3], 1), rolled[start : start + 3], rtol=1e-6)
        np.testing.assert_allclose(action[12:], rolled[12:], rtol=1e-6)
        observation = env.step(action)[0]


def test_many_at_once_are_each_alone_bit_for_bit(mini: Facts) -> None:
    weights = candidates(mini, 3)
    envs = VectorFleetEnv(3, problem="mini", horizon_s=7200.0, autoreset_mode=AutoresetMode.DISABLED, **SharedPolicy.VIEW)
    observations, _ = envs.reset(seed=[1, 2, 3], options=[{"start_s": 3600.0 * hour} for hour in (6, 9, 12)])
    together, alone = SharedPolicy(mini, weights), [SharedPolicy(mini, each) for each in weights]
    for _ in range(24):
        actions = together.act_all(observations)
        for row, policy in enumerate(alone):
            np.testing.assert_array_equal(actions[row], policy.act(observations[row]))
        observations = envs.step(actions)[0]


def test_a_peak_is_provisioned_before_it_comes(mini: Facts) -> None:
    policy = SharedPolicy(mini, starts(1))
    env = FleetEnv(problem="mini", split="validation", **SharedPolicy.VIEW)
    observation, _ = env.reset(seed=1, options={"day": 0, "variant": 0, "start_s": 12 * 3600.0})
    totals = []
    for _ in range(24):
        action = policy.act(observation)
        totals.append(round(float((action[:3] + 1).sum() * 6)))
        observation = env.step(action)[0]
    assert totals[22] >= 2 * totals[17]  # ten minutes before 14:00, and half past one


def test_vms_that_are_to_go_stay_until_others_are_there() -> None:
    facts = Facts("day", DAY_CAPACITY)
    policy, stream = SharedPolicy(facts, starts(6)), 1  # Qwen3-32B, which starts on h100-x1 and is to be on h100-x4
    env = FleetEnv(problem="day", split="validation", horizon_s=3600.0, **SharedPolicy.VIEW)
    observation, _ = env.reset(seed=1, options={"day": 0, "variant": 0, "start_s": 0.0})
    held = []
    for _ in range(8):
        held.append(see(facts, observation[None].astype(float)).held[0, :, stream].sum())
        observation = env.step(policy.act(observation))[0]
    assert held[0] == held[3] == 12.0
    assert held[-1] == 0.0


def test_settle_moves_as_little_as_it_can(mini: Facts) -> None:
    held, want = np.array([[[2.0], [2.0], [2.0]]]), np.array([[[4.0], [1.5], [0.5]]])
    none = np.zeros_like(held, bool)
    assert settle(mini, held, want, np.array([[6.0]]), none)[0, :, 0].tolist() == [2, 2, 2]
    assert settle(mini, held, want, np.array([[7.0]]), none)[0, :, 0].tolist() == [3, 2, 2]
    assert settle(mini, held, want, np.array([[5.0]]), none)[0, :, 0].tolist() == [2, 2, 1]
    assert settle(mini, held, want, np.array([[99.0]]), none)[0, :, 0].tolist() == [12, 12, 12]
    short = np.array([[[True], [False], [False]]])
    assert settle(mini, held, want, np.array([[7.0]]), short)[0, :, 0].tolist() == [2, 3, 2]


def test_a_saved_policy_is_the_same(tmp_path, mini: Facts) -> None:
    policy = SharedPolicy(mini, candidates(mini, 1)[0])
    save_agent(tmp_path / "agent", policy, "mini")
    loaded = load_agent(tmp_path / "agent")
    assert isinstance(loaded, SharedPolicy)
    np.testing.assert_array_equal(loaded.flat, policy.flat)
    np.testing.assert_array_equal(loaded.facts.capacity, mini.capacity)
    settings = policy.settings()
    for arrays in (
        {},
        {"weights": policy.flat[1:], "capacity": mini.capacity},
        {"weights": policy.flat, "capacity": np.ones((1, 2))},
    ):
        with pytest.raises(InputError):
            SharedPolicy.from_parts(settings, arrays)
    with pytest.raises(InputError, match="'common' does not name"):
        SharedPolicy.from_parts({**settings, "common": ["other"]}, policy.arrays())


def test_weights_of_another_fleet_are_refused(mini: Facts) -> None:
    with pytest.raises(InputError, match="not those of 'mini'"):
        SharedPolicy(mini, starts(6))
    with pytest.raises(InputError, match="not those of 'mini'"):
        SharedPolicy(mini, starts(1) * np.nan)
    with pytest.raises(InputError, match="capacity"):
        Facts("day", mini.capacity)
