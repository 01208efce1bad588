"""Time between tokens: measured for each request, and a second service level of a tier."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.sim import Knobs, Simulator
from tests.sim.helpers import (
    ArrayWorkload,
    decode_time,
    log_by_request,
    prefill_time,
    random_rows,
    random_world,
    requests,
    toy_world,
)

PERCENTS = (50, 75, 90, 95, 99)


def levelled(tpot_s, slo_s=100.0, **parts):
    """The toy world with both levels in every tier."""
    world = toy_world(**parts)
    world = replace(world, niw=replace(world.niw, managed=False))
    return replace(world, tiers=tuple(replace(tier, slo_s=slo_s, tpot_s=tpot_s) for tier in world.tiers))


def run(world, rows, until_s=1e4):
    sim = Simulator(world, ArrayWorkload(rows), log_requests=True, check=True)
    sim.advance(until_s)
    return sim


def test_the_log_has_it_for_those_of_two_tokens_or_more():
    log = log_by_request(run(toy_world(instances=3), requests((0.0, 64, 1), (0.0, 64, 2), (0.0, 64, 9), (0.0, 64, 5000))))
    assert log["tpot_s"].tolist() == [math.inf, decode_time(1), decode_time(1), math.inf]
    assert log["rejected"].tolist() == [0, 0, 0, 1]


def test_waiting_to_decode_and_the_prompts_of_others_count():
    arrival_s = prefill_time(64) + 0.5 * decode_time(1)
    log = log_by_request(run(toy_world(), requests((0.0, 64, 3), (arrival_s, 20, 1))))
    assert log["tpot_s"][0] == pytest.approx((decode_time(1) + 1.1 * prefill_time(21)) / 2, rel=1e-12)


def test_metrics_are_those_of_the_log():
    compared = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        world = random_world(rng)
        sim = Simulator(world, ArrayWorkload(random_rows(rng, world)), log_requests=True)
        sim.advance(1e4)
        log = sim.request_log()
        for tier, row in enumerate(sim.metrics().service_by("tier")):
            exact = log["tpot_s"][(log["tier"] == tier) & np.isfinite(log["tpot_s"])]
            if not len(exact):
                assert math.isnan(row.tpot_mean_s)
                continue
            compared += 1
            assert row.tpot_mean_s == pytest.approx(exact.mean(), rel=1e-9)
            for percent in PERCENTS:
                wanted = np.quantile(exact, percent / 100, method="inverted_cdf")
                assert getattr(row, f"tpot_p{percent}_s") == pytest.approx(wanted, rel=0.01)
    assert compared > 60


@pytest.mark.parametrize("tier", range(3))
def test_a_level_is_met_at_its_value_and_missed_below(tier):
    # Two that decode together are slower than one alone: missed, though a fleet of two instances could have met it.
    rows = requests((0.0, 64, 1, tier), (0.0, 64, 5, tier), (0.0, 64, 5, tier))
    for tpot_s, met in ((decode_time(2), 3), (np.nextafter(decode_time(2), 0.0), 1)):
        sim = run(levelled(float(tpot_s)), rows)
        total = sim.metrics().total
        assert (total.slo_met, total.slo_missed, total.unattainable) == (met, 3 - met, 0)
        assert sim.telemetry().breached.sum() == 3 - met


@pytest.mark.parametrize("tier", range(3))
def test_quicker_than_one_request_alone_is_unattainable(tier):
    rows = requests((0.0, 64, 5, tier))
    for tpot_s, missed in ((decode_time(1), 0), (np.nextafter(decode_time(1), 0.0), 1)):
        sim = run(levelled(float(tpot_s)), rows)
        total = sim.metrics().total
        assert (total.slo_met, total.slo_missed, total.unattainable) == (1 - missed, missed, missed)
        assert sim.telemetry().breached.sum() == 0


def test_both_levels_are_to_be_met_on_one_vm_type():
    # One type prefills in time, the other decodes in time; neither does both.
    world = levelled(0.2, slo_s=prefill_time(64))
    kinds = tuple(replace(world.vm_types[0], name=name) for name in ("t0", "t1"))
    profile = world.models[0].profiles["t0"]
    slow_prefill = replace(profile, prefill=replace(profile.prefill, seconds=tuple(2 * s for s in profile.prefill.seconds)))
    slow_decode = replace(profile, decode=replace(profile.decode, seconds=tuple(2 * s for s in profile.decode.seconds)))
    region = replace(world.regions[0], vm_capacity={"t0": 1, "t1": 1})
    for t0, unattainable in ((slow_decode, 1), (profile, 0)):
        models = (replace(world.models[0], profiles={"t0": t0, "t1": slow_prefill}),)
        total = run(replace(world, vm_types=kinds, models=models, regions=(region,)), requests((0.0, 64, 5))).metrics().total
        assert total.unattainable == unattainable


@pytest.mark.parametrize("tier", range(3))
def test_overdue_once_the_allowance_of_all_tokens_is_spent(tier):
    world = levelled(decode_time(1))
    rows = requests((0.0, 64, 1, tier), (0.0, 64, 5, tier), (0.0, 64, 5, tier))
    first_s = prefill_time(64) + prefill_time(128)
    sim = run(world, rows, until_s=first_s + 4 * decode_time(1))
    assert (sim.metrics().total.overdue, sim.telemetry().breached.sum()) == (0, 0)
    sim.advance(first_s + 4 * decode_time(1) + 1 / 128)
    total = sim.metrics().total
    assert (total.overdue, total.slo_missed, total.running) == (2, 2, 2)
    assert sim.telemetry().breached.sum() == 2
    sim.advance(1e3)
    assert (sim.metrics().total.overdue, sim.metrics().total.slo_missed) == (0, 2)
    assert sim.telemetry().breached.sum() == 2


def test_a_level_that_all_meet_changes_no_byte():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        world = random_world(rng)
        rows = random_rows(rng, world)
        logs = []
        for tpot_s in (None, 1e6):
            tiers = tuple(replace(tier, tpot_s=tpot_s) for tier in world.tiers)
            sim = Simulator(replace(world, tiers=tiers), ArrayWorkload(rows), log_requests=True)
            sim.apply(Knobs.static(world))
            sim.advance(300.0)
            logs.append((sim.request_log().tobytes(), sim.metrics()))
        assert repr(logs[0]) == repr(logs[1]), seed
