"""The authors' long-term control: its predictions, its plans, and how the fleet follows them."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from baselines.long_term.authors import COEFFICIENTS, THETA, AuthorsLtI, AuthorsLtU, AuthorsLtUa, minute_rates, one_ahead, predict
from baselines.reactive import ReactivePolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.scenarios import Scenario
from sageserve_env.sim.requests.routing import MOST_LOAD
from sageserve_env.workload import load_workload
from sageserve_env.workload.rates import token_rates
from sageserve_env.world import load_world

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
WORLD = load_world("authors-a100")
TUESDAY = load_workload("o365-tuesday")
N = 12


def seen(now_s, active, routed=0):
    """Telemetry of a fleet of ``active`` instances at every endpoint, to which ``routed`` tokens of each tier came so far."""
    counts = np.full((N, 1), active)
    return SimpleNamespace(
        now_s=now_s, active=counts, provisioning=np.zeros_like(counts), routed_tokens=np.full((N, 3), routed, np.int64)
    )


def begun(policy, level=1.0):
    """The policy with predictions that need 4 instances of Llama-2-70B and 2 of the others in every hour, after its first plan."""
    theta = np.array(list(THETA.values()))
    policy.predicted = np.tile(level * theta[None, :, None] * np.array([3.5, 1.5, 0.5, 0.5])[None, :, None], (3, 1, 1440))
    policy.reset(Scenario("x", WORLD, TUESDAY, control_interval_s=15.0), np.random.default_rng(0))
    policy.decide(seen(0.0, 20))
    return policy


def test_predictions_are_their_model_on_the_recovered_minutes():
    rates = minute_rates(TUESDAY.scale(1.063), WORLD, 0)
    assert rates.shape == (3, 4, 1440)
    assert rates[0, 0] == pytest.approx(2 * rates[1, 0])  # Llama-2-70B: half in the west, a quarter elsewhere
    drawn = token_rates(TUESDAY.scale(1.063), WORLD, 0, 3600.0)
    assert rates.reshape(3, 4, 24, 60).mean(axis=3)[:, :2] == pytest.approx(drawn[:, :2], rel=0.2)
    predicted = predict(TUESDAY.scale(1.063), WORLD, 0)
    hours = predicted[:, 0].reshape(3, 24, 60)[:, :, 20:].max(axis=2)
    assert np.maximum(np.ceil(hours / THETA["llama-2-70b"]), 2).sum() == 207  # the instance-hours of LT-I


def test_one_ahead_is_the_recursion_of_statsmodels():
    sarimax = pytest.importorskip("statsmodels.tsa.statespace.sarimax").SARIMAX
    series = np.cumsum(np.random.default_rng(1).normal(size=300)) + 50
    ar, ma = COEFFICIENTS["llama-3.2-3b"][0]
    exact = sarimax(series, order=(3, 1, 2)).filter([*ar, *ma, 1.0]).predict()
    assert one_ahead(series, ar, ma)[60:] == pytest.approx(exact[60:], abs=1e-3)  # theirs starts from the stationary law


def test_what_cannot_be_predicted_is_refused():
    other = load_world("published")
    one_region = replace(other, regions=other.regions[:1], latency_s=((0.0,),))
    with pytest.raises(InputError, match="in 'westus' were not predicted by the authors"):
        predict(TUESDAY, one_region, 0)
    with pytest.raises(InputError, match="predicted = None is missing"):
        AuthorsLtI().reset(Scenario("x", WORLD, TUESDAY), np.random.default_rng(0))
    with pytest.raises(InputError, match="observed = 'all' is not known"):
        begun(AuthorsLtUa(observed="all"))


def test_they_start_from_eight_then_plan_each_hour():
    policy = begun(AuthorsLtI())
    assert set(policy.decide(seen(0.0, 20)).cap.ravel()) == {8}
    knobs = policy.decide(seen(15.0, 8))
    assert knobs.floor.ravel().tolist() == knobs.cap.ravel().tolist() == [4, 2, 2, 2] * 3
    assert np.all(knobs.routing_threshold == MOST_LOAD)  # no load is above it: the first region is taken
    policy.decide(seen(3600.0, 4))
    assert len(policy.targets) == 2
    assert begun(AuthorsLtI(reroutes=True)).decide(seen(15.0, 8)).routing_threshold[0] == 0.7


def test_lt_u_falls_at_once_then_rises_while_busy_and_one_past_the_target():
    policy = begun(AuthorsLtU())
    first, later = policy.decide(seen(15.0, 8)), policy.decide(seen(30.0, 3))
    assert first.cap[0] == 4
    assert first.emergency_utilization[0] > 1  # none: no instance more than the cap
    assert (later.floor[0, 0], later.cap[0, 0], later.emergency_utilization[0]) == (3, 4, 0.9)
    assert policy.decide(seen(45.0, 5)).floor[0] == 4


def test_lt_ua_sees_an_emergency_where_traffic_is_far_above_the_prediction():
    tokens = {"all-models": 60 * THETA["llama-3.2-3b"] * 0.5 * 5 / 12, "own-model": 60 * THETA["llama-2-70b"] * 3.5 * 5 / 2}
    for observed, limit in tokens.items():
        for factor, emergency in ((0.95, 1.0), (1.05, 0.0)):
            policy = begun(AuthorsLtUa(observed=observed))
            for now_s in (15.0, 30.0):
                policy.decide(seen(now_s, 4))
            knobs = policy.decide(seen(90.0, 4, round(factor * limit)))
            assert knobs.emergency_utilization[0] == emergency, (observed, factor)


def test_an_hour_of_their_tuesday():
    """Quick form of the report's part "as measured": figures of two hours, stored."""
    workload = TUESDAY.slice(15 * 3600.0, 2 * 3600.0).scale(1.063).early_niw(256.0)
    scenario = Scenario("x", WORLD, workload, control_interval_s=15.0)
    stored = {
        "reactive": (47.0, 24.41),
        "authors-lt-i": (27.0, 24.05),
        "authors-lt-u": (31.5, 24.91),
        "authors-lt-ua": (30.5, 27.78),
    }
    for policy in (ReactivePolicy(), AuthorsLtI(), AuthorsLtU(), AuthorsLtUa()):
        row = run_episode(scenario, policy).metrics.fleet_by("model")[0]
        assert (row.peak_15min_h, row.active_h) == pytest.approx(stored[policy.name], rel=0.02), policy.name
        assert row.peak_15min_h >= row.active_h


def test_they_are_offered_by_name():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["sageserve.policies"]
    for policy in (AuthorsLtI, AuthorsLtU, AuthorsLtUa):
        assert declared[policy.name] == f"baselines.long_term.authors:{policy.__name__}"
