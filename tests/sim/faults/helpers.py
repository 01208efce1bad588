"""What the tests of faults share: toy worlds in which something goes wrong at a known time, and random ones."""

from dataclasses import replace

import numpy as np

from sageserve_env.sim import Simulator
from sageserve_env.world.schema import Faults, PlannedFailure, PlannedOutage
from tests.sim.helpers import ArrayWorkload, random_world, requests, toy_world


def faulty(faults, **parts):
    """A toy world with faults; equal median and 90th percentile make a time certain."""
    return toy_world(faults=faults, **parts)


def start(world, *rows, knobs=None, seed=0):
    """A simulator at time zero, every invariant verified after every event."""
    sim = Simulator(world, ArrayWorkload(requests(*rows)), seed=seed, log_requests=True, check=True)
    if knobs is not None:
        sim.apply(knobs)
    return sim


def failure(start_s, duration_s=100.0, region="r0", vm_type="t0"):
    return Faults(planned_failures=(PlannedFailure(region, vm_type, start_s, duration_s),))


def outage(start_s, duration_s, region="r0"):
    return Faults(planned_outages=(PlannedOutage(region, start_s, duration_s),))


def certain(**medians):
    """Laws whose 90th percentile is their median."""
    return {f"{name}_{part}_s": seconds for name, seconds in medians.items() for part in ("median", "p90")}


def law(seconds):
    """Median and 90th percentile."""
    return np.percentile(seconds, [50, 90])


def draw_faults(rng, world, horizon_s=60.0):
    """Every fault at once, so often that some strike within a minute."""
    regions = [region.name for region in world.regions]
    places = [(region.name, name) for region in world.regions for name, count in region.vm_capacity.items() if count]
    failures = [
        PlannedFailure(
            *places[int(rng.integers(len(places)))], float(rng.choice([0.0, 10.0, rng.random() * horizon_s])), float(length)
        )
        for length in rng.choice([0.25, 5.0, 20.0], rng.integers(6))
    ]
    outages = [
        PlannedOutage(regions[int(rng.integers(1, len(regions)))], float(rng.random() * horizon_s), float(rng.choice([1.0, 15.0])))
        for _ in range(int(rng.integers(3)) if len(regions) > 1 else 0)
    ]
    types = [vm_type.name for vm_type in world.vm_types]
    return Faults(
        failures_per_vm_day=23.0,
        **{"repair_median_s": 10.0, "repair_p90_s": 100.0, "outage_median_s": 5.0, "outage_p90_s": 30.0},
        planned_failures=tuple(failures),
        outages_per_region_day=23.0 if len(regions) > 1 else 0.0,
        planned_outages=tuple(outages),
        lead_time_sigma=float(rng.choice([0.0, 0.5, 1.5])),
        **{"spot_leave_median_s": 1.0, "spot_leave_p90_s": float(rng.choice([1.0, 8.0]))},
        evicted_vm_types=tuple(name for name in types if rng.random() < 0.6),
        eviction_notice_s=float(rng.choice([0.0, 3.0])),
        **{"up_median_s": 15.0, "up_p90_s": 60.0, "down_median_s": 5.0, "down_p90_s": 20.0},
        router_telemetry_s=float(rng.choice([0.0, 1.0, 7.0])),
    )


def random_faulty_world(rng, *, roomy=False):
    """A small world in which memory, batches and VMs are scarce, and everything goes wrong."""
    world = random_world(rng, roomy=roomy)
    return replace(world, faults=draw_faults(rng, world))
