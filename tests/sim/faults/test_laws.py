"""Drawn times follow their laws, each kind from streams of its own that no policy moves; at a rate of 0 nothing is drawn."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sageserve_env.sim import Knobs, Simulator
from sageserve_env.sim import state as st
from sageserve_env.workload.drawn.rng import FAILURES, LEAD_TIMES, generator_words, word_at
from sageserve_env.world.schema import Faults, LeadTimes
from tests.sim.faults.helpers import faulty, law
from tests.sim.helpers import ArrayWorkload, requests, state_bytes, toy_world

MANY = 4000
ROWS = ArrayWorkload(requests(*[(0.5 * k, 20, 10, k % 3) for k in range(60)]))
EVERY = {
    "failures": {"failures_per_vm_day": 5.0, "repair_median_s": 600.0, "repair_p90_s": 2400.0},
    "outages": {"outages_per_region_day": 5.0},
    "evictions": {"evicted_vm_types": ("t0",)},
    "lead times": {"lead_time_sigma": 0.5},
    "leaves": {"spot_leave_median_s": 100.0, "spot_leave_p90_s": 400.0},
    "telemetry": {"router_telemetry_s": 60.0},
}


def drawn(sim, kind):
    return sim._state["fault"][sim._state["fault"]["kind"] == kind]


def test_failures_and_repairs():
    faults = Faults(failures_per_vm_day=0.1)
    source = drawn(Simulator(faulty(faults, vms=MANY), ROWS, seed=7), st.FAILURE)
    up_days, down_days = source["start_s"] / 86_400, (source["end_s"] - source["start_s"]) / 86_400
    assert up_days.mean() == pytest.approx(10.0, rel=0.05)
    assert stats.kstest(up_days, "expon", (0, 10.0)).pvalue > 0.01
    assert law(down_days) == pytest.approx([0.85, 13.5], rel=0.15)
    assert stats.kstest(np.log(down_days), "norm", (np.log(0.85), np.log(13.5 / 0.85) / stats.norm.ppf(0.9))).pvalue > 0.01
    assert abs(np.corrcoef(up_days, np.log(down_days))[0, 1]) < 0.05


def test_evictions():
    source = drawn(Simulator(faulty(Faults(evicted_vm_types=("t0",)), vms=MANY), ROWS, seed=7), st.EVICTION)
    assert law(source["start_s"]) == pytest.approx([2100.0, 20_040.0], rel=0.15)
    assert law(source["end_s"] - source["start_s"]) == pytest.approx([1365.0, 13_020.0], rel=0.15)


def test_one_vm_over_many_repairs():
    """The share of its time that a VM is down is that of its mean times up and down."""
    faults = Faults(failures_per_vm_day=20.0, repair_median_s=600.0, repair_p90_s=2400.0)
    sim = Simulator(faulty(faults, vms=40), ROWS, seed=2)
    sim.advance(20 * 86_400.0)
    source = drawn(sim, st.FAILURE)
    sigma = np.log(4.0) / stats.norm.ppf(0.9)
    mean_down_s, mean_up_s = 600.0 * np.exp(sigma**2 / 2), 86_400.0 / 20
    expected = mean_down_s / (mean_down_s + mean_up_s)
    assert sim.metrics().failed_h / (40 * 20 * 24) == pytest.approx(expected, rel=0.05)
    assert sim.metrics().failures == pytest.approx(40 * 20 * 86_400 / (mean_down_s + mean_up_s), rel=0.05)
    assert len(set(source["drawn"].tolist())) > 10


def lead_times(faults, seed=5):
    """Seconds that each of many VMs takes to provision when all are taken at time zero, VM by VM."""
    world = faulty(faults, vms=MANY, instances=0, lead_times=LeadTimes(60.0, 600.0, 600.0))
    sim = Simulator(world, ROWS, seed=seed)
    knobs = Knobs.static(world)
    knobs.floor[:] = knobs.cap[:] = MANY
    sim.apply(knobs)
    event = sim._state["event"]
    first = len(event) // 2 + len(sim._state["transit"]) + 1
    return event["time_s"][first : first + MANY]


def test_lead_times_are_random_about_their_median():
    seconds = lead_times(Faults(lead_time_sigma=0.5))
    assert np.median(seconds) == pytest.approx(600.0, rel=0.05)
    assert np.log(seconds).std() == pytest.approx(0.5, rel=0.05)
    assert (lead_times(Faults()) == 600.0).all()


def test_spot_customers_take_time_to_leave():
    seconds = lead_times(Faults(spot_leave_median_s=100.0, spot_leave_p90_s=400.0)) - 600.0
    assert law(seconds) == pytest.approx([100.0, 400.0], rel=0.15)
    both = lead_times(Faults(lead_time_sigma=0.5, spot_leave_median_s=100.0, spot_leave_p90_s=400.0))
    assert both == pytest.approx(lead_times(Faults(lead_time_sigma=0.5)) + seconds)
    assert abs(np.corrcoef(np.log(seconds), lead_times(Faults(lead_time_sigma=0.5)))[0, 1]) < 0.05


@pytest.mark.parametrize("one", EVERY)
def test_a_kind_turned_on_moves_no_draw_of_another(one):
    """Every other kind alone, and beside this one, draws the same first intervals."""
    rest = {name: value for kind, values in EVERY.items() if kind != one for name, value in values.items()}
    worlds = [faulty(Faults(**values), regions=2) for values in (rest, {**rest, **EVERY[one]})]
    alone, beside = (Simulator(world, ROWS, seed=4) for world in worlds)
    for kind in np.unique(alone._state["fault"]["kind"]):
        assert drawn(alone, kind).tobytes() == drawn(beside, kind).tobytes()


def test_policies_move_no_failure():
    faults = Faults(failures_per_vm_day=23.0, repair_median_s=600.0, repair_p90_s=2400.0, evicted_vm_types=("t0",))
    world = faulty(faults, regions=2)
    sims = [Simulator(world, ROWS, seed=4) for _ in range(2)]
    knobs = Knobs.static(world)
    knobs.floor[:] = knobs.cap[:] = 3
    for at_s in (1e4, 5e4, 2e5):
        for sim in sims:
            sim.advance(at_s)
        sims[1].apply(knobs)
    assert sims[0]._state["fault"]["drawn"].sum() > 100
    source = [sim._state["fault"][["start_s", "end_s", "drawn"]].tobytes() for sim in sims]
    assert source[0] == source[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_rate_of_0_is_no_fault_bit_for_bit(seed):
    others = Faults(repair_median_s=1.0, repair_p90_s=2.0, outage_median_s=1.0, up_median_s=100.0, down_median_s=1.0)
    sims = [Simulator(world, ROWS, seed=seed) for world in (toy_world(), replace(toy_world(), faults=others))]
    for sim in sims:
        sim.advance(1e5)
    assert state_bytes(sims[0]) == state_bytes(sims[1])
    assert sims[0]._state["fault"].size == 0


def test_seeds_differ():
    starts = [drawn(Simulator(faulty(Faults(failures_per_vm_day=0.1)), ROWS, seed=seed), st.FAILURE)["start_s"] for seed in (1, 2)]
    assert not np.intersect1d(*starts).size


def test_words_by_place_are_those_of_a_generator():
    words = generator_words(12, LEAD_TIMES, 3)
    assert [word_at(np.uint64(12), LEAD_TIMES, 3, place) for place in range(4)] == words.tolist()
    assert word_at(np.uint64(12), FAILURES, 3, 0) != words[0]
