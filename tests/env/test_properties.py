"""What must hold on every problem, in every action mode, whatever the actions; and what masks promise."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.env.actions import ACTION_MODES
from sageserve_env.env.rewards import USD_PER_REWARD, dollars
from sageserve_env.registration import IDS
from sageserve_env.world.costs.prices import has_hourly_prices, list_prices

HORIZONS = {
    "mini": {},
    "azure": {},
    "day": {"horizon_s": 3600.0},
    "week": {"horizon_s": 3600.0},
    "burst": {"horizon_s": 3600.0},
    "storm": {"horizon_s": 3600.0},
    "globe": {"horizon_s": 3600.0},
    "paper": {"horizon_s": 3600.0},
    "scale2025": {"horizon_s": 1800.0},
}
"""Whole episodes where they are fast."""

THIN = {"scale": 0.005}
"""Options under which whole episodes of the large problems are fast, too."""

EPISODES = [(problem, config, {}) for problem, config in HORIZONS.items()]
EPISODES += [(problem, {}, THIN) for problem, config in HORIZONS.items() if config]


def actions(env: FleetEnv, kind: str) -> Iterator[np.ndarray]:
    """An endless stream of actions: random, least, greatest, or least and greatest in turn."""
    space: Any = env.action_space
    if hasattr(space, "low"):
        least, greatest = space.low, space.high
    else:
        most = space.nvec - 1 if hasattr(space, "nvec") else space.n - 1
        least, greatest = np.zeros(space.shape, space.dtype), np.asarray(most, space.dtype)
    space.seed(11)
    turns = {"least": [least], "greatest": [greatest], "alternating": [greatest, least]}.get(kind)
    step = 0
    while True:
        yield space.sample() if turns is None else turns[step % len(turns)]
        step += 1


@pytest.mark.parametrize("kind", ["random", "least", "greatest", "alternating"])
@pytest.mark.parametrize("mode", ACTION_MODES)
@pytest.mark.parametrize(("problem", "config", "options"), EPISODES)
def test_any_actions_keep_the_spaces_and_the_books(
    problem: str, config: dict[str, float], options: dict[str, float], mode: str, kind: str
) -> None:
    env = FleetEnv(problem=problem, action_mode=mode, **config)
    observation, _ = env.reset(seed=3, options=options)
    assert env.observation_space.contains(observation)
    totals = dict.fromkeys(env.reward_terms, 0.0)
    steps = 0
    for action in actions(env, kind):
        observation, reward, terminated, is_over, info = env.step(action)
        terms = {name: info[name] for name in totals}
        assert env.observation_space.contains(observation)
        assert np.isfinite(observation).all()
        assert np.isfinite(reward)
        assert reward == pytest.approx(-dollars(terms) / USD_PER_REWARD, rel=1e-12)
        assert min(terms.values()) >= 0
        assert terms["waste_usd"] <= terms["vm_usd"]
        totals = {name: totals[name] + terms[name] for name in totals}
        assert not terminated
        steps += 1
        if is_over:
            break
    assert steps == env.setup.n_steps
    assert {problem for problem, *_ in EPISODES} == set(IDS)
    check_totals(env, totals)


def check_totals(env: FleetEnv, totals: dict[str, float]) -> None:
    """The terms of an episode add up to what the fleet's own books say."""
    telemetry, world = env.telemetry(), env.setup.world
    usd_per_s = np.repeat(list_prices(world), len(world.models) * len(world.pools), axis=0) / 3600
    vm_s = telemetry.active_s + telemetry.provisioning_s + telemetry.draining_s
    if not has_hourly_prices(world):
        assert totals["vm_usd"] == pytest.approx((vm_s * usd_per_s).sum(), rel=1e-9)
        assert totals["waste_usd"] == pytest.approx((telemetry.provisioning_s * usd_per_s).sum(), rel=1e-9, abs=1e-9)
    assert totals["vm_hours"] == pytest.approx(vm_s.sum() / 3600, rel=1e-9)
    assert totals["spot_hours"] == pytest.approx(telemetry.spot_s.sum() / 3600, rel=1e-9, abs=1e-9)
    capacity_s = sum(sum(region.vm_capacity.values()) for region in world.regions) * telemetry.now_s
    assert (vm_s.sum() + telemetry.spot_s.sum() + telemetry.failed_s.sum()) == pytest.approx(capacity_s, rel=1e-9)
    breached = telemetry.breached.sum(axis=(0, 1))
    assert [totals[name] for name in ("breaches_iw_f", "breaches_iw_n", "breaches_niw")] == breached.tolist()
    assert totals["breach_usd"] == pytest.approx(breached @ np.array(env.setup.reward.breach_prices_usd), rel=1e-9)
    assert totals["arrived"] == telemetry.arrived.sum()
    assert totals["completed"] == telemetry.completed.sum()


@pytest.mark.parametrize("kind", ["random", "least", "greatest"])
@pytest.mark.parametrize("problem", ["mini", "azure"])
@pytest.mark.parametrize("max_delta", [1, 3])
def test_masks_admit_exactly_the_single_changes_that_are_made_in_full(problem: str, kind: str, max_delta: int) -> None:
    env = FleetEnv(problem=problem, max_delta=max_delta, **HORIZONS[problem])
    env.reset(seed=5)
    places = env.action_space.shape[0]
    for step, action in zip(range(12), actions(env, kind), strict=False):
        if step % 3 == 0:
            check_masks(env, places, max_delta)
        env.step(action)


def check_masks(env: FleetEnv, places: int, max_delta: int) -> None:
    """Try every single choice from where an environment is, and return there."""
    snapshot, masks = env.snapshot(), env.action_masks().reshape(places, 2 * max_delta + 1)
    before = targets(env)
    for place, choice in np.ndindex(masks.shape):
        action = np.full(places, max_delta)
        action[place] = choice
        env.step(action)
        wanted = before.copy()
        wanted[place] += choice - max_delta
        assert np.array_equal(targets(env), wanted) == masks[place, choice]
        env.restore(snapshot)
    np.testing.assert_array_equal(env.action_masks().reshape(masks.shape), masks)
    assert masks[:, max_delta].all()


def targets(env: FleetEnv) -> np.ndarray:
    """Instances wanted of each endpoint and VM type."""
    return env._engine.rows["target"][0].copy()
