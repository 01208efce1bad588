"""Each mechanism of serving, routing and scaling in a case crafted for it."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.sim import ADMISSION_ORDERS, Knobs, Simulator
from sageserve_env.world.schema import (
    Dpa,
    LeadTimes,
    NiwQueue,
    Pool,
    Region,
    Routing,
    Scaling,
    Serving,
    Tier,
)
from tests.sim.helpers import (
    IW_F,
    IW_N,
    NIW,
    ArrayWorkload,
    decode_time,
    log_by_request,
    prefill_time,
    requests,
    simulate,
    toy_world,
)

LEADS = LeadTimes(60.0, 600.0, 7200.0)
UNMANAGED = NiwQueue(managed=False)


def start(world, rows, knobs=None):
    """A simulator at time zero, every invariant verified after every event."""
    sim = Simulator(world, ArrayWorkload(rows), log_requests=True, check=True)
    if knobs is not None:
        sim.apply(knobs)
    return sim


def bounds(world, floor, cap=None, **changes):
    """Knobs with the same floor and cap at every endpoint."""
    knobs = Knobs.static(world)
    knobs.floor[:] = floor
    knobs.cap[:] = floor if cap is None else cap
    for name, value in changes.items():
        getattr(knobs, name)[:] = value
    return knobs


def counts(sim):
    """Active, provisioning and draining instances of the first endpoint, and spot VMs of its region."""
    seen = sim.telemetry()
    return seen.active[0, 0], seen.provisioning[0, 0], seen.draining[0, 0], seen.spot[0, 0]


# --- admission orders -------------------------------------------------------------------------------------------------------


def order_of_service(order, rows, **parts):
    """Requests in the order in which a busy instance of batch one takes them."""
    world = toy_world(serving=Serving(max_batch=1), niw=UNMANAGED, **parts)
    sim = simulate(world, rows, knobs=Knobs.static(world, order))
    log = log_by_request(sim)
    return np.argsort(log["prefill_start_s"], kind="stable")[1:].tolist()  # the first keeps the instance busy


BLOCKER = (0.0, 608, 1, IW_F)  # 9.75 s of prefill
WAITING = ((1.0, 1, 1, NIW), (2.0, 1, 1, IW_N), (3.0, 1, 1, IW_F), (4.0, 1, 1, IW_N), (5.0, 1, 1, IW_F))
SHORT_NIW = (Tier("IW-F", 1.0), Tier("IW-N", 2.5), Tier("NIW", 3.5))


@pytest.mark.parametrize(
    ("order", "served"),
    [("FCFS", [1, 2, 3, 4, 5]), ("EDF", [3, 1, 2, 5, 4]), ("PF", [3, 5, 2, 4, 1])],
)
def test_admission_orders(order, served):
    # Deadlines of 1 to 5: 4.5, 4.5, 4, 6.5, 6; at equal deadlines the higher tier, IW-N, would come first.
    rows = requests(BLOCKER, *WAITING)
    rows["arrival_s"][1] = 0.75  # 4.25: no tie
    assert order_of_service(order, rows, tiers=SHORT_NIW) == served


def test_equal_deadlines_go_by_tier():
    assert order_of_service("EDF", requests(BLOCKER, *WAITING), tiers=SHORT_NIW) == [3, 2, 1, 5, 4]


def test_deadline_and_priority_aware_buckets():
    # At 10 s, when the instance is free: severely expired (deadline before 6), urgent IW-F, urgent IW-N (deadline before 12),
    # other IW-F, other IW-N, recently expired, NIW.
    tiers = (Tier("IW-F", 4.0), Tier("IW-N", 6.0), Tier("NIW", 100.0))
    rows = requests(
        (0.0, 624, 1, IW_F),  # until 10.0 s
        (0.5, 1, 1, NIW),  # 1: last
        (1.0, 1, 1, IW_F),  # 2: deadline 5, severely expired
        (2.0, 1, 1, IW_N),  # 3: deadline 8, recently expired
        (5.5, 1, 1, IW_N),  # 4: deadline 11.5, urgent
        (7.0, 1, 1, IW_F),  # 5: deadline 11, urgent
        (8.5, 1, 1, IW_N),  # 6: deadline 14.5, not urgent
        (9.5, 1, 1, IW_F),  # 7: deadline 13.5, not urgent
    )
    served = order_of_service("DPA", rows, tiers=tiers, dpa=Dpa(urgent_s=2.0, severe_s=4.0))
    assert served == [2, 5, 4, 7, 6, 3, 1]


def test_the_admission_order_can_change_while_requests_wait():
    rows = requests(BLOCKER, *WAITING)
    world = toy_world(serving=Serving(max_batch=1), niw=UNMANAGED, tiers=SHORT_NIW)
    sim = start(world, rows, Knobs.static(world, "DPA"))
    sim.advance(9.9)
    sim.apply(Knobs.static(world, "FCFS"))
    sim.advance(100.0)
    log = log_by_request(sim)
    first = int(np.argsort(log["prefill_start_s"])[1])
    assert sorted(log["request"][1:]) == [1, 2, 3, 4, 5]
    assert np.argsort(log["prefill_start_s"], kind="stable")[2:].tolist() == [n for n in (1, 2, 3, 4, 5) if n != first]


def test_first_come_first_served_offset_of_a_tier():
    tiers = (Tier("IW-F", 1.0), Tier("IW-N", 60.0), Tier("NIW", 86_400.0, fcfs_offset_s=2.5))
    assert order_of_service("FCFS", requests(BLOCKER, *WAITING), tiers=tiers) == [2, 3, 1, 4, 5]


# --- batching and memory ----------------------------------------------------------------------------------------------------


def test_no_more_than_max_batch_run_together():
    world = toy_world(serving=Serving(max_batch=2))
    log = log_by_request(simulate(world, requests(*[(0.0, 10, 3)] * 5)))
    for row in log:
        running = (log["prefill_start_s"] <= row["prefill_start_s"]) & (row["prefill_start_s"] < log["completion_s"])
        assert running.sum() <= 2


def test_two_steps_of_memory_admit_more_than_a_reservation():
    rows = requests((0.0, 1, 1), (0.0, 40, 50), (0.0, 40, 50))
    together = log_by_request(simulate(toy_world(kv_tokens=140, serving=Serving(kv_admission="two_step")), rows))
    one_by_one = log_by_request(simulate(toy_world(kv_tokens=140, serving=Serving(kv_admission="reserve")), rows))
    assert together["prefill_start_s"][1] == together["prefill_start_s"][2]
    assert one_by_one["prefill_start_s"][2] == one_by_one["completion_s"][1]
    assert together["decode_start_s"][2] == together["completion_s"][1]  # prefilled, it waits for memory to decode


def test_prefilled_requests_that_fill_the_memory_preempt_the_last_of_them():
    # Two prompts of 48 take 98 of 100; neither can take its other 50. The second gives way and is prefilled once more.
    world = toy_world(kv_tokens=100, serving=Serving(kv_admission="two_step"))
    sim = simulate(world, requests((0.0, 1, 1), (0.0, 48, 51), (0.0, 48, 51)))
    log = log_by_request(sim)
    first_s = prefill_time(1) + prefill_time(96)
    assert sim.metrics().preempted == 1
    assert log["first_token_s"][1:].tolist() == [first_s, first_s]  # it has had its first token
    assert log["completion_s"][1] == first_s + 50 * decode_time(1)
    assert log["completion_s"][2] == log["completion_s"][1] + prefill_time(48) + 50 * decode_time(1)


def test_join_the_shortest_queue():
    # Pending tokens: 100 go to the first instance; the next two to the second until it has more.
    world = toy_world(instances=2, vms=2)
    log = log_by_request(simulate(world, requests((0.0, 100, 5), (0.0, 60, 5), (0.0, 60, 5), (0.0, 60, 5))))
    assert log["instance"].tolist() == [0, 1, 1, 0]


def test_an_instance_too_small_for_a_request_is_passed_over():
    world = two_types()
    knobs = bounds(world, 1)
    log = log_by_request(simulate(world, requests((0.0, 60, 20), (0.0, 70, 20), (0.0, 70, 20), (0.0, 5, 5)), knobs=knobs))
    assert log["vm"].tolist() == [1, 1, 1, 0]


def two_types(**parts):
    """A small VM type that holds 50 KV tokens and a large one that holds 1000."""
    world = toy_world(vms=1)
    large = world.vm_types[0]
    small = replace(large, name="small", gpu_memory_bytes=1050)
    profile = world.models[0].profiles["t0"]
    return replace(
        world,
        vm_types=(small, large),
        models=(replace(world.models[0], profiles={"small": profile, "t0": profile}),),
        regions=(Region("r0", {"small": 1, "t0": 1}),),
        **parts,
    )


def test_a_group_too_small_for_a_request_is_passed_over():
    world = two_types(routing=Routing(group_size=1))
    assert simulate(world, requests((0.0, 70, 20)), knobs=bounds(world, 1)).metrics().total.completed == 1


def test_requests_are_held_until_an_instance_can_take_them():
    world = two_types(lead_times=LEADS)
    sim = start(world, requests((0.0, 70, 20)), bounds(world, [1, 0]))
    sim.advance(1000.0)
    assert sim.telemetry().waiting[0].tolist() == [1, 0, 0]
    sim.apply(bounds(world, 1))
    sim.advance(2000.0)
    assert sim.request_log()["prefill_start_s"].tolist() == [1600.0]


# --- routing ----------------------------------------------------------------------------------------------------------------


def regions_served(rows, knobs=None, **parts):
    world = toy_world(regions=3, kv_tokens=1000, routing=Routing(utilization_threshold=0.5), **parts)
    return log_by_request(simulate(world, rows, knobs=knobs and knobs(world)))["region"].tolist()


def test_the_first_preferred_region_below_the_threshold():
    # 499 + 1 tokens are exactly the threshold of one half: no longer below it.
    busy = ((0.0, 499, 100, IW_F, 0),)
    assert regions_served(requests(*busy, (1.0, 5, 5, IW_F, 0))) == [0, 1]
    assert regions_served(requests(*busy, (1.0, 5, 5, IW_F, 0, 0, 1))) == [0, 2]  # its second choice is region 2
    assert regions_served(requests((0.0, 498, 100, IW_F, 0), (1.0, 5, 5, IW_F, 0))) == [0, 0]


def test_the_least_utilized_where_none_is_below():
    busy = ((0.0, 800, 100, IW_F, 0), (0.0, 700, 100, IW_F, 1), (0.0, 600, 100, IW_F, 2))
    assert regions_served(requests(*busy, (1.0, 5, 5, IW_F, 0)))[3] == 2


def test_a_region_without_weight_is_used_last():
    def weights(world):
        knobs = Knobs.static(world)
        knobs.region_weight[0] = [0.0, 1.0, 1.0]
        return knobs

    assert regions_served(requests((0.0, 5, 5, IW_F, 0)), weights) == [1]
    busy = ((0.0, 600, 100, IW_F, 1), (0.0, 700, 100, IW_F, 2))
    assert regions_served(requests(*busy, (1.0, 5, 5, IW_F, 0)), weights) == [1, 2, 1]


def test_a_weight_divides_utilization():
    def weights(world):
        knobs = Knobs.static(world)
        knobs.region_weight[0] = [0.5, 1.0, 1.0]
        return knobs

    busy = (0.0, 299, 100, IW_F, 0)  # 0.3 looks like 0.6
    assert regions_served(requests(busy, (1.0, 5, 5, IW_F, 0)), weights) == [0, 1]
    assert regions_served(requests(busy, (1.0, 5, 5, IW_F, 0))) == [0, 0]


def test_the_routing_threshold_is_a_knob():
    def threshold(world):
        knobs = Knobs.static(world)
        knobs.routing_threshold[:] = 0.2
        return knobs

    busy = (0.0, 299, 100, IW_F, 0)
    assert regions_served(requests(busy, (1.0, 5, 5, IW_F, 0)), threshold) == [0, 1]


def test_a_region_without_instances_is_avoided():
    world = toy_world(regions=2)
    knobs = Knobs.static(world)
    knobs.floor[0] = knobs.cap[0] = 0
    assert log_by_request(simulate(world, requests((1.0, 5, 5, IW_F, 0)), knobs=knobs))["region"].tolist() == [1]


# --- pools ------------------------------------------------------------------------------------------------------------------


def silos(spill_to=None):
    return (Pool("iw", ("IW-F", "IW-N"), {"m0": 1}, spill_to, 0.5), Pool("niw", ("NIW",), {"m0": 1}))


def test_pools_never_mix_tiers_without_a_spill():
    rows = requests(*((i / 8, 50, 20, i % 3) for i in range(120)))
    log = log_by_request(simulate(toy_world(pools=silos(), niw=UNMANAGED), rows))
    assert np.array_equal(log["pool"] == 1, log["tier"] == NIW)


def test_a_busy_pool_spills_above_its_level_only():
    def pools_used(tokens):
        rows = requests((0.0, tokens, 100, IW_F), (1.0, 5, 5, IW_N))
        return log_by_request(simulate(toy_world(pools=silos("niw"), niw=UNMANAGED), rows))["pool"].tolist()

    assert pools_used(499) == [0, 0]  # 500 of 1000 is at the level, not above it
    assert pools_used(500) == [0, 1]


# --- the queue of non-interactive requests ------------------------------------------------------------------------------------

NEVER_TICK = Scaling(tick_s=1e6)


@pytest.mark.parametrize(("tokens", "released"), [(620, 0), (600, 1), (599, 1), (501, 1), (500, 2), (499, 2)])
def test_release_levels(tokens, released):
    # An interactive request holds the memory; another completes at about 10 s and gives the signal.
    world = toy_world(niw=NiwQueue(release_on_tick=False), scaling=NEVER_TICK, serving=Serving(kv_admission="reserve"))
    rows = requests((0.0, tokens - 400, 400, IW_F), (10.0, 1, 1, IW_F), *[(0.5, 3, 300, NIW)] * 4)
    rows = np.sort(rows, order="arrival_s")
    sim = start(world, rows)
    sim.advance(20.0)
    assert sim.telemetry().completed.sum() == 1
    assert sim.telemetry().queued.tolist() == [[4 - released]]


def test_release_levels_are_a_knob():
    world = toy_world(niw=NiwQueue(release_on_tick=False), scaling=NEVER_TICK, serving=Serving(kv_admission="reserve"))
    rows = requests((0.0, 300, 400, IW_F), (0.5, 3, 50, NIW), (0.5, 3, 50, NIW), (10.0, 1, 1, IW_F))
    sim = start(world, rows, bounds(world, 1, niw_release=[0.9, 0.7]))
    sim.advance(20.0)
    assert sim.telemetry().queued.tolist() == [[0]]


def test_an_idle_endpoint_asks_at_every_tick():
    world = toy_world(scaling=Scaling(tick_s=15.0))
    sim = start(world, requests((1.0, 3, 5, NIW), (1.0, 3, 5, NIW), (1.0, 3, 5, NIW)))
    sim.advance(15.0)
    assert sim.telemetry().queued.sum() == 3
    sim.advance(100.0)
    log = log_by_request(sim)
    assert log["routed_s"][:2].tolist() == [15.0, 15.0]  # two at the tick, the third when the first of them completes
    assert log["routed_s"][2] == log["completion_s"][0]


def test_the_longest_waiting_of_the_other_origins_is_released():
    # Region 0 has instances, none has NIW of its own: those of region 2, then 1, arrived first.
    world = toy_world(regions=3, scaling=Scaling(tick_s=15.0), niw=NiwQueue(release_utilization=(0.9, 0.0), release_count=(1, 1)))
    knobs = Knobs.static(world)
    knobs.floor[1:] = knobs.cap[1:] = 0
    sim = simulate(world, requests((1.0, 3, 5, NIW, 2), (2.0, 3, 5, NIW, 1), (3.0, 3, 5, NIW, 2), (4.0, 3, 5, NIW, 0)), knobs=knobs)
    log = log_by_request(sim)
    assert log["region"].tolist() == [0, 0, 0, 0]
    assert np.argsort(log["routed_s"]).tolist() == [3, 0, 1, 2]  # its own origin first


def test_old_requests_are_promoted():
    world = toy_world(
        regions=2,
        scaling=Scaling(tick_s=15.0),
        niw=NiwQueue(release_on_tick=False, promote_after_s=40.0),
        serving=Serving(max_batch=1),
    )
    rows = requests((1.0, 3, 5, NIW, 1), (6.0, 3, 5, NIW, 1))
    sim = simulate(world, rows, until_s=59.0)
    # The first is 44 s old at the tick of 45 s; the second 39 s old, and follows when the first completes.
    assert sim.metrics().total.promoted == 1
    log = log_by_request(sim)
    assert log["routed_s"][0] == 45.0
    assert log["region"][0] == 1  # routed by its preference, like interactive requests
    assert log["routed_s"][1] == log["completion_s"][0]


@pytest.mark.parametrize("order", ADMISSION_ORDERS)
def test_an_old_request_goes_before_all_that_wait(order):
    world = toy_world(
        scaling=Scaling(tick_s=15.0, scale_out_utilization=1.0),
        niw=NiwQueue(release_utilization=(0.0, 0.0), release_on_tick=False, promote_after_s=10.0),
        serving=Serving(max_batch=1),
    )
    # The instance is busy from 5 s to 20.7 s. The old request joins it at 15 s, behind three that came to it before and after.
    rows = requests((1.0, 1, 1, NIW), (0.5, 1, 1, IW_F), (5.0, 990, 1, IW_F), (5.5, 1, 1, IW_N), (16.0, 1, 1, IW_F))
    rows = np.sort(rows, order="arrival_s")
    log = log_by_request(simulate(world, rows, knobs=Knobs.static(world, order)))
    assert log["routed_s"][1] == 15.0
    assert np.argsort(log["prefill_start_s"]).tolist()[:3] == [0, 2, 1]


@pytest.mark.parametrize("order", ADMISSION_ORDERS)
@pytest.mark.parametrize("is_managed", [True, False])
def test_non_interactive_requests_meet_their_level_under_any_overload(order, is_managed):
    # Interactive requests alone bring three times the work that the instance does, and their queue grows all the time.
    world = toy_world(
        tiers=(Tier("IW-F", 1.0), Tier("IW-N", 60.0), Tier("NIW", 96.0)),
        niw=NiwQueue(managed=is_managed, promote_after_s=40.0),
        scaling=Scaling(tick_s=1.0),
        dpa=Dpa(0.5, 1e6),  # nothing interactive is ever severely expired
        serving=Serving(max_batch=4),
    )
    interactive = [(second / 2, 64, 8, second % 2, 0) for second in range(1200)]
    rows = requests(*interactive, *[(float(second), 64, 8, NIW) for second in range(5, 600, 20)])
    rows = np.sort(rows, order="arrival_s", kind="stable")
    sim = simulate(world, rows, until_s=700.0, knobs=Knobs.static(world, order), check=False)
    fast, normal, batch = sim.metrics().service_by("tier")
    assert fast.waiting + normal.waiting > 600
    assert (batch.completed, batch.slo_attainment) == (30, 1.0)


# --- the fleet --------------------------------------------------------------------------------------------------------------


def test_a_spot_vm_with_the_model_is_reclaimed_in_a_minute():
    world = toy_world(instances=2, vms=2, lead_times=LEADS)
    sim = start(world, requests((250.0, 5, 5)), bounds(world, 0))
    assert counts(sim) == (0, 0, 0, 2)
    sim.advance(200.0)
    sim.apply(bounds(world, 1))
    assert counts(sim) == (0, 1, 0, 1)
    sim.advance(260.0)
    assert counts(sim) == (0, 1, 0, 1)
    assert sim.telemetry().waiting.sum() == 1  # it serves nobody meanwhile
    sim.advance(300.0)
    assert counts(sim) == (1, 0, 0, 1)
    assert sim.request_log()["prefill_start_s"].tolist() == [260.0]
    seen = sim.telemetry()
    assert (seen.provisioning_s.sum(), seen.active_s.sum(), seen.spot_s.sum()) == (60.0, 40.0, 500.0)


def test_a_blank_spot_vm_is_deployed_in_ten_minutes():
    world = toy_world(instances=1, vms=3, lead_times=LEADS)
    sim = start(world, requests((0.0, 5, 5)), bounds(world, 2))
    sim.advance(600.0)
    assert counts(sim) == (1, 1, 0, 1)
    sim.advance(601.0)
    assert counts(sim) == (2, 0, 0, 1)


def test_a_spot_vm_with_another_model_is_redeployed():
    world = toy_world(models=2, instances=1, vms=2, lead_times=LEADS)
    knobs = bounds(world, [[0], [2]])
    sim = start(world, requests((0.0, 5, 5, IW_F, 0, 1)), knobs)
    sim.advance(599.0)
    assert sim.telemetry().provisioning[:, 0].tolist() == [0, 1]
    sim.advance(601.0)
    assert sim.telemetry().active[:, 0].tolist() == [0, 2]


def test_weights_that_a_region_does_not_store_are_fetched_once():
    world = toy_world(instances=0, vms=4, lead_times=LEADS, regions=1)
    world = replace(world, regions=(Region("r0", {"t0": 4}, ()),))
    sim = start(world, requests((0.0, 5, 5)), bounds(world, 1))
    sim.advance(7200.0)
    assert counts(sim) == (0, 1, 0, 3)
    sim.advance(7201.0)
    assert counts(sim) == (1, 0, 0, 3)
    sim.apply(bounds(world, 2))  # stored now
    sim.advance(7801.5)
    assert counts(sim) == (2, 0, 0, 2)
    assert sim.telemetry().provisioning_s.sum() == 7800.0


def test_a_fetch_that_is_called_off_stores_nothing():
    world = toy_world(instances=0, vms=1, lead_times=LEADS)
    world = replace(world, regions=(Region("r0", {"t0": 1}, ()),))
    sim = start(world, requests((0.0, 5, 5)), bounds(world, 1))
    sim.advance(7000.0)
    sim.apply(bounds(world, 0))
    sim.apply(bounds(world, 1))
    sim.advance(14_199.0)
    assert counts(sim) == (0, 1, 0, 0)
    sim.advance(14_201.0)
    assert counts(sim) == (1, 0, 0, 0)


def test_a_draining_instance_finishes_what_it_has_and_keeps_its_model():
    world = toy_world(instances=1, vms=1, lead_times=LEADS)
    rows = requests((0.0, 10, 41), (0.25, 10, 21), (3.0, 10, 2))
    sim = start(world, rows)
    sim.advance(1.0)
    sim.apply(bounds(world, 0))
    assert counts(sim) == (0, 0, 1, 0)
    sim.advance(5.0)
    assert sim.telemetry().waiting.sum() == 1  # the third comes too late
    sim.advance(50.0)
    assert counts(sim) == (0, 0, 0, 1)
    log = sim.request_log()
    assert sorted(log["request"]) == [0, 1]
    seen = sim.telemetry()
    assert seen.spot_same_model[0, 0] == 1
    assert seen.draining_s.sum() == log["completion_s"].max() - 1.0
    sim.apply(bounds(world, 1))
    sim.advance(111.0)
    assert counts(sim) == (1, 0, 0, 0)  # a minute later: it still held its model
    assert log_by_request(sim)["prefill_start_s"][2] == 110.0


def test_bounds_move_the_fleet_at_once():
    world = toy_world(instances=2, vms=6, lead_times=LEADS)
    sim = start(world, requests((0.0, 5, 5)))
    sim.advance(1.0)
    sim.apply(bounds(world, 5))
    assert counts(sim) == (2, 3, 0, 1)
    sim.apply(bounds(world, 1))  # the provisioning first, then the active
    assert counts(sim) == (1, 0, 0, 5)
    assert sim.metrics().fleet_total.scale_outs == 3
    assert sim.metrics().fleet_total.scale_ins == 4


def busy_world(**parts):
    return toy_world(lead_times=LeadTimes(0.0, 0.0, 0.0), serving=Serving(kv_admission="reserve"), **parts)


def test_the_tick_scales_out_and_in_with_a_cool_down():
    world = busy_world(vms=6, scaling=Scaling(tick_s=15.0, cool_down_s=40.0))
    # 800 of 1000 in use, then 800 of 2000: out once; idle after that, in once the endpoint has cooled down.
    sim = start(world, requests((0.0, 600, 200)), bounds(world, 1, 4))
    sim.advance(15.0)
    assert counts(sim)[0] == 1
    sim.advance(15.5)
    assert counts(sim)[0] == 2
    sim.advance(59.0)
    assert sim.telemetry().completed.sum() == 1  # since 37.6 s
    assert counts(sim)[0] == 2  # cooling down until 55 s
    sim.advance(60.5)
    assert counts(sim)[0] == 1
    sim.advance(1000.0)
    assert counts(sim)[0] == 1  # the floor


def test_one_instance_at_a_time():
    world = busy_world(vms=8, scaling=Scaling(tick_s=15.0, cool_down_s=15.0))
    sim = start(world, requests(*[(0.0, 600, 350)] * 8), bounds(world, 1, 4, scale_out_utilization=0.2))
    seen = []
    for stop_s in (14.0, 16.0, 31.0, 46.0, 61.0, 76.0):
        sim.advance(stop_s)
        seen.append(int(counts(sim)[0]))
    assert seen == [1, 2, 3, 4, 4, 4]  # the cap


def test_cool_down_zero_moves_at_every_tick_and_thresholds_are_strict():
    world = busy_world(vms=8, scaling=Scaling(tick_s=1.0, cool_down_s=0.0))
    sim = start(world, requests((0.0, 500, 200)), bounds(world, 1, 8))  # 0.7 is not above 0.7
    sim.advance(20.0)
    assert counts(sim)[0] == 1
    sim.apply(bounds(world, 1, 8, scale_out_utilization=0.2))
    sim.advance(30.5)
    assert counts(sim)[0] == 4  # 700 of 4000 is below 0.2, and not above 0.2


def test_a_region_without_vms_blocks_scale_outs():
    world = toy_world(instances=1, vms=2, lead_times=LEADS)
    sim = start(world, requests((0.0, 5, 5)), bounds(world, 5))
    assert counts(sim) == (1, 1, 0, 0)
    assert sim.metrics().blocked_scale_outs == 1
    sim.advance(31.0)  # two ticks
    assert sim.metrics().blocked_scale_outs == 3


def test_an_endpoint_scaled_to_nothing_wakes_for_what_it_holds():
    world = toy_world(instances=1, vms=1, lead_times=LEADS, scaling=Scaling(tick_s=15.0))
    sim = start(world, requests((20.0, 5, 5)), bounds(world, 0, 1))
    sim.advance(16.0)
    assert counts(sim) == (0, 0, 0, 1)  # idle, so scaled in
    sim.advance(200.0)
    assert sim.request_log()["prefill_start_s"].tolist() == [90.0]  # the tick of 30 s, and a minute
