"""The parts that a user puts in place of a problem's own: read and checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.workload.catalog import load_workload
from sageserve_env.workload.checks import check_workload
from sageserve_env.workload.request import Workload
from sageserve_env.world.checks import is_number, require_span
from sageserve_env.world.files.loader import load_world
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import LeadTimes, World


def read_world(world: World | str | Path) -> World:
    """A world, itself or by preset name or YAML path.

    Raises:
        InputError: It is none, or not valid.
    """
    if isinstance(world, World):
        return validate(world)
    if not isinstance(world, (str, Path)):
        raise InputError(f"world = {world!r} is none; give a World, the name of a preset or the path of a YAML file")
    return load_world(world)


def read_workload(workload: Workload | str | Path) -> Workload:
    """A workload, itself or by catalog name or path of a trace file.

    Raises:
        InputError: It is none.
    """
    if isinstance(workload, (str, Path)):
        return load_workload(workload)
    check_workload(workload)
    return workload


def with_lead_times(world: World, lead_times: LeadTimes | Mapping[str, float]) -> World:
    """A world with other lead times: all of them, or those that a dict names.

    Raises:
        InputError: A name that does not exist, or a value that is no time.
    """
    if isinstance(lead_times, LeadTimes):
        return validate(replace(world, lead_times=lead_times))
    names = tuple(vars(world.lead_times))
    if not isinstance(lead_times, Mapping):
        raise InputError(f"lead_times = {lead_times!r} is no dict; give seconds by {', '.join(names)}")
    for name, value in lead_times.items():
        if name not in names:
            raise InputError(f"lead_times: {name!r} does not exist; it has {', '.join(names)}")
        if not is_number(value):
            raise InputError(f"lead_times: {name} = {value!r} is not a number; give seconds, 0 or more")
    return validate(replace(world, lead_times=replace(world.lead_times, **lead_times)))


def read_seconds(name: str, value: float) -> float:
    """A time above 0 and at most ``MOST_S``, in seconds.

    Raises:
        InputError: It is none.
    """
    require_span(name, value)
    return float(value)
