"""Options of the observation: its form, masks, delay, noise, forecasts; and the space of vector rewards."""

import json
import pickle
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import sageserve_env.forecasters as forecasters
from baselines.forecast.recurring import Recurring
from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.observation.encode import rate_scales
from sageserve_env.errors import InputError
from sageserve_env.workload import load_workload
from sageserve_env.workload.rates import PAST_SEED, past_rates, token_rates
from sageserve_env.world import load_world

TWO_HOURS = {"horizon_s": 7200.0}


@dataclass(frozen=True)
class Growth:
    """The hour's windows grow from the mean of the last two."""

    def forecast(self, history: np.ndarray, window_s: float) -> Any:
        """Point forecasts alone."""
        base = np.asarray(history)[:, -2:].mean(axis=1)
        return type("Forecast", (), {"point": base[:, None] * np.linspace(1.0, 1.3, round(3600 / window_s))})()


OPTIONS: dict[str, dict[str, Any]] = {
    "dict": {"observation": "dict"},
    "flat and mask": {"mask_in_observation": True},
    "dict and mask": {"observation": "dict", "mask_in_observation": True, "hide_queues": True},
    "delay": {"telemetry_delay": 3},
    "noise": {"telemetry_noise": 0.3},
    "forecast": {"forecaster": Growth()},
    "all": {
        "observation": "dict",
        "mask_in_observation": True,
        "hide_queues": True,
        "telemetry_delay": 2,
        "telemetry_noise": 0.1,
        "forecaster": Growth(),
    },
}


def each_option(function: Any) -> Any:
    """Run a test with each set of options."""
    return pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())(function)


def same(a: Any, b: Any) -> bool:
    """Whether two observations hold the same bits."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def row_of(observations: Any, row: int) -> Any:
    """One environment's part of a batch."""
    return {name: array[row] for name, array in observations.items()} if isinstance(observations, dict) else observations[row]


def play(env: FleetEnv, n_steps: int, seed: int = 0) -> list[Any]:
    """The observations of some steps under random actions."""
    rng = np.random.default_rng(seed)
    return [env.step(rng.integers(0, 5, 3))[0] for _ in range(n_steps)]


def episode(options: dict[str, Any], n_steps: int = 24) -> list[Any]:
    """The observations of an episode, the first included."""
    env = FleetEnv(**{**TWO_HOURS, **options})
    return [env.reset(seed=7)[0], *play(env, n_steps)]


@each_option
def test_the_space_contains_every_observation_of_a_day(options: dict[str, Any]) -> None:
    env = FleetEnv(**options)
    observation, _ = env.reset(seed=1)
    rng = np.random.default_rng(1)
    is_over = False
    while not is_over:
        assert env.observation_space.contains(observation)
        observation, _, _, is_over, _ = env.step(rng.integers(0, 5, 3))
    assert env.observation_space.contains(observation)


@each_option
def test_gymnasiums_checker_is_clean(options: dict[str, Any]) -> None:
    check_env(FleetEnv(horizon_s=1800.0, **options), skip_render_check=True)


@each_option
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_rows_equal_single_environments(options: dict[str, Any], mode: str) -> None:
    arguments = {"horizon_s": 3600.0, "control_interval_s": 900.0, **options}
    envs = VectorFleetEnv(2, autoreset_mode=mode, num_threads=2, **arguments)
    singles = [FleetEnv(**arguments) for _ in range(2)]
    observations, _ = envs.reset(seed=5)
    assert envs.observation_space.contains(observations)
    assert all(same(row_of(observations, i), env.reset(seed=5 + i)[0]) for i, env in enumerate(singles))
    rng = np.random.default_rng(0)
    ended = np.zeros(2, bool)
    for _ in range(9):
        actions = rng.integers(0, 5, (2, 3))
        observations, _, _, truncated, infos = envs.step(actions)
        assert envs.observation_space.contains(observations)
        for i, env in enumerate(singles):
            expected = env.reset()[0] if mode == "NextStep" and ended[i] else env.step(actions[i])[0]
            if mode == "SameStep" and truncated[i]:
                assert same(row_of(infos["final_obs"], i), expected)
                expected = env.reset()[0]
            assert same(row_of(observations, i), expected)
        ended = truncated
    envs.close()


