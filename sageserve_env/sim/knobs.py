"""What a policy sets: one mechanism for every strategy (bounds, thresholds, routing, release levels, admission order)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.sim.fleet import initial_instances
from sageserve_env.sim.requests.routing import MOST_LOAD
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
        cool_down_s: Seconds between two moves of the tick, shape (N,), 0 to 1e9.
        emergency_utilization: Utilization above which the tick goes one instance past the cap, shape (N,), 0 to 1e6. Up to 1, one
            instance more than the cap is not too many; above 1 there is no emergency.
        routing_threshold: Utilization below which a preferred region is taken, shape (M,), 0 to 1e6.
        region_weight: Divides the utilization that routing sees, shape (M, R), 0 to 1e6; 1 by default, 0 uses the region last.
        niw_release: Utilization at or under which one and two NIW requests are released, shape (M, 2), 0 to 1: high, then low.
        admission_order: One of ``ADMISSION_ORDERS``.
    """

    floor: NDArray[np.int32]
    cap: NDArray[np.int32]
    scale_out_utilization: NDArray[np.float64]
    scale_in_utilization: NDArray[np.float64]
    cool_down_s: NDArray[np.float64]
    emergency_utilization: NDArray[np.float64]
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
            emergency_utilization=np.full(n, min(world.scaling.emergency_utilization, MOST_LOAD)),
            routing_threshold=np.full(m, min(world.routing.utilization_threshold, MOST_LOAD)),
            region_weight=np.ones((m, r)),
            niw_release=np.tile(np.array(world.niw.release_utilization, dtype=np.float64), (m, 1)),
            admission_order=admission_order,
        )

    def validated(self, world: World) -> Knobs:
        """These knobs, checked against a world.

        Raises:
            InputError: A shape is wrong, a value is NaN or out of its range, a floor is above its cap, or a release level rises.
        """
        wanted = limits(len(world.regions), len(world.models), len(world.pools), len(world.vm_types))
        values = {name: as_numbers(name, getattr(self, name), shape) for name, shape in wanted.shapes.items()}
        flat = np.concatenate(list(values.values()), axis=None)
        if not ((flat >= wanted.least) & (flat <= wanted.most)).all():
            raise out_of_range(values)
        for name in COUNTS:
            check_whole(name, values[name])
        check_order("floor", values["floor"], "cap", values["cap"])
        high, low = values["niw_release"].T
        check_order("niw_release[:, 1]", low, "niw_release[:, 0]", high)
        if not isinstance(self.admission_order, str) or self.admission_order not in ADMISSION_ORDERS:
            raise InputError(f"knob admission_order = {self.admission_order!r}; choose one of {', '.join(ADMISSION_ORDERS)}")
        return self


MOST_INSTANCES = 2**31 - 1
LONGEST_PAUSE_S = 1e9

RANGES = {
    "floor": (0, MOST_INSTANCES),
    "cap": (0, MOST_INSTANCES),
    "scale_out_utilization": (0, 1),
    "scale_in_utilization": (0, 1),
    "cool_down_s": (0, LONGEST_PAUSE_S),
    "emergency_utilization": (0, MOST_LOAD),
    "routing_threshold": (0, MOST_LOAD),
    "region_weight": (0, MOST_LOAD),
    "niw_release": (0, 1),
}
"""Least and most of each knob's values."""

COUNTS = ("floor", "cap")
BY_ENDPOINT = ("scale_out_utilization", "scale_in_utilization", "cool_down_s", "emergency_utilization")


class Limits(NamedTuple):
    """What knobs are held to: the shape of each, and least and most of all their values in a row."""

    shapes: dict[str, tuple[int, ...]]
    least: NDArray[np.float64]
    most: NDArray[np.float64]


@lru_cache
def limits(n_regions: int, n_models: int, n_pools: int, n_types: int) -> Limits:
    """What knobs are held to in a world of so many regions, models, pools and VM types."""
    n, by_model = n_regions * n_models * n_pools, {"routing_threshold": (), "region_weight": (n_regions,), "niw_release": (2,)}
    shapes = {
        **dict.fromkeys(COUNTS, (n, n_types)),
        **dict.fromkeys(BY_ENDPOINT, (n,)),
        **{name: (n_models, *more) for name, more in by_model.items()},
    }
    sizes = [math.prod(shape) for shape in shapes.values()]
    least, most = np.repeat([RANGES[name] for name in shapes], sizes, axis=0).astype(np.float64).T
    return Limits(shapes, least, most)


def as_numbers(name: str, given: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """The values of a knob.

    Raises:
        InputError: They have another shape, or are no numbers.
    """
    try:
        values = np.asarray(given)
    except ValueError:
        raise InputError(f"knob {name} is a list of unequal rows; this world needs shape {shape}") from None
    if values.shape != shape:
        raise InputError(f"knob {name} has shape {values.shape}; this world needs {shape}")
    if values.dtype.kind not in "iuf":
        raise InputError(f"knob {name} has dtype {values.dtype}; give numbers")
    return values


def out_of_range(knobs: dict[str, NDArray[Any]]) -> InputError:
    """What is to be said of the first value that is out of its range; there must be one."""
    for name, values in knobs.items():
        least, most = RANGES[name]
        if (is_bad := ~((values >= least) & (values <= most))).any():
            break
    place = tuple(int(i) for i in np.argwhere(is_bad)[0])
    return InputError(f"knob {name}{list(place)} = {values[place]} is out of range; give {least:g} to {most:.10g}")


def check_whole(name: str, values: NDArray[Any]) -> None:
    """Raise InputError where a count is none."""
    if values.dtype.kind == "f" and np.any(values % 1):
        raise InputError(f"knob {name} holds a number that is not a whole count of instances; round it")


def check_order(lower: str, low: Any, upper: str, high: Any) -> None:
    """Raise InputError where one knob is above another."""
    is_bad = np.greater(low, high)
    if is_bad.any():
        place = tuple(int(i) for i in np.argwhere(is_bad)[0])
        values = f"{lower}{list(place)} = {np.asarray(low)[place]} is above {upper} = {np.asarray(high)[place]}"
        raise InputError(f"knob {values}; lower the one or raise the other")
