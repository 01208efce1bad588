"""Each rule of scaling that a world may set, on traffic crafted for it; off by default."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.sim.readout.measure import quarter_peaks_s
from sageserve_env.world.schema import LeadTimes, Routing, Scaling, Serving
from tests.sim.helpers import log_by_request, requests, toy_world
from tests.sim.rules.test_mechanisms import bounds, busy_world, counts, start

LEADS = LeadTimes(60.0, 600.0, 7200.0)


def actives(sim, stops_s):
    seen = []
    for stop_s in stops_s:
        sim.advance(stop_s)
        seen.append(int(counts(sim)[0]))
    return seen


def test_arrivals_trigger_scaling_before_the_request_joins():
    world = busy_world(vms=6, scaling=Scaling(tick_s=15.0, cool_down_s=0.0, trigger="arrival"))
    # 800 of 1000 tokens in use from time 0 on: no tick acts on it, the request of 20 s does, and joins the new instance.
    sim = start(world, requests((0.0, 600, 200), (20.0, 5, 5)), bounds(world, 1, 4))
    assert actives(sim, (16.0, 19.5, 20.0, 20.25)) == [1, 1, 1, 2]
    assert log_by_request(start_and_finish(world))["instance"].tolist() == [0, 1]


def start_and_finish(world):
    sim = start(world, requests((0.0, 600, 200), (20.0, 5, 5)), bounds(world, 1, 4))
    sim.advance(1000.0)
    return sim


def test_arrivals_trigger_scaling_in_and_bounds_still_hold_at_once():
    world = busy_world(vms=6, instances=4, scaling=Scaling(cool_down_s=0.0, trigger="arrival"))
    sim = start(world, requests(*((float(t), 5, 2) for t in range(1, 9))), bounds(world, 2, 4))
    assert actives(sim, (0.5, 1.5, 2.5, 3.5, 8.5)) == [4, 3, 2, 2, 2]  # one at each arrival, never below the floor
    sim.apply(bounds(world, 3, 3))
    assert counts(sim)[0] == 3


@pytest.mark.parametrize(("pause_s", "seen"), [(None, [4, 4, 3]), (0.0, [4, 3, 2]), (20.0, [4, 4, 4])])
def test_a_pause_of_its_own_after_a_move_in(pause_s, seen):
    # Idle from the start: in at the tick of 5 s, then at every later tick that the pause leaves free.
    world = busy_world(vms=5, instances=5, scaling=Scaling(tick_s=5.0, cool_down_s=10.0, scale_in_cool_down_s=pause_s))
    sim = start(world, requests((1000.0, 5, 5)), bounds(world, 1, 5))
    assert actives(sim, (6.0, 11.0, 16.0)) == seen


def test_the_pause_after_a_move_out_stays():
    world = busy_world(vms=8, scaling=Scaling(tick_s=5.0, cool_down_s=10.0, scale_in_cool_down_s=0.0))
    sim = start(world, requests(*[(0.0, 600, 350)] * 8), bounds(world, 1, 8, scale_out_utilization=0.1))
    assert actives(sim, (6.0, 11.0, 16.0)) == [2, 2, 3]


def test_a_lead_time_may_hold_the_next_move_instead_of_the_vm():
    scaling = Scaling(tick_s=5.0, cool_down_s=5.0, lead_time_holds="next_move")
    world = replace(busy_world(vms=8, models=2, scaling=scaling), lead_times=LEADS)
    # A blank VM is redeployed: it serves at once, and the next move waits 600 + 5 s.
    sim = start(world, requests(*[(0.0, 600, 350)] * 40), bounds(world, 1, 8, scale_out_utilization=0.1))
    assert actives(sim, (4.0, 6.0, 605.0, 611.0)) == [1, 2, 2, 3]
    assert sim.metrics().fleet_total.provisioning_h == 0
    # The one released holds the model: it is reclaimed when the pause is over, and the next move waits 60 + 5 s.
    sim.apply(bounds(world, 1, 2, scale_out_utilization=0.1))
    sim.apply(bounds(world, 1, 8, scale_out_utilization=0.1))
    assert actives(sim, (1214.0, 1216.0, 1279.0, 1281.0)) == [2, 3, 3, 4]
    fleet = sim.metrics().fleet_total
    assert fleet.provisioning_h == 0
    assert fleet.waste_by_moves_h == pytest.approx(fleet.scale_outs * 600 / 3600)


def test_which_instance_drains():
    for drains, kept in (("least_pending", [0, 2]), ("last", [0, 1])):
        world = toy_world(vms=3, instances=3, scaling=Scaling(drains=drains))
        # Shortest queue: 90 tokens to the first, 10 to the second, 50 to the third.
        sim = start(world, requests((0.0, 90, 50), (0.0, 10, 50), (0.0, 50, 50)))
        sim.advance(0.125)
        sim.apply(bounds(world, 2))
        assert [int(vm) for vm in sim._state["member"][0, :2]] == kept, drains


@pytest.mark.parametrize(
    ("instances", "after_in", "after_out"),
    [
        (4, [0, 1, 2], [0, 1, 2, 3]),  # 2 2 -> 3 -> 2 2
        (5, [0, 1, 3, 4], [0, 1, 2, 3, 4]),  # 3 2 -> 2 2: the last of the three; the new one joins the first pair
        (6, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]),  # 3 3 -> 3 2 -> 3 3
        (8, [0, 1, 2, 3, 4, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7]),  # 3 3 2 -> 3 2 2
    ],
)
def test_groups_stay_as_they_are_when_one_leaves_or_joins(instances, after_in, after_out):
    world = toy_world(vms=instances, instances=instances, scaling=Scaling(drains="last"), routing=Routing(group_size=3))
    sim = start(world, requests((1000.0, 5, 5)))
    sim.apply(bounds(world, instances - 1))
    assert sim._state["member"][0, : instances - 1].tolist() == after_in
    sim.apply(bounds(world, instances))
    assert sim._state["member"][0, :instances].tolist() == after_out


def test_a_draining_instance_may_be_taken_back_with_what_it_runs():
    world = toy_world(vms=4, instances=2, lead_times=LEADS, scaling=Scaling(drains="last", reclaims_draining=True))
    sim = start(world, requests((0.0, 90, 400), (0.0, 90, 400)))
    sim.advance(5.0)
    full = sim.telemetry().utilization[0]
    sim.apply(bounds(world, 1))
    assert counts(sim) == (1, 0, 1, 2)
    sim.advance(6.0)
    sim.apply(bounds(world, 2))
    assert counts(sim) == (2, 0, 0, 2)  # at once, though a spot VM would take minutes
    assert sim.telemetry().utilization[0] == pytest.approx(full)
    sim.advance(1000.0)
    assert sim.telemetry().completed.sum() == 2
    off = replace(world, scaling=Scaling(drains="last"))
    sim = start(off, requests((0.0, 90, 400), (0.0, 90, 400)))
    sim.advance(5.0)
    sim.apply(bounds(off, 1))
    sim.apply(bounds(off, 2))
    assert counts(sim) == (1, 1, 1, 1)


def test_the_one_released_first_is_taken_back_first():
    world = toy_world(vms=3, instances=3, scaling=Scaling(drains="last", reclaims_draining=True))
    sim = start(world, requests(*[(0.0, 90, 400)] * 3))
    sim.advance(1.0)
    sim.apply(bounds(world, 2))
    sim.advance(2.0)
    sim.apply(bounds(world, 1))
    assert counts(sim) == (1, 0, 2, 0)
    sim.apply(bounds(world, 2))
    assert sim._state["member"][0, :2].tolist() == [0, 2]


def test_an_emergency_goes_one_past_the_cap_and_no_further():
    world = busy_world(vms=8, scaling=Scaling(tick_s=5.0, cool_down_s=0.0, emergency_utilization=0.9))
    full = requests(*[(at_s, 600, 350) for at_s in (0.0, 5.5, 10.5) for _ in range(8)])  # 950 of each instance's 1000 tokens
    sim = start(world, full, bounds(world, 1, 2))
    assert actives(sim, (4.0, 5.25, 10.25, 15.25, 26.0)) == [1, 2, 3, 3, 3]
    sim.apply(bounds(world, 1, 2))
    assert counts(sim)[0] == 3  # where emergencies count, one more than the cap is not too many
    sim.apply(bounds(world, 1, 2, emergency_utilization=2.0))
    assert counts(sim)[0] == 2
    calm = replace(world, scaling=replace(world.scaling, emergency_utilization=math.inf))
    assert actives(start(calm, full, bounds(calm, 1, 2)), (26.0,)) == [2]


def test_an_emergency_below_the_upper_threshold_does_not_fill_up_to_the_cap():
    # LT-UA as the authors wrote it: far off the forecast any utilization is an emergency, but only at the cap.
    world = busy_world(vms=8, scaling=Scaling(tick_s=5.0, cool_down_s=0.0))
    row = requests((0.0, 300, 100))
    assert actives(start(world, row, bounds(world, 1, 3, emergency_utilization=0.0)), (26.0,)) == [1]
    assert actives(start(world, row, bounds(world, 1, 1, emergency_utilization=0.0, scale_in_utilization=0.1)), (11.0,)) == [2]


def test_without_a_threshold_requests_never_leave_their_first_region():
    rows = requests(*[(0.0, 600, 350, 0, 1)] * 6)
    world = toy_world(regions=3, serving=Serving(kv_admission="reserve"), routing=Routing(utilization_threshold=math.inf))
    sim = start(world, rows)
    sim.advance(1000.0)
    assert set(sim.request_log()["region"]) == {1}
    near = replace(world, routing=Routing())
    sim = start(near, requests(*[(float(t), 600, 350, 0, 1) for t in range(6)]))
    sim.advance(1000.0)
    assert set(sim.request_log()["region"]) == {0, 1, 2}


def test_instance_hours_by_the_peak_of_each_quarter_of_an_hour():
    world = toy_world(vms=8, instances=1)
    sim = start(world, requests((9000.0, 5, 5)))
    # Most active: 3 in the first quarter, 2 in the second (carried over), 2, 5 for a second of the fourth, 1 so far of the fifth.
    for at_s, instances in ((0.0, 8), (0.0, 1), (100.0, 3), (200.0, 2), (2700.0, 5), (2701.0, 1)):  # 8 last no time
        sim.advance(at_s)
        sim.apply(bounds(world, instances))
    sim.advance(4000.0)
    fleet = sim.metrics().fleet_total
    assert fleet.peak_15min_h == pytest.approx((3 + 2 + 2 + 5) / 4 + 400 / 3600)
    assert fleet.active_h == pytest.approx((100 + 3 * 100 + 2 * 2500 + 5 + 1299) / 3600)
    before = quarter_peaks_s(sim._state)
    sim.advance(4000.0)
    assert np.array_equal(quarter_peaks_s(sim._state), before)  # reading changes nothing


def test_a_held_fleet_has_the_same_hours_by_both_measures():
    world = toy_world(vms=4, instances=3)
    sim = start(world, requests((0.0, 5, 5)))
    for stop_s in (10.0, 900.0, 1000.0, 7200.0):
        sim.advance(stop_s)
        fleet = sim.metrics().fleet_total
        assert fleet.peak_15min_h == pytest.approx(fleet.active_h)
