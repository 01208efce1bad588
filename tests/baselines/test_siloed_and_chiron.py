"""Policies on fleets of their own, and the best fixed fleet."""

from dataclasses import replace

import numpy as np
import pytest

from baselines.bounds.best_static import BestStaticPolicy
from baselines.chiron import BATCH, INTERACTIVE, ChironPolicy, moved
from baselines.siloed import SiloedPolicy
from baselines.static import StaticPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import prepared
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs.compare import cost_usd
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Simulator
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import chiron, published, siloed

SCENARIO = Scenario("slice", published(instances=4), O365Week(start_s=126_000.0, duration_s=600.0), control_interval_s=60.0)
NIW, IW_POOL, NIW_POOL = 2, 0, 1


def ready(policy):
    """A policy at the start of an episode, its world, and an idle fleet as it sees it."""
    scenario = prepared(policy, SCENARIO, 0)
    policy.reset(scenario, np.random.default_rng(0))
    return scenario.world, Simulator(scenario.world, scenario.workload, seed=0).telemetry()


def steps(policy, telemetry):
    """By how many instances a decision moves each endpoint."""
    before = policy._knobs.floor.sum(axis=1)
    knobs = policy.decide(telemetry)
    assert (knobs.floor == knobs.cap).all()
    return knobs.floor.sum(axis=1) - before


def at(telemetry, pool, region=0, model=0):
    """Index of an endpoint."""
    return int(np.flatnonzero((telemetry.region == region) & (telemetry.model == model) & (telemetry.pool == pool))[0])


def test_the_papers_pools():
    assert SiloedPolicy().prepare(published()) == replace(siloed(), name="published")
    assert ChironPolicy().prepare(published()) == replace(chiron(), name="published")


def test_siloed_never_mixes_tiers():
    result = run_episode(SCENARIO, SiloedPolicy(interactive=3, non_interactive=2), seed=1, log_requests=True)
    served = result.requests[result.requests["rejected"] == 0]
    assert {NIW, 0, 1} <= set(served["tier"])
    assert set(served["pool"][served["tier"] == NIW]) == {NIW_POOL}
    assert set(served["pool"][served["tier"] != NIW]) == {IW_POOL}
    assert [pool.name for pool in result.world.pools] == ["interactive", "non-interactive"]


def test_the_policys_fleet_leaves_the_traffic_alone():
    arrived = {
        run_episode(SCENARIO, policy, seed=1).metrics.total.arrived for policy in (StaticPolicy(), SiloedPolicy(), ChironPolicy())
    }
    assert len(arrived) == 1


@pytest.mark.parametrize(("busy", "step"), [(18, -1), (19, 1)])
def test_chirons_interactive_pool_follows_busy_instances(busy, step):
    """20 interactive and 10 mixed instances: more than 18 of them busy is more than 0.6."""
    policy = ChironPolicy()
    _, telemetry = ready(policy)
    telemetry.running[at(telemetry, INTERACTIVE), 0] = busy - 3
    telemetry.running[at(telemetry, 2), 1] = 3
    found = steps(policy, telemetry)
    assert found[at(telemetry, INTERACTIVE)] == step
    assert found[at(telemetry, INTERACTIVE, region=1)] == -1
    assert not found[telemetry.pool == 2].any()


def test_many_requests_keep_no_more_instances_busy_than_there_are():
    policy = ChironPolicy()
    _, telemetry = ready(policy)
    telemetry.running[at(telemetry, 2), 0] = 500  # all 10 mixed instances, and no other: a third
    assert steps(policy, telemetry)[at(telemetry, INTERACTIVE)] == -1


def test_chirons_batch_pool_follows_the_time_its_backlog_has():
    policy = ChironPolicy()
    world, telemetry = ready(policy)
    endpoint, serves = at(telemetry, BATCH), float(policy._throughput[0, 0]) * 10
    day_s = world.tiers[NIW].slo_s
    backlogs = {0.5: -1, 0.95: 0, 1.05: 1}
    for share, step in backlogs.items():
        _, telemetry = ready(policy)
        telemetry.queued_tokens[0, 0] = int(share * serves * day_s)
        assert steps(policy, telemetry)[endpoint] == step, share
    _, telemetry = ready(policy)
    telemetry.queued_tokens[0, 0] = int(0.5 * serves * day_s)
    telemetry.oldest_queued_s[0, 0] = 0.75 * day_s  # the same backlog, with a quarter of the time
    assert steps(policy, telemetry)[endpoint] == 1


def test_a_move_stays_within_its_bounds():
    most = np.array([3, 2], np.int32)
    assert moved(np.array([3, 1], np.int32), 1, 2, most).tolist() == [3, 2]
    assert moved(most, 1, 2, most).tolist() == [3, 2]
    assert moved(np.array([3, 1], np.int32), -1, 2, most).tolist() == [3, 0]
    assert moved(np.array([2, 0], np.int32), -1, 2, most).tolist() == [2, 0]


def test_chiron_runs_and_repeats():
    one, other = (run_episode(SCENARIO, ChironPolicy(4, 2, 2), seed=1) for _ in range(2))
    assert one.metrics.to_dict() == other.metrics.to_dict()
    assert one.metrics.fleet_total.scale_ins > 0


def test_best_static_holds_the_cheapest_size():
    world = published(instances=3)
    scenario = Scenario("burst", world, O365Week(start_s=126_000.0, duration_s=300.0, scale=8.0), control_interval_s=300.0)
    policy = BestStaticPolicy(smallest=2)
    result = run_episode(scenario, policy, seed=1)
    costs = {size: cost_usd(run_episode(scenario, StaticPolicy(size), seed=1)) for size in policy.costs_usd}
    assert policy.costs_usd == costs
    assert policy.best == min(costs, key=costs.get)
    assert cost_usd(result) == costs[policy.best]
    assert max(costs) == policy.best + policy.patience
    again = BestStaticPolicy(smallest=2)
    assert run_episode(scenario, again, seed=1).metrics.to_dict() == result.metrics.to_dict()
    assert again.costs_usd == costs


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (SiloedPolicy(interactive=-1), "interactive = -1 is out of range"),
        (SiloedPolicy(interactive=24, non_interactive=4), "instances"),
        (ChironPolicy(batch=-1), "batch = -1 is out of range"),
        (ChironPolicy(busy_share=1.5), "busy_share = 1.5 is out of range; give a share, 0 to 1"),
        (ChironPolicy(spill_utilization=-1.0), "spill_utilization"),
        (BestStaticPolicy(smallest=0), "smallest = 0 is out of range"),
        (BestStaticPolicy(patience=0), "patience = 0 is out of range"),
        (BestStaticPolicy(smallest=90), "smallest = 90: a region has VMs for 25"),
    ],
)
def test_a_bad_option_is_named(policy, message):
    with pytest.raises(InputError, match=message):
        run_episode(SCENARIO, policy)


def test_best_static_needs_the_seed():
    with pytest.raises(InputError, match="knows no seed"):
        BestStaticPolicy().reset(SCENARIO, np.random.default_rng(0))
