"""Thousands of random worlds, workloads and decisions: every invariant after every event, and what the request log must say."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sageserve_env.sim import Knobs, Simulator
from sageserve_env.sim.checks import INVARIANTS, first_broken
from sageserve_env.world.schema import LeadTimes, Serving
from tests.sim.helpers import (
    ArrayWorkload,
    finish,
    kv_of,
    log_by_request,
    one_of_each,
    play,
    random_knobs,
    random_rows,
    random_world,
    requests,
    simulate,
    toy_world,
)

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "invariants.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def random_case(seed, *, roomy=False, check=True, **options):
    """A generator, and a simulator with a random world and workload."""
    rng = np.random.default_rng(seed)
    world = random_world(rng, roomy=roomy)
    rows = random_rows(rng, world, **options)
    return rng, Simulator(world, ArrayWorkload(rows, int(rng.choice([1, 5, 4096]))), log_requests=True, check=check)


@pytest.mark.parametrize("part", range(8))
def test_every_invariant_after_every_event(part):
    for seed in range(part * 200, (part + 1) * 200):
        rng, sim = random_case(seed, most=30)
        try:
            play(sim, rng)
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken


@given(st.integers(0, 2**63 - 1))
@settings(deadline=None, max_examples=150)
def test_every_invariant_in_cases_that_hypothesis_draws(seed):
    rng, sim = random_case(seed, most=30)
    play(sim, rng, steps=6)


def test_every_invariant_when_requests_crowd():
    for seed in range(60):
        rng, sim = random_case(10_000 + seed, most=400, horizon_s=20.0)
        play(sim, rng)


@pytest.mark.parametrize("part", range(4))
def test_requests_add_up_at_random_instants(part):
    # Without the check after every event: more cases, and counts that come from outside the simulator.
    for seed in range(20_000 + part * 300, 20_000 + (part + 1) * 300):
        rng, sim = random_case(seed, check=False)
        rows = sim.workload.rows
        for stop_s in np.sort(rng.random(4) * 60.0):
            sim.advance(float(stop_s))
            sim.apply(random_knobs(rng, sim.world))
            assert_adds_up(sim, rows, seed)
            sim._verify()
        total = sim.metrics().total
        there = total.travelling + total.waiting + total.running + total.queued
        assert total.arrived == total.rejected + total.completed + there, seed


def assert_adds_up(sim, rows, seed):
    telemetry, clock = sim.telemetry(), sim._state["clock"][0]
    assert telemetry.arrived.sum() == clock["arrived"] == np.sum(rows["arrival_s"] < sim.now_s), seed
    assert clock["completed"] + clock["rejected"] == len(sim.request_log()), seed
    arrived = np.zeros_like(telemetry.arrived)
    np.add.at(arrived, (rows["origin"], rows["model"], rows["tier"]), rows["arrival_s"] < sim.now_s)
    assert np.array_equal(arrived, telemetry.arrived), seed
    assert_vms_add_up(sim, telemetry, seed)


def assert_vms_add_up(sim, telemetry, seed):
    world = sim.world
    used = telemetry.active + telemetry.provisioning + telemetry.draining
    spent_s = telemetry.active_s + telemetry.provisioning_s + telemetry.draining_s
    for r, region in enumerate(world.regions):
        capacity = np.array([region.vm_capacity.get(vm_type.name, 0) for vm_type in world.vm_types])
        here = telemetry.region == r
        assert np.array_equal(used[here].sum(axis=0) + telemetry.spot[r], capacity), seed
        all_s = spent_s[here].sum(axis=0) + telemetry.spot_s[r]
        assert np.allclose(all_s, capacity * sim.now_s, rtol=1e-12, atol=1e-9), seed
    for row in sim.metrics().fleet:  # the most active in a quarter of an hour are no fewer than its mean
        assert row.peak_15min_h >= row.active_h - 1e-9, seed


@pytest.mark.parametrize("part", range(2))
def test_causality_rejection_and_liveness(part):
    for seed in range(30_000 + part * 150, 30_000 + (part + 1) * 150):
        rng, sim = random_case(seed, roomy=True, check=False)
        play(sim, rng)
        sim.apply(one_of_each(sim.world))
        assert finish(sim), f"seed {seed}: requests are left for ever"
        assert first_broken(*sim._arguments()) == 0
        assert_log_is_right(sim, seed)


def assert_log_is_right(sim, seed):
    world, rows, log = sim.world, sim.workload.rows, log_by_request(sim)
    assert np.array_equal(log["request"], np.arange(len(rows))), seed
    for name in ("arrival_s", "prompt_tokens", "output_tokens", "model", "origin", "tier"):
        assert np.array_equal(log[name], rows[name]), (seed, name)
    too_large = rows["prompt_tokens"].astype(np.int64) + rows["output_tokens"] > kv_of(world)[rows["model"]]
    assert np.array_equal(log["rejected"] == 1, too_large), seed
    served = log[~too_large]
    delay_s = np.array(world.latency_s)[served["origin"], served["region"]] + world.routing.delay_s
    assert np.all(served["arrival_s"] <= served["routed_s"]), seed
    assert np.all(served["prefill_start_s"] >= served["routed_s"] + delay_s), seed
    assert np.all(served["first_token_s"] >= served["routed_s"] + delay_s + world.serving.iteration_overhead_s), seed
    assert np.all(served["prefill_start_s"] < served["first_token_s"]), seed
    alone = served["output_tokens"] == 1
    assert np.array_equal(served["completion_s"][alone], served["first_token_s"][alone]), seed
    assert np.all(np.isinf(served["decode_start_s"][alone])), seed
    many = served[~alone]
    assert np.all(many["first_token_s"] <= many["decode_start_s"]), seed
    assert np.all(many["prefill_start_s"] < many["decode_start_s"]), seed
    assert np.all(many["decode_start_s"] < many["completion_s"]), seed
    assert np.all(np.diff(sim.request_log()["completion_s"][sim.request_log()["rejected"] == 0]) >= 0), seed


def test_clocks_only_go_forward():
    for seed in range(40_000, 40_050):
        _, sim = random_case(seed, check=False, most=20)
        before = sim.snapshot().arrays
        for stop_s in np.linspace(0.5, 40.0, 80):
            sim.advance(float(stop_s))
            now = sim.snapshot().arrays
            assert sim.now_s == stop_s
            for name in ("events", "ticks", "arrived", "rejected", "completed", "preempted", "blocked_scale_outs"):
                assert now["clock"][0][name] >= before["clock"][0][name], (seed, name)
            for name in ("routed", "completed", "prompt_tokens", "ttft_sum_s", "e2e_sum_s", "slo_met"):
                assert np.all(now["lane"][name] >= before["lane"][name]), (seed, name)
            for name in ("active_s", "provisioning_s", "draining_s", "scale_outs", "scale_ins"):
                assert np.all(now["fleet"][name] >= before["fleet"][name]), (seed, name)
            assert np.all(now["instance"]["iteration"] >= before["instance"]["iteration"]), seed
            assert np.all(now["stored"] >= before["stored"]), seed
            before = now


def test_metrics_are_sums_of_the_log():
    for seed in range(50_000, 50_150):
        rng, sim = random_case(seed, check=False)
        play(sim, rng)
        total, log = sim.metrics().total, sim.request_log()
        done = log[log["rejected"] == 0]
        assert (total.completed, total.rejected) == (len(done), np.sum(log["rejected"])), seed
        assert (total.prompt_tokens, total.output_tokens) == (done["prompt_tokens"].sum(), done["output_tokens"].sum()), seed
        if len(done):
            assert total.ttft_mean_s == pytest.approx(np.mean(done["first_token_s"] - done["arrival_s"]), abs=1e-9), seed
            assert total.e2e_mean_s == pytest.approx(np.mean(done["completion_s"] - done["arrival_s"]), abs=1e-9), seed
        slo_s = np.array([tier.slo_s for tier in sim.world.tiers])[done["tier"]]
        counted_s = np.where(done["tier"] == 2, done["completion_s"], done["first_token_s"]) - done["arrival_s"]
        tpot_s = np.array([tier.tpot_s or np.inf for tier in sim.world.tiers])[done["tier"]]
        decode_s = done["completion_s"] - done["first_token_s"]
        is_quick = decode_s <= tpot_s * np.maximum(done["output_tokens"] - 1, 1)
        assert total.slo_met == np.sum((counted_s <= slo_s) & is_quick), seed


@pytest.mark.parametrize("max_batch", [1, 2, 16])
def test_long_prompts_that_block_each_other_all_complete(max_batch):
    # Two prompts fill the memory, and neither output fits beside them.
    world = toy_world(kv_tokens=100, serving=Serving(max_batch=max_batch, kv_admission="two_step"))
    rows = requests(*((0.0, 40 + i % 9, 50) for i in range(30)))
    sim = simulate(world, rows)
    assert sim.metrics().total.completed == 30


@pytest.mark.parametrize("kv_admission", ["two_step", "reserve"])
def test_a_request_as_large_as_the_memory_is_served_and_one_larger_is_not(kv_admission):
    world = toy_world(kv_tokens=100, serving=Serving(kv_admission=kv_admission))
    log = log_by_request(simulate(world, requests((0.0, 99, 1), (0.0, 1, 99), (0.0, 99, 2), (0.0, 101, 1), (1.0, 60, 40))))
    assert log["rejected"].tolist() == [0, 0, 1, 1, 0]


def test_the_cases_reach_what_they_are_for():
    seen = dict.fromkeys(("preempted", "blocked_scale_outs", "rejected", "draining", "provisioning", "promoted", "expired"), 0)
    for seed in range(300):
        rng, sim = random_case(seed, check=False)
        play(sim, rng)
        metrics = sim.metrics()
        seen["preempted"] += metrics.preempted > 0
        seen["blocked_scale_outs"] += metrics.blocked_scale_outs > 0
        seen["rejected"] += metrics.total.rejected > 0
        seen["draining"] += metrics.fleet_total.draining_h > 0
        seen["provisioning"] += metrics.fleet_total.provisioning_h > 0
        seen["promoted"] += metrics.total.promoted > 0
        seen["expired"] += metrics.total.slo_missed > 0
    assert min(seen.values()) >= 10, seen


def test_the_cases_have_chunks_and_runs_that_grow():
    seen = dict.fromkeys(("prefilled", "growth_s"), 0)
    for seed in range(300):
        _, sim = random_case(seed, check=False)
        sim.advance(5.0)
        for name in seen:
            seen[name] += np.any(sim._state["instance"][name] > 0)
    assert min(seen.values()) >= 20, seen


def test_a_broken_state_is_found():
    world = toy_world(instances=2, latency_s=0.25, lead_times=LeadTimes(60.0, 600.0, 7200.0))
    wrong = {
        1: ("clock", 0, "arrived"),
        2: ("lane", 0, "running"),
        3: ("instance", 0, "kv_used"),
        4: ("endpoint", 0, "kv_used"),
        5: ("fleet", 0, "active"),
        7: ("instance", 0, "pending_tokens"),
    }
    cases = [*wrong.items(), *((7, ("instance", 0, field)) for field in ("prefill_tokens", "prefilled", "context_tokens"))]
    for number, (array, place, field) in cases:
        sim = simulate(world, requests((0.0, 50, 9), (0.0, 50, 9)), until_s=1.0)
        sim._state[array][field][place] += 1
        with pytest.raises(AssertionError, match=f"invariant {number} broken at 1.0 s: {INVARIANTS[number].split(':')[0]}"):
            sim._verify()
    sim = simulate(world, requests((0.0, 50, 9)), until_s=1.0)
    sim._state["clock"]["now_s"] = 1e9
    with pytest.raises(AssertionError, match="invariant 6"):
        sim._verify()
    sim = simulate(world, requests((0.0, 50, 9)), until_s=0.5)
    leaf = len(sim._state["event"]) // 2 + len(sim._state["transit"]) + 1
    busy = int(np.argmax(sim._state["instance"]["prefills"]))
    sim._state["event"]["time_s"][leaf + busy] = np.inf
    with pytest.raises(AssertionError, match="invariant 8"):
        sim._verify()


def test_an_idle_fleet_breaks_nothing():
    knobs = Knobs.static(toy_world())
    knobs.floor[:] = knobs.cap[:] = 0
    sim = simulate(toy_world(), requests((0.0, 5, 5), (1.0, 5, 5)), until_s=100.0, knobs=knobs)
    assert (sim.metrics().total.waiting, sim.metrics().total.completed) == (2, 0)


def test_the_page_names_a_test_for_every_invariant():
    page = PAGE.read_text()
    for number, meaning in INVARIANTS.items():
        assert re.search(rf"^{number}\. ", page, re.MULTILINE), f"invariant {number} ({meaning}) is not on the page"
    items = re.split(r"^\d+\. ", page, flags=re.MULTILINE)[1:]
    assert len(items) > len(INVARIANTS)
    for item in items:
        assert NAMED.search(item), f"no test is named in: {item}"


def test_every_test_that_the_page_names_exists():
    for path, name in NAMED.findall(PAGE.read_text()):
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path} has no {name}"
