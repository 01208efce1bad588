"""A check of an installation in seconds: the simulator gives what it must, twice the same, and fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sageserve_env.evaluation.golden.compare import compare, load
from sageserve_env.sim import Simulator
from sageserve_env.workload import Composable, load_workload
from sageserve_env.world import load_world

CASE = Path(__file__).parent / "golden" / "data" / "s2b_one_instance_memory_bound"
WARM_UP_S, HORIZON_S = 120.0, 300.0


@dataclass(frozen=True)
class Outcome:
    """What a check found."""

    name: str
    passed: bool
    found: str
    wall_s: float


def checks() -> Iterator[Outcome]:
    """Run every check, one after the other."""
    named: dict[str, Callable[[], tuple[bool, str]]] = {
        "compiles and starts": compiles,
        "agrees with the authors' simulator": agrees,
        "same seed, same run": is_deterministic,
        "resumes from a snapshot": resumes,
        "speed": measure_speed,
    }
    for name, check in named.items():
        start_s = time.perf_counter()
        passed, found = check()
        yield Outcome(name, passed, found, time.perf_counter() - start_s)


def compiles() -> tuple[bool, str]:
    """Compile, or load from the cache."""
    sim = simulator(seed=0)
    sim.advance(1.0)
    return sim.now_s == 1.0, "the simulator runs"


def agrees() -> tuple[bool, str]:
    """A recorded case of the authors' simulator, request by request."""
    comparison = compare(load(CASE))
    found = f"{comparison.requests} requests within {comparison.largest_difference_s:.1e} s"
    return comparison.agrees, found


def is_deterministic() -> tuple[bool, str]:
    """The same seed twice, and another."""
    logs = []
    for seed in (7, 7, 8):
        sim = simulator(seed)
        sim.advance(HORIZON_S)
        logs.append(sim.request_log())
    passed = len(logs[0]) > 0 and is_same(logs[0], logs[1]) and not is_same(logs[0], logs[2])
    return passed, f"{len(logs[0]):,} requests, bit for bit; another seed, another run"


def resumes() -> tuple[bool, str]:
    """On to the end, back to a snapshot, and on again."""
    sim = simulator(seed=7)
    sim.advance(WARM_UP_S)
    snapshot = sim.snapshot()
    sim.advance(HORIZON_S)
    first = sim.request_log()
    sim.restore(snapshot)
    sim.advance(HORIZON_S)
    return is_same(first, sim.request_log()), f"from {WARM_UP_S:.0f} s to {HORIZON_S:.0f} s, bit for bit"


def is_same(first: NDArray[np.void], second: NDArray[np.void]) -> bool:
    """Whether two logs are equal bit for bit."""
    return first.tobytes() == second.tobytes()


def measure_speed() -> tuple[bool, str]:
    """The busiest hour of the paper's week."""
    workload = load_workload("o365-hour")
    sim = simulator(seed=0, workload=workload, log_requests=False)
    start_s = time.perf_counter()
    sim.advance(workload.duration_s)
    wall_s = time.perf_counter() - start_s
    arrived = int(np.sum(sim.telemetry().arrived))
    return arrived > 0, f"{arrived:,} requests at {arrived / wall_s:,.0f} requests/s"


def simulator(seed: int, workload: Composable | None = None, log_requests: bool = True) -> Simulator:
    """The published world under a workload, by default the busiest hour at a tenth of its rate."""
    chosen = load_workload("o365-hour", scale=0.1) if workload is None else workload
    return Simulator(load_world("published"), chosen, seed=seed, log_requests=log_requests)
