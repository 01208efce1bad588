"""From a world's faults to the simulator's arrays: what can go wrong, and the laws of its times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim import state as st
from sageserve_env.world.heavy_tails import log_normal
from sageserve_env.world.schema import Faults, World

DAY_S = 86_400.0


def fault_sources(world: World, vms: Sequence[tuple[int, int]]) -> NDArray[Any]:
    """Everything that can go wrong, dtype ``FAULT``; times to be drawn are 0.

    Args:
        world: A validated world.
        vms: Region and VM type of each VM.
    """
    faults, up, none = world.faults, st.UP, st.NONE
    regions, types = [region.name for region in world.regions], [vm_type.name for vm_type in world.vm_types]
    rows: list[tuple[float, ...]] = []
    if faults.failures_per_vm_day > 0:
        rows += [(st.FAILURE, up, r, k, vm, 0, 0.0, 0.0) for vm, (r, k) in enumerate(vms)]
    evicted = [types.index(name) for name in faults.evicted_vm_types]
    rows += [(st.EVICTION, up, r, k, vm, 0, 0.0, 0.0) for vm, (r, k) in enumerate(vms) if k in evicted]
    if faults.outages_per_region_day > 0:
        rows += [(st.OUTAGE_DRAWN, up, r, none, none, 0, 0.0, 0.0) for r in range(len(regions))]
    for failure in faults.planned_failures:
        place = regions.index(failure.region), types.index(failure.vm_type), none
        rows.append((st.FAILURE_PLANNED, up, *place, 0, failure.start_s, failure.start_s + failure.duration_s))
    for outage in faults.planned_outages:
        place = regions.index(outage.region), none, none
        rows.append((st.OUTAGE_PLANNED, up, *place, 0, outage.start_s, outage.start_s + outage.duration_s))
    if faults.router_telemetry_s > 0:
        rows.append((st.REFRESH, up, none, none, none, 0, 0.0, 0.0))
    return np.array([(*row, 0.0) for row in rows], st.FAULT)


def fault_laws(faults: Faults) -> NDArray[Any]:
    """The laws of drawn faults by kind, shape (3,), dtype ``FAULT_LAW``."""
    rows = {
        st.FAILURE: (faults.failures_per_vm_day / DAY_S, 0.0, 0.0, *log_normal(faults.repair_median_s, faults.repair_p90_s)),
        st.EVICTION: (
            0.0,
            *log_normal(faults.up_median_s, faults.up_p90_s),
            *log_normal(faults.down_median_s, faults.down_p90_s),
        ),
        st.OUTAGE_DRAWN: (
            faults.outages_per_region_day / DAY_S,
            0.0,
            0.0,
            *log_normal(faults.outage_median_s, faults.outage_p90_s),
        ),
    }
    return np.array([rows[kind] for kind in sorted(rows)], st.FAULT_LAW)


def spot_leave(faults: Faults) -> dict[str, float]:
    """The law of the time that spot customers take to leave, by the names in ``SETTINGS``."""
    mu, sigma = log_normal(faults.spot_leave_median_s, faults.spot_leave_p90_s)
    return {"spot_leave_mu": mu, "spot_leave_sigma": sigma}
