"""What goes wrong is a world's to say, within limits: each broken rule is one line that names field, value and remedy."""

from dataclasses import replace

import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import Faults, PlannedFailure, PlannedOutage, dump_world, load_world, parse_world, published, validate

REGIONS = ("westus", "centralus", "eastus")
VM_TYPE = "h100-80gb-x8"


def outages(*spans):
    return {"planned_outages": tuple(PlannedOutage(*span) for span in spans)}


def failures(*spans):
    return {"planned_failures": tuple(PlannedFailure(*span) for span in spans)}


BAD = {
    "a rate of one an hour": (
        {"failures_per_vm_day": 24.0},
        r"failures_per_vm_day = 24.0 is out of range; give faults of a VM in a day",
    ),
    "a rate of one a day, with repairs that take longer": (
        {"failures_per_vm_day": 1.0},
        r"failures_per_vm_day = 1.0 leaves a VM up 10.3% of the time, as repairs take 8.72 days on average; give at most 0.115, or",
    ),
    "a rate of one a second": ({"failures_per_vm_day": 86_400}, r"failures_per_vm_day = 86400 is out of range"),
    "a negative rate": ({"failures_per_vm_day": -0.1}, r"failures_per_vm_day = -0.1 is out of range"),
    "no rate": ({"failures_per_vm_day": float("nan")}, r"failures_per_vm_day = nan is out of range"),
    "an endless rate": (
        {"outages_per_region_day": float("inf")},
        r"outages_per_region_day = inf is out of range; .*a region in a day",
    ),
    "a rate that is text": ({"failures_per_vm_day": "often"}, r"failures_per_vm_day = 'often' is no number"),
    "a percentile below the median": (
        {"repair_median_s": 100.0, "repair_p90_s": 99.0},
        r"repair_p90_s = 99.0 is below repair_median_s = 100.0; the 90th percentile is at least the median",
    ),
    "down times the wrong way round": ({"down_median_s": 1e6}, r"down_p90_s = 13020.0 is below down_median_s = 1000000.0"),
    "a repair without end": ({"repair_p90_s": float("inf")}, r"repair_p90_s = inf is out of range; give seconds, 0.01 to 1e\+09"),
    "a repair in no time": ({"repair_median_s": 0.0}, r"repair_median_s = 0.0 is out of range"),
    "a negative time": ({"up_median_s": -1.0}, r"up_median_s = -1.0 is out of range"),
    "no time": ({"outage_median_s": float("nan")}, r"outage_median_s = nan is out of range"),
    "only a percentile": ({"spot_leave_p90_s": 60.0}, r"spot_leave_median_s = 0.0 is out of range"),
    "only a median": ({"spot_leave_median_s": 60.0}, r"spot_leave_p90_s = 0.0 is out of range"),
    "a spread too wide": ({"lead_time_sigma": 3.5}, r"lead_time_sigma = 3.5 is out of range; give a standard deviation of the log"),
    "a negative spread": ({"lead_time_sigma": -1.0}, r"lead_time_sigma = -1.0 is out of range"),
    "a type that does not exist": (
        {"evicted_vm_types": ("h200",)},
        r"evicted_vm_types = 'h200' is not a VM type of this world; known: ",
    ),
    "a type twice": ({"evicted_vm_types": (VM_TYPE, VM_TYPE)}, r"evicted_vm_types = 'h100-80gb-x8' appears twice"),
    "a notice longer than the life": (
        {"eviction_notice_s": 2101.0},
        r"eviction_notice_s = 2101.0 is longer than up_median_s = 2100.0",
    ),
    "a negative notice": ({"eviction_notice_s": -1.0}, r"eviction_notice_s = -1.0 is out of range"),
    "telemetry too often": (
        {"router_telemetry_s": 1e-9},
        r"router_telemetry_s = 1e-09 is out of range; give seconds, or 0 \(always",
    ),
    "no telemetry": ({"router_telemetry_s": float("nan")}, r"router_telemetry_s = nan is out of range"),
    "a failure nowhere": (failures(("mars", VM_TYPE, 0.0, 1.0)), r"planned_failures\[0\].region = 'mars' is not a region of this"),
    "a failure of nothing": (failures(("westus", "x", 0.0, 1.0)), r"planned_failures\[0\].vm_type = 'x' is not a VM type of this"),
    "a failure in the past": (failures(("westus", VM_TYPE, -1.0, 1.0)), r"planned_failures\[0\].start_s = -1.0 is out of range"),
    "a failure of no length": (failures(("westus", VM_TYPE, 0.0, 0.0)), r"planned_failures\[0\].duration_s = 0.0 is out of range"),
    "a plain tuple": ({"planned_failures": (("westus", VM_TYPE, 0.0, 1.0),)}, r"planned_failures\[0\] = .* is no PlannedFailure"),
    "an outage nowhere": (
        outages(("mars", 0.0, 1.0)),
        r"planned_outages\[0\].region = 'mars' is not a region of this world; known: ",
    ),
    "an outage of no length": (outages(("westus", 0.0, float("nan"))), r"planned_outages\[0\].duration_s = nan is out of range"),
    "all regions at once": (
        outages(("westus", 0.0, 100.0), ("centralus", 50.0, 100.0), ("eastus", 99.0, 1.0)),
        r"planned_outages: regions = 'westus', 'centralus', 'eastus' are all out at 99 s, and nothing could be served; leave one",
    ),
    "more than anyone plans": (
        outages(*[("westus", 0.0, 1.0)] * 1001),
        r"planned_outages = 1001 items is too many; give at most 1000",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_each_broken_rule_is_one_line(name):
    values, message = BAD[name]
    with pytest.raises(InputError, match=rf"^faults\.{message}") as error:
        validate(replace(published(), faults=Faults(**values)))
    assert "\n" not in str(error.value)


def test_a_type_that_a_region_does_not_have():
    world = published()
    without = replace(world.regions[0], vm_capacity={})
    with pytest.raises(InputError, match=r"planned_failures\[0\].vm_type = .* has no VM in region 'westus'; name a type of its"):
        validate(
            replace(
                world,
                regions=(without, *world.regions[1:]),
                pools=(replace(world.pools[0], instances={}),),
                faults=Faults(**failures(("westus", VM_TYPE, 0.0, 1.0))),
            )
        )


def test_one_region_is_never_out():
    one = "extends: published\nname: one\nregions: [{name: eastus, vm_capacity: {h100-80gb-x8: 100}}]\nfaults: "
    with pytest.raises(InputError, match=r"outages_per_region_day = 0.1 takes no region out: there is one"):
        parse_world(one + "{outages_per_region_day: 0.1}")
    with pytest.raises(InputError, match=r"regions = 'eastus' are all out at 5 s"):
        parse_world(one + "{planned_outages: [{region: eastus, start_s: 5, duration_s: 1}]}")


@pytest.mark.parametrize("what", [{}, outages(("westus", 0.0, 100.0), ("centralus", 100.0, 100.0), ("eastus", 50.0, 100.0))])
def test_outages_may_follow_each_other(what):
    validate(replace(published(), faults=Faults(**what)))


def test_a_vm_may_be_away_for_half_of_its_time():
    repairs = {"repair_median_s": 4320.0, "repair_p90_s": 4320.0}  # a 20th of a day, always
    validate(replace(published(), faults=Faults(failures_per_vm_day=20.0, **repairs)))
    with pytest.raises(InputError, match=r"failures_per_vm_day = 20.1 leaves a VM up 49.9% of the time, .* give at most 20, or"):
        validate(replace(published(), faults=Faults(failures_per_vm_day=20.1, **repairs)))


def test_the_limits_are_allowed():
    faults = Faults(
        failures_per_vm_day=23.9,
        **{"repair_median_s": 0.01, "repair_p90_s": 0.01},
        lead_time_sigma=3.0,
        eviction_notice_s=2100.0,
        router_telemetry_s=0.01,
    )
    validate(replace(published(), faults=faults))


FILE = """
extends: published
name: storm
faults:
  failures_per_vm_day: 0.0042
  planned_failures: [{region: westus, vm_type: h100-80gb-x8, start_s: 3600, duration_s: 1800}]
  planned_outages: [{region: eastus, start_s: 7200, duration_s: 900}]
  evicted_vm_types: [h100-80gb-x8]
"""


def test_a_file_says_what_goes_wrong_and_is_written_as_it_was_read():
    world = parse_world(FILE)
    assert world.faults.failures_per_vm_day == 0.0042
    assert world.faults.repair_median_s == Faults().repair_median_s
    assert world.faults.planned_outages == (PlannedOutage("eastus", 7200.0, 900.0),)
    assert parse_world(dump_world(world)) == world
    assert load_world("published").faults == Faults()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "failures_per_vm_day",
            "failure_per_vm_day",
            r"faults.failure_per_vm_day is not a known field \(did you mean 'failures_per",
        ),
        ("duration_s: 900", "length_s: 900", r"faults.planned_outages\[0\].length_s is not a known field"),
        (", duration_s: 900", "", r"faults.planned_outages\[0\].duration_s is missing; give it"),
        ("0.0042", "often", r"faults.failures_per_vm_day = .often. is not a number"),
        ("[{region: eastus, start_s: 7200, duration_s: 900}]", "eastus", r"faults.planned_outages = .eastus. is not a list"),
        ("evicted_vm_types: [h100-80gb-x8]", "evicted_vm_types: h100-80gb-x8", r"faults.evicted_vm_types = .* is not a list"),
    ],
)
def test_files_that_say_it_wrong(old, new, message):
    with pytest.raises(InputError, match=message):
        parse_world(FILE.replace(old, new))
