"""Metrics against what the request log, the world's capacity and plain arithmetic say."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.sim import Knobs, Simulator
from sageserve_env.sim.readout.metrics import Metrics
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import TIERS, chiron, published, siloed
from tests.sim.helpers import IW_N, requests, simulate, toy_world

TUESDAY_11_S = 126_000.0
SUMS = (
    "arrived",
    "rejected",
    "completed",
    "travelling",
    "waiting",
    "running",
    "queued",
    "prompt_tokens",
    "output_tokens",
    "slo_met",
)
PERCENTS = (50, 75, 90, 95, 99)


def scaling_knobs(world):
    knobs = Knobs.static(world)
    knobs.floor[:] = 1
    knobs.cap[:] = 100
    return knobs


def run(world, duration_s=900.0, **options):
    workload = O365Week(start_s=TUESDAY_11_S, duration_s=duration_s)
    sim = Simulator(world, workload, seed=3, log_requests=True, **options)
    sim.apply(scaling_knobs(world))
    sim.advance(duration_s)
    return sim


@pytest.fixture(scope="module", params=[published(instances=4), siloed(), chiron()], ids=lambda world: world.name)
def sim(request):
    return run(request.param)


@pytest.fixture(scope="module")
def metrics(sim):
    return sim.metrics()


def test_rows_add_up_to_the_total(metrics):
    for scope in ("tier", "model", "model-tier", "region", "model-region-tier"):
        for name in SUMS:
            assert sum(getattr(row, name) for row in metrics.service_by(scope)) == getattr(metrics.total, name), (scope, name)
    for scope in ("model", "region", "model-region-vm_type"):
        hours = ("active_h", "peak_15min_h", "provisioning_h", "draining_h", "waste_by_moves_h")
        for name in ("active", "scale_outs", "scale_ins", "dollars", *hours):
            total = getattr(metrics.fleet_total, name)
            assert sum(getattr(row, name) for row in metrics.fleet_by(scope)) == pytest.approx(total, rel=1e-12), (scope, name)


@pytest.mark.parametrize("scope", ["total", "tier", "model", "model-tier"])
def test_every_request_is_somewhere(metrics, scope):
    assert metrics.total.completed > 10_000
    for row in metrics.service_by(scope):
        assert row.arrived == row.rejected + row.completed + row.travelling + row.waiting + row.running + row.queued


def test_service_is_that_of_the_request_log(sim, metrics):
    log = sim.request_log()
    slo_s = np.array([tier.slo_s for tier in sim.world.tiers])
    for row in metrics.service_by("model-region-tier"):
        place = tuple(
            [item.name for item in items].index(name)
            for items, name in ((sim.world.models, row.model), (sim.world.regions, row.region), (sim.world.tiers, row.tier))
        )
        chosen = log[(log["model"] == place[0]) & (log["region"] == place[1]) & (log["tier"] == place[2])]
        judged = "completion_s" if row.tier == "NIW" else "first_token_s"
        assert row.completed == len(chosen)
        assert row.prompt_tokens == chosen["prompt_tokens"].sum()
        assert row.output_tokens == chosen["output_tokens"].sum()
        assert row.slo_met == (chosen[judged] - chosen["arrival_s"] <= slo_s[place[2]]).sum()


@pytest.mark.parametrize("scope", ["total", "tier", "model", "region", "model-region-tier"])
def test_percentiles_are_within_one_per_cent_of_the_exact(sim, metrics, scope):
    log = sim.request_log()
    log = log[log["rejected"] == 0]
    names = {"model": sim.world.models, "region": sim.world.regions, "tier": sim.world.tiers}
    for row in metrics.service_by(scope):
        chosen = np.ones(len(log), bool)
        for field, items in names.items():
            if getattr(row, field) != "all":
                chosen &= log[field] == [item.name for item in items].index(getattr(row, field))
        if not chosen.any():
            continue
        for kind, field in (("ttft", "first_token_s"), ("e2e", "completion_s")):
            exact = (log[field] - log["arrival_s"])[chosen]
            assert getattr(row, f"{kind}_mean_s") == pytest.approx(exact.mean(), rel=1e-9)
            for percent in PERCENTS:
                wanted = np.quantile(exact, percent / 100, method="inverted_cdf")
                assert getattr(row, f"{kind}_p{percent}_s") == pytest.approx(wanted, rel=0.01)


def test_vm_hours_are_the_capacity_times_the_time(sim, metrics):
    for region, row in zip(sim.world.regions, metrics.fleet_by("region"), strict=True):
        assert row.region == region.name
        used = row.active_h + row.provisioning_h + row.draining_h
        donated = sum(spot.donated_h for spot in metrics.spot if spot.region == region.name)
        assert used + donated == pytest.approx(sum(region.vm_capacity.values()) * sim.now_s / 3600, rel=1e-12)
    total = metrics.fleet_total
    vms = total.active + total.provisioning + total.draining + sum(row.vms for row in metrics.spot)
    assert vms == sum(sum(region.vm_capacity.values()) for region in sim.world.regions)


def test_dollars_are_hours_at_list_price(sim, metrics):
    price = {vm_type.name: vm_type.price_usd_per_h for vm_type in sim.world.vm_types}
    for row in metrics.fleet_by("model-region-vm_type"):
        assert row.dollars == pytest.approx((row.active_h + row.provisioning_h + row.draining_h) * price[row.vm_type], rel=1e-12)


def test_mean_utilization_is_a_weighted_mean(metrics):
    by_region = metrics.fleet_by("region")
    assert all(0 < row.mean_utilization < 1 for row in by_region)
    low, high = min(row.mean_utilization for row in by_region), max(row.mean_utilization for row in by_region)
    assert low <= metrics.fleet_total.mean_utilization <= high


def test_attainment_counts_what_is_decided(metrics):
    for row in metrics.service:
        assert row.slo_met + row.slo_missed == row.completed + row.overdue + row.rejected
        assert row.rejected <= row.unattainable <= row.slo_missed
        if row.slo_met + row.slo_missed > 0:
            assert row.slo_attainment == row.slo_met / (row.slo_met + row.slo_missed)
            assert row.slo_attainment_of_attainable >= row.slo_attainment


def test_no_fleet_meets_the_unattainable():
    world = published(instances=4)
    iw_f, iw_n, niw = world.tiers
    row = run(replace(world, tiers=(replace(iw_f, slo_s=0.001), iw_n, niw)), 120.0).metrics().service_by("tier")[0]
    assert row.completed > 0
    assert row.slo_met == 0
    assert row.unattainable == row.slo_missed >= row.completed
    assert row.slo_attainment == 0
    assert math.isnan(row.slo_attainment_of_attainable)


def test_the_rejected_are_missed_and_unattainable():
    world = toy_world(regions=2, instances=3)  # 1,000 KV tokens
    fits, too_large = (50, 5), (999, 2)
    rows = requests(*[(10.0 * k, *(fits if k % 2 else too_large), IW_N, k % 2) for k in range(6)])
    metrics = simulate(world, rows).metrics()
    for row in (metrics.total, metrics.service_by("tier")[IW_N]):
        assert (row.rejected, row.slo_met, row.slo_missed, row.unattainable) == (3, 3, 3, 3)
        assert (row.slo_attainment, row.slo_attainment_of_attainable) == (0.5, 1.0)
    here, there = metrics.service_by("region")  # the origins of the too large, and of those that fit
    assert (here.slo_attainment, there.slo_attainment) == (0.0, 1.0)
    assert math.isnan(here.slo_attainment_of_attainable)


def test_work_left_waiting_past_its_deadline_is_missed():
    world = siloed()
    interactive, other = world.pools
    iw_f, iw_n, niw = world.tiers
    nobody = replace(other, instances={})  # non-interactive requests wait in the central queue for ever
    world = replace(world, pools=(interactive, nobody), tiers=(iw_f, iw_n, replace(niw, slo_s=60.0)))
    workload = O365Week(start_s=TUESDAY_11_S, duration_s=300.0)
    sim = Simulator(world, workload)
    sim.advance(300.0)
    requests = workload.stream(world, 0).next_chunk()
    waiting = requests[requests["tier"] == TIERS.index("NIW")]
    row = sim.metrics().service_by("tier")[2]
    assert row.queued == row.arrived == len(waiting) > 0
    assert row.completed == 0
    assert row.slo_missed == row.overdue == (300.0 - waiting["arrival_s"] > 60.0).sum() > 0
    assert row.slo_attainment == 0
    assert row.oldest_queued_s == row.oldest_unfinished_s == 300.0 - waiting["arrival_s"][0]
    assert math.isnan(row.e2e_p50_s)


def test_a_run_that_has_not_begun_has_no_percentiles_and_no_hours():
    metrics = Simulator(published(), O365Week(duration_s=60.0)).metrics()
    assert metrics.total.arrived == metrics.total.completed == 0
    assert math.isnan(metrics.total.ttft_p50_s)
    assert math.isnan(metrics.total.slo_attainment)
    assert metrics.fleet_total.active == 240
    assert metrics.fleet_total.dollars == metrics.spot_donated_h == 0


def test_metrics_are_a_copy(sim):
    before = sim.metrics()
    text = json.dumps(before.to_dict())
    sim.advance(sim.now_s + 10.0)
    assert json.dumps(before.to_dict()) == text


def test_json_has_no_nan_and_gives_the_metrics_back():
    metrics = Simulator(published(), O365Week(duration_s=60.0)).metrics()
    text = json.dumps(metrics.to_dict(), allow_nan=False)
    again = Metrics.from_dict(json.loads(text))
    assert again.to_dict() == metrics.to_dict()
    assert math.isnan(again.total.ttft_p50_s)


def test_frames_have_a_column_for_each_field(metrics):
    pytest.importorskip("pandas")
    frame, fleet = metrics.to_frame(), metrics.fleet_frame()
    assert list(frame.columns) == list(asdict(metrics.total))
    assert len(frame) == len(metrics.service)
    assert fleet.loc[fleet["scope"] == "total", "dollars"].item() == metrics.fleet_total.dollars


def test_without_pandas_the_extra_is_named(metrics, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InputError, match=r"sageserve-env\[data\]"):
        metrics.to_frame()


def test_an_unknown_scope_lists_the_known(metrics):
    with pytest.raises(InputError, match="scope = 'galaxy' is not known; choose one of total, tier"):
        metrics.service_by("galaxy")
