"""Everything goes wrong at once: the invariants hold, every request is done in the end, and equal runs have equal bytes."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.sim import Simulator
from sageserve_env.sim.state import DOWN
from sageserve_env.world.files.loader import dump_world, parse_world
from tests.sim.faults.helpers import failure, faulty, outage, random_faulty_world, start
from tests.sim.helpers import ArrayWorkload, finish, log_by_request, one_of_each, play, random_knobs, random_rows
from tests.sim.test_determinism import END_S, assert_same, follow, outcome

SEEDS = range(80)


def case(seed, chunk_rows=4096, *, roomy=False, **options):
    """A simulator of a random world in which everything goes wrong, and knobs to set at a few instants."""
    rng = np.random.default_rng(seed)
    world = random_faulty_world(rng, roomy=roomy)
    rows = random_rows(rng, world, most=120)
    plan = [(float(at_s), random_knobs(rng, world)) for at_s in np.sort(rng.random(3) * END_S)]
    return Simulator(world, ArrayWorkload(rows, chunk_rows), seed=seed, log_requests=True, **options), plan


def test_every_invariant_after_every_event():
    """And the cases reach what they are for."""
    seen = dict.fromkeys(("failures", "evictions", "outages", "retried"), 0)
    for seed in SEEDS:
        sim = case(seed, check=True)[0]
        play(sim, np.random.default_rng(seed))
        metrics = sim.metrics()
        for name in ("failures", "evictions", "outages"):
            seen[name] += getattr(metrics, name)
        seen["retried"] += metrics.total.retried
        total = metrics.total
        in_flight = total.travelling + total.waiting + total.running + total.queued
        assert total.arrived == total.rejected + total.completed + in_flight, seed
        assert total.slo_missed >= total.unattainable, seed
    assert min(seen.values()) > 20, seen


@pytest.mark.parametrize(
    ("array", "place", "field", "value"),
    [
        ("instance", 0, "causes", 1),
        ("outage", 1, "causes", 1),
        ("fault", 1, "phase", DOWN),
        ("fault_event", 1, "time_s", 2.0),
        ("lost", 0, "head", 0),
    ],
)
def test_a_broken_state_is_found(array, place, field, value):
    faults = replace(failure(5.0), planned_outages=outage(50.0, 1.0).planned_outages)
    sim = start(faulty(faults, regions=2), (0.0, 50, 9))
    sim.advance(1.0)
    sim._verify()
    sim._state[array][field][place] = value
    with pytest.raises(AssertionError, match=r"invariant 9 broken at 1\.0 s: faults"):
        sim._verify()


def test_vm_hours_add_up():
    for seed in SEEDS:
        sim, plan = case(seed)
        metrics = follow(sim, plan).metrics()
        fleet = metrics.fleet_total
        hours = fleet.active_h + fleet.provisioning_h + fleet.draining_h + metrics.spot_donated_h + metrics.failed_h
        vms = sum(sum(region.vm_capacity.values()) for region in sim.world.regions)
        np.testing.assert_allclose(hours * 3600, vms * END_S, err_msg=str(seed))


def test_what_is_lost_is_done_in_the_end_and_times_stay_in_order():
    lost = 0
    for seed in SEEDS:
        sim = case(seed, roomy=True)[0]
        sim.advance(30.0)
        sim.apply(one_of_each(sim.world))
        assert finish(sim), seed
        log = log_by_request(sim)
        done = log[log["rejected"] == 0]
        lost += sim.metrics().total.retried
        assert len(log) == len(sim.workload.rows), seed
        assert (done["arrival_s"] <= done["routed_s"]).all(), seed
        assert (done["routed_s"] <= done["prefill_start_s"]).all(), seed
        assert (done["prefill_start_s"] < done["first_token_s"]).all(), seed
        assert (done["first_token_s"] <= done["completion_s"]).all(), seed
    assert lost > 100


def test_steps_chunks_and_checks_do_not_matter():
    def in_steps(sim, until_s):
        rng = np.random.default_rng(int(until_s * 1000))
        for stop_s in np.sort(rng.uniform(sim.now_s, until_s, 30)):
            sim.advance(float(stop_s))
            sim.telemetry()
        sim.advance(until_s)

    for seed in SEEDS:
        whole = outcome(follow(*case(seed)), without_cursor=True)
        assert_same(whole, outcome(follow(*case(seed, 7)), without_cursor=True), seed)
        assert_same(whole, outcome(follow(*case(seed), step=in_steps), without_cursor=True), seed)
        if seed % 4 == 0:
            assert_same(whole, outcome(follow(*case(seed, check=True)), without_cursor=True), seed)


def test_a_snapshot_is_the_whole_of_it():
    for seed in SEEDS:
        sim, plan = case(seed, 7)
        middle_s = float(np.random.default_rng(seed).uniform(1.0, END_S - 1.0))
        first = [step for step in plan if step[0] < middle_s]
        follow(sim, first, end_s=middle_s)
        snapshot = pickle.loads(pickle.dumps(sim.snapshot()))
        rest = plan[len(first) :]
        straight = outcome(follow(sim, rest))
        again = case(seed, 7)[0]
        again.restore(snapshot)
        assert_same(straight, outcome(follow(again, rest)), seed)


def test_a_world_written_and_read_goes_wrong_alike():
    for seed in SEEDS[:20]:
        sim, plan = case(seed)
        again = parse_world(dump_world(sim.world))
        assert again == sim.world
        assert_same(
            outcome(follow(Simulator(again, sim.workload, seed=seed, log_requests=True), plan)), outcome(follow(sim, plan)), seed
        )
