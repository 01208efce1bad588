"""The state at time zero with a fleet in place, and knobs written into a state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim import kernel
from sageserve_env.sim import state as st
from sageserve_env.sim.build import initial_state
from sageserve_env.sim.fleet import initial_instances
from sageserve_env.sim.knobs import ADMISSION_ORDERS, Knobs
from sageserve_env.workload.request import REQUEST_DTYPE
from sageserve_env.world.schema import World

NO_REQUESTS: NDArray[Any] = np.zeros(0, REQUEST_DTYPE)
NO_LOG: NDArray[Any] = np.zeros(0, st.LOG)


def start_state(world: World, tables: dict[str, NDArray[Any]], knobs: Knobs, flight_slots: int) -> dict[str, NDArray[Any]]:
    """The state of one environment at time zero: the world's initial instances active, ``knobs`` in force.

    Args:
        world: A validated world.
        tables: Its :func:`build.world_tables`.
        knobs: Validated knobs.
        flight_slots: Slots of the pool of requests in flight.

    Returns:
        Arrays by the names in ``STATE_FIELDS``, without an environment axis.
    """
    state = {name: array[0] for name, array in initial_state(world, max_in_flight=flight_slots).items()}
    rest = (*tables.values(), NO_REQUESTS, NO_LOG)
    kernel.deploy(initial_instances(world), *state.values(), *rest)
    write_knobs(state, knobs)
    kernel.settle(ADMISSION_ORDERS.index(knobs.admission_order), *state.values(), *rest)
    return state


def write_knobs(state: dict[str, NDArray[Any]], knobs: Knobs) -> None:
    """Write knobs, admission order excepted, into the state of one environment; ``kernel.settle`` puts them into force."""
    endpoint, fleet, model_knobs = state["endpoint"], state["fleet"], state["model_knobs"]
    fleet["floor"] = np.ravel(knobs.floor)
    fleet["cap"] = np.ravel(knobs.cap)
    endpoint["scale_out_utilization"] = knobs.scale_out_utilization
    endpoint["scale_in_utilization"] = knobs.scale_in_utilization
    endpoint["cool_down_s"] = knobs.cool_down_s
    endpoint["emergency_utilization"] = knobs.emergency_utilization
    model_knobs["routing_threshold"] = knobs.routing_threshold
    model_knobs["release_high"] = np.asarray(knobs.niw_release)[:, 0]
    model_knobs["release_low"] = np.asarray(knobs.niw_release)[:, 1]
    state["region_weight"][...] = knobs.region_weight


def copy_bytes(target: NDArray[Any], source: NDArray[Any]) -> None:
    """Copy an array's contents as bytes: NumPy copies structured arrays field by field, forty times as slowly."""
    target.view(np.uint8)[...] = source.view(np.uint8)


def duplicate(array: NDArray[Any]) -> NDArray[Any]:
    """A copy of a contiguous array, made as bytes."""
    copy = np.empty_like(array)
    copy_bytes(copy, array)
    return copy