@each_option
def test_restored_pickled_and_forked_environments_see_the_same(options: dict[str, Any]) -> None:
    env = FleetEnv(**TWO_HOURS, **options)
    env.reset(seed=3)
    play(env, 10)
    snapshot, copy = env.snapshot(), pickle.loads(pickle.dumps(env))
    ahead = play(env, 14)
    assert all(map(same, play(copy, 14), ahead))
    env.restore(pickle.loads(pickle.dumps(snapshot)))
    assert all(map(same, play(env, 14), ahead))
    envs = VectorFleetEnv(2, **TWO_HOURS, **options)
    envs.reset(seed=8)
    envs.restore(snapshot, [1])
    rng = np.random.default_rng(0)
    forked = [envs.step(np.tile(rng.integers(0, 5, 3), (2, 1)))[0] for _ in range(14)]
    assert all(same(row_of(observations, 1), expected) for observations, expected in zip(forked, ahead, strict=True))


def test_dict_holds_the_entries_of_the_flat_observation_by_their_names() -> None:
    env = FleetEnv(observation="dict", hide_queues=True)
    flat = FleetEnv(hide_queues=True)
    observation, _ = env.reset(seed=2)
    entries = {feature.name: value for feature, value in zip(flat.observation_features, flat.reset(seed=2)[0], strict=True)}
    assert {name: array.shape for name, array in observation.items()} == {"endpoints": (3, 20), "regions": (3, 1), "time": (6,)}
    for name, features in env.observation_groups.items():
        expected = np.array([entries[feature.name] for feature in features.ravel()]).reshape(features.shape)
        np.testing.assert_array_equal(observation[name], expected)
    assert env.observation_groups["endpoints"][1, 0].name == "centralus/qwen3-32b/unified/target[h100-x1]"


def test_masks_in_the_observation_are_the_present_ones() -> None:
    for form, arguments in (("flat", {}), ("dict", {"telemetry_delay": 4})):
        env = FleetEnv(observation=form, mask_in_observation=True, **TWO_HOURS, **arguments)
        env.reset(seed=0)
        for observation in (env.step(np.array([0, 4, 2]))[0] for _ in range(4)):
            np.testing.assert_array_equal(observation["action_mask"], env.action_masks())
        assert ("observations" in observation) == (form == "flat")


def test_delay_shows_what_was_seen_so_many_intervals_ago() -> None:
    for d in (1, 5):
        now, late = episode({}), episode({"telemetry_delay": d})
        assert all(same(observation, now[max(k - d, 0)]) for k, observation in enumerate(late))
    noisy, late = episode({"telemetry_noise": 0.2}), episode({"telemetry_noise": 0.2, "telemetry_delay": 2})
    assert all(same(observation, noisy[max(k - 2, 0)]) for k, observation in enumerate(late))


