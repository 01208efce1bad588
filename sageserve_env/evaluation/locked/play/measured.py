"""What the simulator measured in an episode beyond its terms: times to first token, NIW, and instance-hours by both measures."""

from __future__ import annotations

from sageserve_env.env.row import FleetRow
from sageserve_env.sim.readout.measure import fleet_cells, fleet_rows, service_cells, service_rows
from sageserve_env.world.schema import TIERS

Measured = dict[str, float | None]
"""By name; None where no request was there to be measured."""

TTFT_P95 = {tier: f"ttft_p95_{tier.lower().replace('-', '_')}_s" for tier in TIERS}
"""Names of the 95th percentile of the time to first token by tier."""

MEASURED = {
    **{name: f"95th percentile of the time to first token of the {tier} completed" for tier, name in TTFT_P95.items()},
    "niw_e2e_p95_s": "95th percentile of the time from a NIW request's arrival to its completion",
    "niw_unfinished": "NIW requests in the system at the end",
    "active_h": "instance-hours as paid for: of active instances",
    "provisioning_h": "instance-hours of provisioning: waste",
    "draining_h": "instance-hours of draining",
    "peak_15min_h": "instance-hours as the paper's authors count them: of the most active in each quarter of an hour, by endpoint",
    "scale_outs": "instances added",
}


def measured(row: FleetRow) -> Measured:
    """What was measured in the episode so far, by the names in ``MEASURED``; seconds, hours and counts."""
    world, spending = row.setup.world, row.spending()
    arrays = row.snapshot().row.state
    by_tier = {row.tier: row for row in service_rows(world, "tier", service_cells(world, arrays))}
    (fleet,) = fleet_rows(world, "total", fleet_cells(world, arrays, spending))
    niw = by_tier["NIW"]
    values = {
        **{name: by_tier[tier].ttft_p95_s for tier, name in TTFT_P95.items()},
        "niw_e2e_p95_s": niw.e2e_p95_s,
        "niw_unfinished": float(niw.arrived - niw.completed - niw.rejected),
        **{name: getattr(fleet, name) for name in ("active_h", "provisioning_h", "draining_h", "peak_15min_h")},
        "scale_outs": float(fleet.scale_outs),
    }
    return {name: None if values[name] != values[name] else values[name] for name in MEASURED}
