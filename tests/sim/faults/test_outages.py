"""Regions that go out: by plan, with times by hand, and drawn; one is always up."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.sim import Knobs, Simulator
from sageserve_env.world.schema import Faults, NiwQueue, PlannedOutage, Routing
from tests.sim.faults.helpers import certain, faulty, outage, start
from tests.sim.helpers import NIW, ArrayWorkload, log_by_request, requests

HOP_S = 1 / 64  # from one region to the next


def test_what_is_on_its_way_turns_round_and_the_region_is_not_chosen_until_it_is_back():
    sim = start(faulty(outage(4.0, 20.0), regions=2, latency_s=8.0), (0.0, 64, 1), (10.0, 64, 1), (40.0, 64, 1))
    sim.advance(5.0)
    seen = sim.telemetry()
    assert seen.is_out.tolist() == [True, False]
    assert seen.failed.ravel().tolist() == [4, 0]
    assert seen.retried[:, 0, 0].tolist() == [1, 0]
    sim.advance(30.0)
    assert sim.telemetry().active.ravel().tolist() == [0, 1]
    sim.advance(31.0)
    assert sim.telemetry().active.ravel().tolist() == [1, 1]  # the tick at 30 s
    sim.advance(100.0)
    log = log_by_request(sim)
    assert log["region"].tolist() == [1, 1, 0]
    assert log["routed_s"].tolist() == [4.0, 10.0, 40.0]
    assert log["prefill_start_s"].tolist() == [4.0 + 8.0 + HOP_S, 10.0 + 8.0 + HOP_S, 48.0]
    metrics = sim.metrics()
    assert (metrics.outages, metrics.outage_s, metrics.failures, metrics.total.retried) == (1, 20.0, 0, 1)
    assert metrics.failed_h * 3600 == pytest.approx(4 * 20.0)


def test_ways_keep_the_order_of_those_that_go_elsewhere():
    """Both regions are equally far from each origin's own, so both share one way."""
    rows = [(0.1 * k, 64, 1, 0, k % 2) for k in range(10)]
    world = faulty(outage(4.0, 20.0), regions=2, latency_s=8.0)
    sim = start(world, *rows)
    sim.advance(100.0)
    log = log_by_request(sim)
    assert (log["routed_s"][1::2] == log["arrival_s"][1::2]).all()
    assert (log["routed_s"][::2] == 4.0).all()
    assert (log["region"] == 1).all()


@pytest.mark.parametrize("managed", [True, False])
def test_a_region_that_goes_out_loses_what_it_runs_has_waiting_and_holds(managed):
    world = faulty(outage(5.0, 20.0), regions=2, niw=NiwQueue(managed=managed))
    world = replace(world, routing=Routing(np.inf))
    knobs = Knobs.static(world)
    sim = start(world, *[(0.25 * k, 200, 4, k % 3) for k in range(12)], knobs=knobs)
    sim.advance(5.0)
    before = sim.telemetry()
    sim.advance(5.01)
    seen = sim.telemetry()
    assert seen.waiting[0].sum() == seen.running[0].sum() == 0
    assert seen.retried.sum() == before.waiting[0].sum() + before.running[0].sum() > 3
    sim.advance(1000.0)
    assert sim.metrics().total.completed == 12


def test_requests_that_nobody_can_take_are_held_in_another_region():
    sim = start(faulty(outage(5.0, 20.0), regions=2, instances=0), (0.0, 64, 1))
    sim.advance(4.0)
    assert sim.telemetry().waiting.sum(axis=1).tolist() == [1, 0]
    sim.advance(6.0)
    assert sim.telemetry().waiting.sum(axis=1).tolist() == [0, 1]
    assert sim.telemetry().waiting_tokens.sum(axis=1).tolist() == [0, 64]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_region_of_weight_0_takes_what_the_others_cannot(weight):
    world = faulty(outage(0.0, 20.0), regions=2)
    knobs = Knobs.static(world)
    knobs.region_weight[0] = [1.0, weight]
    sim = start(world, (1.0, 64, 1), knobs=knobs)
    sim.advance(10.0)
    assert log_by_request(sim)["region"].tolist() == [1]


def test_outages_that_overlap_end_with_the_last_and_one_that_follows_another_leaves_a_region_up():
    plan = (
        PlannedOutage("r0", 5.0, 20.0),
        PlannedOutage("r0", 10.0, 5.0),
        PlannedOutage("r0", 20.0, 10.0),
        PlannedOutage("r1", 30.0, 5.0),
    )
    sim = start(faulty(Faults(planned_outages=plan), regions=2), *[(0.5 * k, 64, 2, k % 3) for k in range(80)])
    for at_s, out in ((4.0, [0, 0]), (6.0, [1, 0]), (15.5, [1, 0]), (26.0, [1, 0]), (30.0, [1, 0]), (31.0, [0, 1]), (36.0, [0, 0])):
        sim.advance(at_s)
        assert sim.telemetry().is_out.tolist() == out
    assert (sim.metrics().outages, sim.metrics().outage_s) == (4, 30.0)
    sim.advance(2000.0)
    assert sim.metrics().total.completed == 80


def test_non_interactive_requests_that_were_running_are_released_in_another_region():
    sim = start(faulty(outage(20.0, 500.0), regions=2), (0.0, 64, 100, NIW))
    sim.advance(19.0)
    assert sim.telemetry().running.sum() == 1
    sim.advance(200.0)
    log = log_by_request(sim)
    assert (log["region"][0], log["routed_s"][0]) == (1, 30.0)


def intervals(sim, until_s, step_s):
    """Which regions are out at each of many instants, shape (instants, R)."""
    out = []
    for at_s in np.arange(step_s, until_s, step_s):
        sim.advance(float(at_s))
        sim._verify()
        out.append(sim.telemetry().is_out)
    return np.array(out)


def test_drawn_outages_take_any_region_but_never_the_last():
    faults = Faults(outages_per_region_day=23.9, **certain(outage=7200.0))
    world = faulty(faults, regions=3)
    sim = Simulator(world, ArrayWorkload(requests((0.0, 64, 2), (1e5, 64, 2))), seed=3)
    out = intervals(sim, 150_000.0, 300.0)
    assert out.any(axis=0).all()
    assert (out.sum(axis=1) == 2).any()  # two at once, so a third was due and did not happen
    assert out.sum(axis=1).max() == 2
    metrics = sim.metrics()
    assert metrics.outage_s == pytest.approx(300.0 * out.sum(), rel=0.05)
    assert metrics.outages > 20


def test_drawn_outages_make_way_for_planned_ones():
    plan = tuple(PlannedOutage("r1", start_s, 3000.0) for start_s in np.arange(1000.0, 200_000.0, 8000.0).tolist())
    faults = Faults(outages_per_region_day=23.9, planned_outages=plan, **certain(outage=2000.0))
    sim = Simulator(faulty(faults, regions=2), ArrayWorkload(requests((0.0, 64, 2), (1e5, 64, 2))), seed=1)
    out = intervals(sim, 200_000.0, 250.0)
    assert not out.all(axis=1).any()
    assert out[:, 0].any()
    at_s = np.arange(250.0, 200_000.0, 250.0)
    is_planned = np.any([(plan_.start_s < at_s) & (at_s < plan_.start_s + 3000.0) for plan_ in plan], axis=0)
    assert out[is_planned, 1].all()