def test_noise_is_relative_within_bounds_and_moves_nothing_else() -> None:
    half_a_day = {"horizon_s": 43_200.0}
    clean, noisy, seen = (np.stack(episode({"telemetry_noise": noise, **half_a_day}, 144)) for noise in (0.0, 0.1, 1e-9))
    features = FleetEnv().observation_features
    is_noisy = np.array([feature.is_noisy for feature in features])
    kinds = {feature.name.rpartition("/")[2].partition("[")[0] for feature in features if feature.is_noisy}
    assert kinds == {"utilization", "waiting", "pending", "arrivals", "niw_queued", "niw_oldest"}
    np.testing.assert_array_equal(noisy[:, ~is_noisy], clean[:, ~is_noisy])
    np.testing.assert_allclose(seen, clean, rtol=1e-6)
    inside = is_noisy & (clean > 0.01) & (clean < 0.6)
    errors = noisy[inside] / clean[inside] - 1
    assert errors.size > 300
    assert abs(errors.mean()) < 0.02
    assert 0.08 < errors.std() < 0.12
    assert noisy.min() >= -1
    assert noisy.max() <= 1
    again = np.stack(episode({"telemetry_noise": 0.1, "observation": "flat", **half_a_day}, 144))
    np.testing.assert_array_equal(again, noisy)
    env = FleetEnv(telemetry_noise=0.1, **TWO_HOURS)
    first, other = env.reset(seed=7)[0], env.reset()[0]
    assert not same(first, other)


