"""VMs that fail at a known time: what is lost, where it goes, when it is done; all times by hand (see ``tests.sim.helpers``)."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.sim import Knobs
from sageserve_env.world.schema import Faults, LeadTimes, NiwQueue, PlannedFailure, Serving, Tier
from tests.sim.faults.helpers import failure, faulty, start
from tests.sim.helpers import IW_F, IW_N, NIW, log_by_request, prefill_time

TICK_S = 15.0
ALONE_S = prefill_time(64) + 8 * (0.125 + 1 / 64)  # a prompt of 64 tokens and an output of 9


@pytest.mark.parametrize(("at_s", "stage"), [(0.5, "prefill"), (1.25, "at its first token"), (2.0, "decode")])
def test_what_an_instance_runs_is_served_from_the_start_elsewhere(at_s, stage):
    world = faulty(failure(at_s), instances=1)
    sim = start(world, (0.0, 64, 9))
    sim.advance(at_s + 0.01)
    seen = sim.telemetry()
    assert (seen.active[0, 0], seen.failed[0, 0], seen.retried.sum()) == (0, 1, 1)
    sim.advance(60.0)
    row = log_by_request(sim)[0]
    assert row["arrival_s"] == 0.0
    assert row["routed_s"] == at_s
    assert row["prefill_start_s"] == TICK_S  # the tick finds the endpoint below its floor; a lead time of 0 follows
    assert row["first_token_s"] == TICK_S + prefill_time(64)
    assert row["completion_s"] == TICK_S + ALONE_S
    total = sim.metrics().total
    assert (total.retried, total.completed, total.slo_met) == (1, 1, 0)
    assert total.ttft_mean_s == TICK_S + prefill_time(64)


def test_the_other_instance_takes_it_at_once():
    sim = start(faulty(failure(1.0), instances=2), (0.0, 64, 1), (0.5, 64, 1))
    sim.advance(10.0)
    first, second = log_by_request(sim)
    assert second["completion_s"] == 0.5 + prefill_time(64)
    assert first["prefill_start_s"] == second["completion_s"]
    assert first["completion_s"] == second["completion_s"] + prefill_time(64)
    assert sim.telemetry().retried[0, 0].tolist() == [1, 0, 0]


def test_what_runs_and_what_waits_of_every_tier_is_lost_and_done():
    rows = [
        (0.0, 64, 200, IW_F),
        (0.0, 300, 2, IW_N),
        (0.0, 64, 3, NIW),
        (0.25, 640, 2, IW_F),
        (0.25, 900, 2, IW_N),
        (0.3, 64, 3, NIW),
    ]
    world = faulty(failure(8.0), instances=1, niw=NiwQueue(managed=False))
    sim = start(world, *rows)
    sim.advance(8.0)
    before = sim.telemetry()
    assert before.running.sum() > 0
    assert before.waiting.sum() > 0
    sim.advance(8.1)
    seen = sim.telemetry()
    assert seen.retried.sum() == 6 - before.completed.sum()
    assert seen.running.sum() == 0
    sim.advance(1000.0)
    total = sim.metrics().total
    assert (total.completed, total.retried) == (6, int(seen.retried.sum()))


@pytest.mark.parametrize("admission", ["two_step", "reserve"])
def test_prefilled_requests_that_wait_for_memory_are_lost_too(admission):
    world = faulty(failure(12.0), instances=1, kv_tokens=200, serving=Serving(kv_admission=admission))
    sim = start(world, *[(0.0, 60, 80)] * 3)
    sim.advance(300.0)
    total = sim.metrics().total
    assert (total.completed, total.retried) == (3, 3)


def test_a_non_interactive_request_goes_back_to_the_head_of_its_queue():
    niw = NiwQueue(release_count=(1, 1))
    sim = start(faulty(failure(20.0), instances=1, niw=niw), (0.0, 64, 100, NIW), (1.0, 64, 2, NIW), (2.0, 64, 2, NIW))
    sim.advance(20.0)
    assert sim.telemetry().queued[0, 0] == 2
    sim.advance(20.1)
    seen = sim.telemetry()
    assert seen.queued[0, 0] == 3
    assert seen.queued_tokens[0, 0] == 3 * 64
    assert seen.oldest_queued_s[0, 0] == 20.1
    sim.advance(200.0)
    log = log_by_request(sim)
    assert log["routed_s"][0] == 30.0  # the first to be released again, when the next tick has brought an instance
    assert log["routed_s"][0] <= log["routed_s"][1] <= log["routed_s"][2]
    assert sim.metrics().total.retried == 1


@pytest.mark.parametrize("state", ["spot", "provisioning", "draining"])
def test_a_vm_fails_in_any_state_and_comes_back_blank(state):
    """One VM in all, so that it is the one that fails."""
    world = faulty(failure(5.0, 10.0), vms=1, instances=0 if state != "draining" else 1, lead_times=LeadTimes(30.0, 30.0, 30.0))
    knobs = Knobs.static(world)
    knobs.floor[:] = knobs.cap[:] = 1 if state == "provisioning" else 0
    sim = start(world, (0.0, 64, 200) if state == "draining" else (40.0, 64, 9))
    sim.advance(1.0)
    sim.apply(knobs)
    sim.advance(5.0)
    assert int(getattr(sim.telemetry(), state).sum()) == 1
    sim.advance(5.1)
    seen = sim.telemetry()
    assert (seen.failed[0, 0], seen.spot[0, 0], seen.active.sum(), seen.provisioning.sum(), seen.draining.sum()) == (1, 0, 0, 0, 0)
    assert seen.retried.sum() == (state == "draining")
    sim.advance(15.1)
    assert sim.telemetry().spot.sum() == 1
    assert sim.telemetry().spot_same_model.sum() == 0
    sim.advance(100.0)
    spot = sim.metrics().spot[0]
    assert spot.failed_h * 3600 == pytest.approx(10.0)
    fleet = sim.metrics().fleet_total
    hours = fleet.active_h + fleet.provisioning_h + fleet.draining_h + spot.donated_h + spot.failed_h
    assert hours * 3600 == pytest.approx(100.0)


def test_a_failed_vm_costs_nothing_and_is_not_spot():
    sim = start(faulty(failure(1000.0, 2600.0), vms=1, instances=1))
    sim.advance(3600.0)
    metrics = sim.metrics()
    assert metrics.fleet_total.dollars == pytest.approx(2.0 * 1000 / 3600)
    assert metrics.spot_donated_h == 0.0
    assert metrics.failed_h == pytest.approx(2600 / 3600)
    assert (metrics.failures, metrics.evictions, metrics.outages, metrics.outage_s) == (1, 0, 0, 0.0)


def test_nothing_is_left_to_fail():
    """Three failures of a type with two VMs: the third finds none that is up, and nobody comes back for it."""
    plan = tuple(PlannedFailure("r0", "t0", 1.0, length) for length in (5.0, 50.0, 20.0))
    sim = start(faulty(Faults(planned_failures=plan), vms=2, instances=1))
    for at_s, failed in ((0.5, 0), (2.0, 2), (7.0, 1), (22.0, 1), (52.0, 0)):
        sim.advance(at_s)
        assert sim.telemetry().failed.sum() == failed
    assert sim.metrics().failures == 2


def test_the_vm_that_serves_fails_first():
    sim = start(faulty(Faults(planned_failures=(PlannedFailure("r0", "t0", 1.0, 5.0),)), vms=4, instances=1))
    sim.advance(2.0)
    assert sim.telemetry().active.sum() == 0


def test_a_request_whose_tokens_were_late_stays_a_breach():
    """Late in decoding, lost, then served in time: it is missed, whoever looked in between. The other is lost in its prefill."""
    tiers = (Tier("IW-F", 1000.0, tpot_s=0.2), Tier("IW-N", 60.0), Tier("NIW", 86_400.0))
    world = faulty(failure(11.0), instances=1, tiers=tiers)
    rows = (0.0, 64, 11), (2.0, 512, 2)  # the second's prefill, 8.25 s, holds up the first's ten tokens, which have 2 s
    for looks in (False, True):
        sim = start(world, *rows)
        for at_s in np.arange(1.0, 30.0) if looks else [10.9]:
            sim.advance(float(at_s))
            seen = sim.metrics().service_by("tier")[0].overdue, int(sim.telemetry().breached.sum())
            assert seen in ((0, 0), (1, 1), (0, 1))
        sim.advance(100.0)
        total = sim.metrics().total
        assert (total.completed, total.retried, total.slo_missed, sim.telemetry().breached.sum()) == (2, 2, 1, 1)


def test_groups_are_short_of_the_failed_one():
    world = faulty(failure(3.0), instances=4, vms=6)
    world = replace(world, routing=replace(world.routing, group_size=2))
    sim = start(world, *[(0.1 * k, 64, 20) for k in range(40)])
    sim.advance(200.0)
    assert sim.metrics().total.completed == 40
    assert sim.metrics().total.retried > 0
