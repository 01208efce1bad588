"""What a fleet has spent so far: dollars of its VMs, energy and carbon by endpoint, dollars of traffic by origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim import state as st
from sageserve_env.sim.instances.usage import CARBON_KG, ENERGY_KWH, HOUR_S, N_USES, PRICED_S, open_use
from sageserve_env.sim.readout.telemetry import read_telemetry
from sageserve_env.sim.start import NO_LOG, NO_REQUESTS
from sageserve_env.world.costs.prices import has_hourly_prices, list_prices
from sageserve_env.world.schema import World

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Spending:
    """Sums from the start of a run up to now. N endpoints, K VM types, R regions, M models, T tiers.

    Attributes:
        vm_usd: Active, provisioning and draining VMs at the list price of their region and hour, shape (N, K).
        energy_kwh, carbon_kg: Of the same VMs, the data centre's share included, shape (N, K); zeros where they are not counted.
        egress_usd: Prompts sent to other regions and outputs sent back, by origin, shape (R, M, T).
    """

    vm_usd: Reals
    energy_kwh: Reals
    carbon_kg: Reals
    egress_usd: Reals


def read_spending(world: World, arrays: dict[str, Any], tables: dict[str, Any]) -> Spending:
    """The spending of one environment's state.

    Args:
        world: The world that the state belongs to.
        arrays: The state of one environment, by the names in ``STATE_FIELDS``, without the environment axis.
        tables: The world's ``build.world_tables``.
    """
    fleet = arrays["fleet"].reshape(-1, len(world.vm_types))
    seen = read_telemetry(world, arrays)
    paid_h = seen.active_s / HOUR_S + seen.provisioning_s / HOUR_S + seen.draining_s / HOUR_S
    uses = np.zeros((fleet.size, N_USES))
    if has_hourly_prices(world) or any(model.power for model in world.models):
        open_use(uses, *arrays.values(), *tables.values(), NO_REQUESTS, NO_LOG)
    if has_hourly_prices(world):
        paid_h = (fleet["priced_s"] + uses[:, PRICED_S].reshape(fleet.shape)) / HOUR_S
    return Spending(
        vm_usd=paid_h * list_prices(world)[arrays["endpoint"]["region"]],
        energy_kwh=fleet["energy_kwh"] + uses[:, ENERGY_KWH].reshape(fleet.shape),
        carbon_kg=fleet["carbon_kg"] + uses[:, CARBON_KG].reshape(fleet.shape),
        egress_usd=arrays["origin"]["egress_usd"].reshape(len(world.regions), len(world.models), st.N_TIERS).copy(),
    )