def test_forecast_is_the_forecasters_own() -> None:
    env = FleetEnv(forecaster=Growth(), horizon_s=3 * 3600.0)
    observation, _ = env.reset(seed=1, options={"day": "wednesday-o365-a"})
    drawn, world = env._episode, env.setup.world
    before = past_rates(drawn.workload, world, drawn.workload_seed ^ PAST_SEED).reshape(3, -1)
    own = token_rates(drawn.workload, world, drawn.workload_seed).reshape(3, -1)
    assert [feature.name for feature in env.observation_features[-3:]] == [f"{r.name}/qwen3-32b/forecast" for r in world.regions]
    assert before.shape == (3, 2 * 96)
    for step in range(36):
        history = np.concatenate([before, own[:, : 4 * (step // 12)]], axis=1)
        expected = np.minimum(1.0, Growth().forecast(history, 900.0).point.max(axis=1) / rate_scales(world).ravel())
        np.testing.assert_array_equal(observation[-3:], expected.astype(np.float32))
        observation = env.step(np.full(3, 2))[0]


def test_forecast_is_zero_before_there_is_any_history() -> None:
    env = FleetEnv(forecaster=Growth(), control_interval_s=1800.0, horizon_s=86_400.0)
    observation, _ = env.reset(seed=0, options={"day": "monday-o365-a", "start_s": 0})
    np.testing.assert_array_equal(observation[-3:], 0.0)
    env.step(np.full(3, 2))
    assert (env.step(np.full(3, 2))[0][-3:] > 0).all()


def test_windows_of_the_past_end_where_the_workload_begins() -> None:
    world = load_world("published")
    sliced = load_workload("o365-thursday").slice(4000.0, 600.0)
    rates = past_rates(sliced, world, seed=3 ^ PAST_SEED)
    assert rates.shape == (3, 4, (3 * 86_400 + 4000) // 900)
    last = token_rates(sliced.past, world, seed=3 ^ 0x70617374, window_s=100.0)[:, :, -9:].mean(axis=2)
    np.testing.assert_allclose(rates[:, :, -1], last)


def test_forecasters_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("growth", f"{__name__}:Growth", forecasters.GROUP)
    monkeypatch.setattr(forecasters, "installed_forecasters", lambda: {"growth": entry})
    monkeypatch.setattr(EntryPoint, "load", lambda _: Growth)
    named, given = FleetEnv(forecaster="growth", **TWO_HOURS), FleetEnv(forecaster=Growth(), **TWO_HOURS)
    assert same(named.reset(seed=0)[0], given.reset(seed=0)[0])
    with pytest.raises(InputError, match=r"forecaster = 'grwth' is not known \(did you mean 'growth'\?\)"):
        FleetEnv(forecaster="grwth")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation": "graph"}, "observation = 'graph'; choose one of flat, dict"),
        ({"mask_in_observation": 1}, "mask_in_observation = 1"),
        ({"mask_in_observation": True, "action_mode": "target"}, "mask_in_observation = True: action_mode = 'target' has no masks"),
        ({"telemetry_delay": -1}, "telemetry_delay = -1"),
        ({"telemetry_delay": 1.0}, r"telemetry_delay = 1\.0"),
        ({"telemetry_noise": -0.1}, r"telemetry_noise = -0\.1"),
        ({"telemetry_noise": float("nan")}, "telemetry_noise = nan"),
        ({"telemetry_noise": "some"}, "telemetry_noise = 'some'"),
        ({"forecaster": "crystal-ball"}, "forecaster = 'crystal-ball' is not known"),
        ({"forecaster": 3}, "forecaster = 3 cannot forecast"),
        ({"forecaster": Growth(), "control_interval_s": 600.0, "horizon_s": 3600.0}, "control_interval_s = 600 does not fit"),
        ({"forecaster": Growth(), "control_interval_s": 2700.0, "horizon_s": 5400.0}, "control_interval_s = 2700 does not fit"),
    ],
)
def test_bad_options_are_named(arguments: dict[str, Any], message: str) -> None:
    for make in (FleetEnv, VectorFleetEnv):
        with pytest.raises(InputError, match=message):
            make(**arguments)


def test_a_forecast_of_the_wrong_shape_is_an_error() -> None:
    class Short(Growth):
        def forecast(self, history: np.ndarray, window_s: float) -> Any:
            return super().forecast(history[:1], window_s)

    with pytest.raises(InputError, match=r"the forecast has shape \(1, 4\)"):
        FleetEnv(forecaster=Short(), **TWO_HOURS).reset(seed=0, options={"day": "wednesday-o365-a"})


def test_options_are_written_in_the_spec() -> None:
    arguments = {"observation": "dict", "mask_in_observation": True, "telemetry_delay": 2, "telemetry_noise": 0.1}
    env = gym.make("SageServe/Mini-v0", **TWO_HOURS, **arguments)
    assert {**arguments, **TWO_HOURS}.items() <= json.loads(env.spec.to_json())["kwargs"].items()


def test_multi_objective_wrappers_take_vector_rewards() -> None:
    wrappers = pytest.importorskip("mo_gymnasium.wrappers")
    env = gym.make("SageServe/Mini-v0", reward="vector", disable_env_checker=True, **TWO_HOURS)
    assert env.unwrapped.reward_space.shape == (3,)
    env.reset(seed=0)
    vector = env.step(np.full(3, 2))[1]
    assert env.unwrapped.reward_space.contains(vector)
    weighted = wrappers.LinearReward(env, weight=np.array([1.0, 1.0, 0.0]))
    weighted.reset(seed=0)
    assert weighted.step(np.full(3, 2))[1] == pytest.approx(vector[:2].sum())
    counted = wrappers.MORecordEpisodeStatistics(env)
    counted.reset(seed=0)
    is_over = False
    while not is_over:
        _, _, _, is_over, info = counted.step(np.full(3, 2))
    assert info["episode"]["r"].shape == (3,)


def test_scalar_rewards_have_no_reward_space() -> None:
    assert (FleetEnv().reward_space, FleetEnv().reward_dim) == (None, 1)
    vector = VectorFleetEnv(2, reward="vector")  # of one environment, as in MO-Gymnasium's vectors
    assert (vector.reward_space.shape, vector.reward_dim) == ((3,), 3)


def test_forecasts_of_many_rows_at_once_are_those_of_each() -> None:
    """A forecaster that treats each series by itself gets the series of all rows whose history is as long."""

    class OneRowAtATime(Recurring):
        is_by_series = False

    envs = [VectorFleetEnv(4, problem="mini", forecaster=each) for each in (Recurring(), OneRowAtATime())]
    seen = [env.reset(seed=3)[0] for env in envs]
    for step in range(30):
        assert np.array_equal(*seen), step
        action = envs[0].action_space.sample()
        seen = [env.step(action)[0] for env in envs]
    assert len(np.unique(seen[0], axis=0)) == 4
