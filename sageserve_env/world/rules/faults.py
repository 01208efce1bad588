"""The rules of what goes wrong in a world; each broken one is an ``InputError`` line, as in ``validate``."""

from __future__ import annotations

from sageserve_env.world.checks import (
    LONGEST_S,
    SHORTEST_TICK_S,
    quoted,
    require,
    require_distinct,
    require_known,
    require_within,
)
from sageserve_env.world.heavy_tails import mean_s
from sageserve_env.world.schema import Faults, World

MOST_PER_DAY = 24.0
"""Faults of one thing in a day: at one an hour it is a thing that does not work."""
LEAST_UP = 0.5
"""Share of its time that a VM must be up: one that is mostly away is no capacity to plan with."""
DAY_S = 86_400.0
MOST_SIGMA = 3.0
MOST_PLANNED = 1000
TIMES = ("repair", "outage", "up", "down")
"""Fields ``<name>_median_s`` and ``<name>_p90_s`` hold the law of a time."""


def check_faults(world: World) -> None:
    """Check every rule; the kinds of the values are right already."""
    faults = world.faults
    _check_rates(world, faults)
    for name in TIMES:
        _check_law(faults, name)
    if (faults.spot_leave_median_s, faults.spot_leave_p90_s) != (0, 0):  # both 0: none
        _check_law(faults, "spot_leave")
    require_within("faults.lead_time_sigma", faults.lead_time_sigma, 0, MOST_SIGMA, "a standard deviation of the logarithm")
    _check_up_time(faults)
    _check_evictions(world, faults)
    _check_planned_failures(world, faults)
    _check_planned_outages(world, faults)
    age_s = faults.router_telemetry_s
    if age_s != 0:
        require_within("faults.router_telemetry_s", age_s, SHORTEST_TICK_S, LONGEST_S, "seconds, or 0 (always live)")


def _check_rates(world: World, faults: Faults) -> None:
    for name, thing in (("failures_per_vm_day", "VM"), ("outages_per_region_day", "region")):
        rate = getattr(faults, name)
        remedy = f"is out of range; give faults of a {thing} in a day, 0 to less than {MOST_PER_DAY:g} (one an hour)"
        require(0 <= rate < MOST_PER_DAY, f"faults.{name}", rate, remedy)
    remedy = "takes no region out: there is one, and the last one stays up; give 0, or more regions"
    is_felt = faults.outages_per_region_day == 0 or len(world.regions) > 1
    require(is_felt, "faults.outages_per_region_day", faults.outages_per_region_day, remedy)


def _check_law(faults: Faults, name: str) -> None:
    """A heavy-tailed time: its median and its 90th percentile."""
    median_s, p90_s = getattr(faults, f"{name}_median_s"), getattr(faults, f"{name}_p90_s")
    for field, value in ((f"{name}_median_s", median_s), (f"{name}_p90_s", p90_s)):
        require_within(f"faults.{field}", value, SHORTEST_TICK_S, LONGEST_S, "seconds")
    remedy = f"is below {name}_median_s = {median_s}; the 90th percentile is at least the median"
    require(p90_s >= median_s, f"faults.{name}_p90_s", p90_s, remedy)


def _check_up_time(faults: Faults) -> None:
    """VMs fail so rarely, and are repaired so soon, that they are up for most of the time."""
    repair_days = mean_s(faults.repair_median_s, faults.repair_p90_s) / DAY_S
    up = 1 / (1 + faults.failures_per_vm_day * repair_days)
    most = (1 / LEAST_UP - 1) / repair_days
    remedy = (
        f"leaves a VM up {up:.1%} of the time, as repairs take {repair_days:.3g} days on average; give at most {most:.3g}, or "
        f"shorter repairs (repair_median_s, repair_p90_s)"
    )
    require(up >= LEAST_UP, "faults.failures_per_vm_day", faults.failures_per_vm_day, remedy)


def _check_evictions(world: World, faults: Faults) -> None:
    require_distinct("faults.evicted_vm_types", faults.evicted_vm_types)
    for name in faults.evicted_vm_types:
        require_known("faults.evicted_vm_types", name, "VM type", [vm_type.name for vm_type in world.vm_types])
    require_within("faults.eviction_notice_s", faults.eviction_notice_s, 0, LONGEST_S, "seconds")
    remedy = f"is longer than up_median_s = {faults.up_median_s}: VMs would mostly be about to go; shorten it"
    is_short = faults.eviction_notice_s <= faults.up_median_s
    require(is_short, "faults.eviction_notice_s", faults.eviction_notice_s, remedy)


def _check_planned_failures(world: World, faults: Faults) -> None:
    _check_number("planned_failures", len(faults.planned_failures))
    capacity = {region.name: region.vm_capacity for region in world.regions}
    for index, failure in enumerate(faults.planned_failures):
        where = f"faults.planned_failures[{index}]"
        require_known(f"{where}.region", failure.region, "region", list(capacity))
        require_known(f"{where}.vm_type", failure.vm_type, "VM type", [vm_type.name for vm_type in world.vm_types])
        remedy = f"has no VM in region '{failure.region}'; name a type of its vm_capacity"
        require(capacity[failure.region].get(failure.vm_type, 0) > 0, f"{where}.vm_type", f"'{failure.vm_type}'", remedy)
        _check_span(where, failure.start_s, failure.duration_s)


def _check_planned_outages(world: World, faults: Faults) -> None:
    _check_number("planned_outages", len(faults.planned_outages))
    regions = [region.name for region in world.regions]
    for index, outage in enumerate(faults.planned_outages):
        where = f"faults.planned_outages[{index}]"
        require_known(f"{where}.region", outage.region, "region", regions)
        _check_span(where, outage.start_s, outage.duration_s)
    for outage in faults.planned_outages:  # the number that are out grows at starts only
        at_s = outage.start_s
        out = {other.region for other in faults.planned_outages if other.start_s <= at_s < other.start_s + other.duration_s}
        remedy = f"are all out at {at_s:g} s, and nothing could be served; leave one region up"
        require(len(out) < len(regions), "faults.planned_outages: regions", quoted(regions), remedy)


def _check_span(where: str, start_s: float, duration_s: float) -> None:
    require_within(f"{where}.start_s", start_s, 0, LONGEST_S, "seconds since the start of the run")
    require_within(f"{where}.duration_s", duration_s, SHORTEST_TICK_S, LONGEST_S, "seconds")


def _check_number(name: str, count: int) -> None:
    require(count <= MOST_PLANNED, f"faults.{name}", f"{count} items", f"is too many; give at most {MOST_PLANNED}")
