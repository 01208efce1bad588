"""The fleets that the problems are played on: the world of today's engines, with long answers, slow VMs and levels to match.

Sources of the numbers as in ``world.presets.published``: [A] marks an assumption of this package.
"""

from __future__ import annotations

from dataclasses import replace

from sageserve_env.world.presets.globe import globe
from sageserve_env.world.presets.modern import modern
from sageserve_env.world.schema import TIERS, Faults, LeadTimes, Pool, Tier, World

HOUR_S = 3600.0

LEVELS = (Tier("IW-F", slo_s=5.0, tpot_s=0.05), Tier("IW-N", slo_s=60.0), Tier("NIW", slo_s=6 * HOUR_S))
"""Service levels of long conversations [A]: a prompt of 32,768 tokens takes three seconds to prefill on one H100; batch work is due
in six hours."""

PROMOTE_AFTER_S = 3.5 * HOUR_S
"""Age at which batch work goes before what waits [A]: in time for its level."""

LEAD_TIMES = LeadTimes(reclaim_s=600.0, redeploy_s=1200.0, remote_fetch_s=7200.0)
"""Ten minutes for a VM that holds the model, twenty for any other [A]: what foresight pays for."""

MINI_MODEL = "qwen3-32b"
MINI_VMS = {"h100-x1": 12}

DAY_VMS = {"h100-x1": 16, "h100-x4": 7, "h200-x8": 7}
"""Shared by two models each [A]: enough on the busiest day, if each hands on what the other needs."""

BURST_VMS = {"h100-x1": 26, "h100-x4": 12, "h200-x8": 11}
"""Room for its higher peaks, one model after the other [A]."""

DAY_START = {"llama-3.1-8b": 3, "qwen3-32b": 4, "llama-3.1-70b": 3, "kimi-k2.5": 2}
"""Instances in each region at the start [A]: near what the day's first hours need."""


STORM_VMS = {"h100-x1": 22, "h100-x4": 9, "h200-x8": 9}
"""More than Day's [A], as some are always down."""

STORM = Faults(
    failures_per_vm_day=0.042,
    outages_per_region_day=0.1,
    lead_time_sigma=0.3,
    spot_leave_median_s=60.0,
    spot_leave_p90_s=300.0,
    evicted_vm_types=("h100-x1",),
    eviction_notice_s=120.0,
    up_median_s=4 * HOUR_S,
    up_p90_s=16 * HOUR_S,
    router_telemetry_s=15.0,
)
"""Ten times the measured rate of failures, with the measured repairs; single GPUs are spot VMs that stay for hours; a region is out
on one day in four [A]."""

GLOBE_VMS = {"h100-x1": 12, "h100-x4": 6, "h200-x8": 6}
GLOBE_START = {"llama-3.1-8b": 2, "qwen3-32b": 2, "llama-3.1-70b": 1, "kimi-k2.5": 1}

SCALE_VMS = {"h100-x1": 40, "h100-x4": 28, "h200-x8": 48}
SCALE_START = {"llama-3.1-8b": 8, "qwen3-32b": 12, "llama-3.1-70b": 12, "kimi-k2.5": 24}
"""VMs of a region for ten million requests a day, and instances of each endpoint at the start, about half of its largest [A]."""

NIGHT_DISCOUNT = 0.4
"""On the price of VMs from ten in the evening to six [A]: of the order of what spare capacity is sold for."""


def day_fleet(name: str = "day", vms: dict[str, int] = DAY_VMS) -> World:
    """Four models in three regions that share three types of VMs."""
    return _fleet(name, vms, DAY_START)


def storm_fleet() -> World:
    """The fleet of Day where much goes wrong."""
    return replace(_fleet("storm", STORM_VMS, DAY_START), faults=STORM)


def globe_fleet() -> World:
    """The same models in six regions on five continents, with prices, carbon and egress."""
    return _posed(globe(off_peak_discount=NIGHT_DISCOUNT), "globe", GLOBE_VMS, GLOBE_START)


def mini_fleet() -> World:
    """One model on single GPUs in three regions."""
    world = _fleet("mini", MINI_VMS, {MINI_MODEL: 3})
    vm_types = tuple(vm_type for vm_type in world.vm_types if vm_type.name in MINI_VMS)
    model = next(model for model in world.models if model.name == MINI_MODEL)
    profiles = {name: profile for name, profile in model.profiles.items() if name in MINI_VMS}
    return replace(world, vm_types=vm_types, models=(replace(model, profiles=profiles),))


def scale_fleet() -> World:
    """The modern world with its own levels and lead times, and VMs for ten million requests a day."""
    world = modern()
    return replace(
        world,
        name="scale2025",
        regions=tuple(replace(region, vm_capacity=dict(SCALE_VMS)) for region in world.regions),
        pools=tuple(replace(pool, instances=dict(SCALE_START)) for pool in world.pools),
    )


def _fleet(name: str, vms: dict[str, int], start: dict[str, int]) -> World:
    """The modern world with these VMs in each region and these instances at the start."""
    return _posed(modern(), name, vms, start)


def _posed(world: World, name: str, vms: dict[str, int], start: dict[str, int]) -> World:
    """A world with the levels and lead times of the problems; endpoints may be empty."""
    return replace(
        world,
        name=name,
        regions=tuple(replace(region, vm_capacity=dict(vms)) for region in world.regions),
        tiers=LEVELS,
        pools=(Pool("unified", TIERS, dict(start)),),
        lead_times=LEAD_TIMES,
        niw=replace(world.niw, promote_after_s=PROMOTE_AFTER_S),
        scaling=replace(world.scaling, min_instances=0),
    )
