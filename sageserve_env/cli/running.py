"""From the options of ``sageserve simulate`` to a result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sageserve_env.cli.console import simulation_progress, status
from sageserve_env.cli.options import check_run, chosen_workload, show_trace
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import ADMISSION_ORDERS
from sageserve_env.world import World, load_world
from sageserve_env.world.checks import require, require_count
from sageserve_env.world.rules.validate import validate


@dataclass(frozen=True)
class Choice:
    """What to simulate, as the command line says it."""

    workload: str
    is_trace: bool
    world: str
    policy: str
    policy_options: dict[str, Any]
    instances: int | None
    reading: dict[str, Any]
    cut: dict[str, float | None]
    control_interval_s: float


def run(choice: Choice, *, seed: int, resolution_s: float, drain: bool, log_requests: bool, quiet: bool) -> Result:
    """Build the scenario and run it.

    Raises:
        InputError: An option or a file cannot be used.
    """
    order = choice.policy_options.get("admission_order", ADMISSION_ORDERS[0])
    require(order in ADMISSION_ORDERS, "--order", order, f"is not known; give one of {', '.join(ADMISSION_ORDERS)}")
    check_run(seed, choice.control_interval_s, resolution_s)
    policy = load_policy(choice.policy, **choice.policy_options)
    world = load_world(choice.world)
    if choice.instances is not None:
        world = with_instances(world, choice.instances)
    with status("Reading the workload…", quiet):
        source = as_path(choice.workload) if choice.is_trace else choice.workload
        workload = chosen_workload(source, reading=choice.reading, **choice.cut)
        scenario = Scenario(workload.name, world, workload, choice.control_interval_s)
        workload.stream(world, seed)  # what does not fit the world shows before anything is compiled
    if choice.reading and not quiet:
        show_trace(workload)
    with simulation_progress(scenario.horizon_s, quiet) as progress:
        return run_episode(
            scenario,
            policy,
            seed=seed,
            resolution_s=resolution_s,
            log_requests=log_requests,
            drain=drain,
            progress=progress,
        )


def as_path(trace: str) -> str:
    """A trace's path, never taken for the name of a workload.

    Raises:
        InputError: There is no such file.
    """
    if not Path(trace).is_file():
        raise InputError(f"--trace = '{trace}' is no file; give a trace file (CSV, JSON lines, Parquet)")
    return str(Path(trace).resolve())


def with_instances(world: World, instances: int) -> World:
    """The world with so many instances of every model that a pool starts with.

    Raises:
        InputError: A region has too few VMs.
    """
    require_count("--instances", instances, least=1)
    pools = tuple(replace(pool, instances=dict.fromkeys(pool.instances, instances)) for pool in world.pools)
    try:
        return validate(replace(world, pools=pools))
    except InputError as error:
        raise InputError(f"--instances = {instances}: {error}") from None
