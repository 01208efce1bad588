"""Prices of a world as arrays: VMs by region, their factors by hour, traffic by pair of regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sageserve_env.world.schema import Region, World

Floats = NDArray[np.float64]

WEEK_HOURS = 168
GB = 1e9


def list_prices(world: World) -> Floats:
    """US dollars of a VM-hour by region and VM type, before factors by hour, shape (R, K)."""

    def of(region: Region) -> list[float]:
        own = region.price_usd_per_h or {}
        return [own.get(vm_type.name, vm_type.price_usd_per_h) for vm_type in world.vm_types]

    return np.array([of(region) for region in world.regions], np.float64)


def has_hourly_prices(world: World) -> bool:
    """Whether prices vary by the hour in any region."""
    return any(region.price_by_hour is not None for region in world.regions)


def price_factors(world: World) -> Floats:
    """Factors on list prices by region and hour of the week, from Monday 00:00 UTC on, shape (R, 168)."""
    return np.array([np.resize(region.price_by_hour or (1.0,), WEEK_HOURS) for region in world.regions], np.float64)


def egress_usd_per_token(world: World) -> Floats:
    """US dollars of a token sent from a region to another, shape (R, R); zeros where traffic is free."""
    if world.egress_usd_per_gb is None:
        return np.zeros((len(world.regions), len(world.regions)))
    return np.array(world.egress_usd_per_gb, np.float64) * (world.egress_bytes_per_token / GB)
