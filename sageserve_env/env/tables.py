"""What is the same for all environments of an engine, and the arrays that its kernels take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.actions import ACTION_MODES, action_space, mask_shape
from sageserve_env.env.observation.encode import observation_features
from sageserve_env.env.rewards import KG_PER_T, TERMS, Reward, carbon_usd_per_t
from sageserve_env.env.state import CODEC, HISTORY, ROW
from sageserve_env.sim import state as st
from sageserve_env.workload.drawn import kernel as generator
from sageserve_env.workload.drawn.sizes import CELLS
from sageserve_env.workload.request import REQUEST_DTYPE
from sageserve_env.world.costs.carbon import world_identity
from sageserve_env.world.costs.prices import list_prices
from sageserve_env.world.schema import World

CHUNK_ROWS = 4096
HOUR_S = 3600.0


@dataclass(frozen=True)
class Settings:
    """What is the same for all environments of an engine.

    Attributes:
        world: What exists.
        action_mode: One of ``actions.ACTION_MODES``.
        reward: Makes rewards of terms.
        control_interval_s: Seconds between two actions.
        max_delta: Most instances that one ``delta`` or ``discrete`` action changes.
        admission_order: One of ``sim.knobs.ADMISSION_ORDERS``.
        max_in_flight: Most requests in one environment at once.
        n_steps: Control intervals in an episode.
        grace_s: NIW that is younger than this at the horizon may be unfinished there without being a breach.
    """

    world: World
    action_mode: str
    reward: Reward
    control_interval_s: float
    max_delta: int
    admission_order: str
    max_in_flight: int
    n_steps: int
    grace_s: float

    def identity(self) -> dict[str, str]:
        """What decides the course of an episode, by name; rewards do not."""
        names = ("action_mode", "control_interval_s", "max_delta", "admission_order", "max_in_flight", "n_steps", "grace_s")
        return {**{name: str(getattr(self, name)) for name in names}, **world_identity(self.world)}


def codec(settings: Settings) -> NDArray[Any]:
    """How actions are decoded, shape (1,), dtype ``CODEC``."""
    mode = ACTION_MODES.index(settings.action_mode)
    steps_in_hour = max(1, round(HOUR_S / settings.control_interval_s))
    least = settings.world.scaling.min_instances
    limits = settings.max_in_flight, settings.n_steps, settings.grace_s
    return np.array([(mode, settings.max_delta, least, steps_in_hour, *limits)], CODEC)


def prices(settings: Settings) -> NDArray[np.float64]:
    """Dollars of a VM-hour by region and VM type, of a breach by tier, of a kg of carbon, shape (R * K + T + 1,)."""
    reward = settings.reward
    return np.array([*list_prices(settings.world).ravel(), *reward.breach_prices_usd, carbon_usd_per_t(reward) / KG_PER_T])


def vms_by_type(world: World) -> NDArray[np.int64]:
    """VMs by region and type, shape (R * K,)."""
    counts = [[region.vm_capacity.get(vm_type.name, 0) for vm_type in world.vm_types] for region in world.regions]
    return np.array(counts, np.int64).ravel()


def empty_rows(settings: Settings, n_envs: int) -> dict[str, NDArray[Any]]:
    """The arrays of ``Rows``, those of the workload as small as can be."""
    world = settings.world
    n_origins = len(world.regions) * len(world.models) * st.N_TIERS
    fleets = world.n_endpoints * len(world.vm_types)
    space = action_space(settings.action_mode, world, settings.max_delta)
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "row": ((), ROW),
        "target": ((fleets,), np.int64),
        "history": ((HISTORY, n_origins), np.float64),
        "seen": ((n_origins, 3), np.int64),
        "served": ((world.n_endpoints * st.N_TIERS, 3), np.int64),
        "action": (space.shape or (1,), np.float64),
        "observation": ((len(observation_features(world)),), np.float32),
        "mask": ((math.prod(mask_shape(space)),), np.bool_),
        "terms": ((len(TERMS),), np.float64),
        "totals": ((len(TERMS),), np.float64),
        "requests": ((CHUNK_ROWS,), REQUEST_DTYPE),
        "series": ((1,), generator.SERIES_STATE),
        "bins": ((1, 1), generator.BIN),
        "edges": ((2,), np.float64),
        "sizes": ((1, 2, CELLS + 1), np.float32),
        "labels": ((1, 1), generator.LABEL),
    }
    return {name: np.zeros((n_envs, *shape), dtype) for name, (shape, dtype) in shapes.items()}
