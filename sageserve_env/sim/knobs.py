"""What a policy sets: one mechanism for every strategy (bounds, thresholds, routing, release levels, admission order)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.sim.build import initial_instances
from sageserve_env.world.schema import World

ADMISSION_ORDERS = ("FCFS", "EDF", "PF", "DPA")
"""Admission orders by integer code: first come, first served; earliest deadline; priority; deadline- and priority-aware."""


@dataclass
class Knobs:
    """Settings in force until the next control instant. N endpoints, K VM types, M models, R regions.

    Attributes:
        floor: Least instances of each endpoint and type, shape (N, K), int32. Below it an endpoint scales out at once.
        cap: Most instances, shape (N, K), int32, >= floor. Above it an endpoint scales in at once.
        scale_out_utilization: Utilization above which the tick adds an instance, shape (N,), 0 to 1.
        scale_in_utilization: Utilization below which the tick removes one, shape (N,), 0 to 1.
        cool_down_s: Seconds between two moves of the tick, shape (N,), >= 0.
        routing_threshold: Utilization below which a preferred region is taken, shape (M,), >= 0.
        region_weight: Divides the utilization that routing sees, shape (M, R), >= 0; 1 by default, 0 uses the region last.
        niw_release: Utilization at or under which one and two NIW requests are released, shape (M, 2): high, then low.
        admission_order: One of ``ADMISSION_ORDERS``.
    """

    floor: NDArray[np.int32]
    cap: NDArray[np.int32]
    scale_out_utilization: NDArray[np.float64]
    scale_in_utilization: NDArray[np.float64]
    cool_down_s: NDArray[np.float64]
    routing_threshold: NDArray[np.float64]
    region_weight: NDArray[np.float64]
    niw_release: NDArray[np.float64]
    admission_order: str = "FCFS"

    @classmethod
    def static(cls, world: World, admission_order: str = "FCFS") -> Knobs:
        """The fleet as it starts, held: floor = cap = the initial instances; thresholds are the world's."""
        instances = initial_instances(world)
        n, m, r = len(instances), len(world.models), len(world.regions)
        return cls(
            floor=instances.copy(),
            cap=instances.copy(),
            scale_out_utilization=np.full(n, world.scaling.scale_out_utilization),
            scale_in_utilization=np.full(n, world.scaling.scale_in_utilization),
            cool_down_s=np.full(n, world.scaling.cool_down_s),
            routing_threshold=np.full(m, world.routing.utilization_threshold),
            region_weight=np.ones((m, r)),
            niw_release=np.tile(np.array(world.niw.release_utilization, dtype=np.float64), (m, 1)),
            admission_order=admission_order,
        )

    def validated(self, world: World) -> Knobs:
        """These knobs, checked against a world.

        Raises:
            InputError: A shape is wrong, a value is NaN or out of its range, or a floor is above its cap.
        """
        n, m = len(world.regions) * len(world.models) * len(world.pools), len(world.models)
        shapes = {
            "floor": (n, len(world.vm_types)),
            "cap": (n, len(world.vm_types)),
            "scale_out_utilization": (n,),
            "scale_in_utilization": (n,),
            "cool_down_s": (n,),
            "routing_threshold": (m,),
            "region_weight": (m, len(world.regions)),
            "niw_release": (m, 2),
        }
        for name, shape in shapes.items():
            check_values(name, np.asarray(getattr(self, name)), shape)
        if np.any(np.asarray(self.floor) > np.asarray(self.cap)):
            place = tuple(int(i) for i in np.argwhere(np.asarray(self.floor) > np.asarray(self.cap))[0])
            floor, cap = self.floor[place], self.cap[place]
            raise InputError(f"knob floor{list(place)} = {floor} is above cap = {cap}; lower the floor or raise the cap")
        if self.admission_order not in ADMISSION_ORDERS:
            raise InputError(f"knob admission_order = {self.admission_order!r}; choose one of {', '.join(ADMISSION_ORDERS)}")
        return self


def check_values(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise InputError unless an array has the shape wanted and holds numbers >= 0."""
    if values.shape != shape:
        raise InputError(f"knob {name} has shape {values.shape}; this world needs {shape}")
    if not np.issubdtype(values.dtype, np.number):
        raise InputError(f"knob {name} has dtype {values.dtype}; give numbers")
    bad = np.argwhere(~(values >= 0))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise InputError(f"knob {name}{list(place)} = {values[place]}; give a number >= 0")
    if name in ("floor", "cap") and not np.array_equal(values, values.astype(np.int32)):
        raise InputError(f"knob {name} holds a number that is not a whole 32-bit count of instances; round it")
