"""Speed and memory of the simulator: ``python benchmarks/simulator.py [--json FILE] [--quick]``.

Every figure is measured in this run: a plain-Python simulator of the authors' rules on the same requests gives the ratio, the cold
and warm starts run in fresh processes, and the week's peak memory is that of a process of its own. The headline figures include
drawing the requests, routing, the NIW queue, the reactive tick and metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.golden.files import Case
from sageserve_env.evaluation.golden.run import Recorded, world_of
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.leaderboard.nulls import Least
from sageserve_env.sim import Knobs, Simulator
from sageserve_env.workload import load_workload
from sageserve_env.world import World, load_world, published

ROOT = Path(__file__).resolve().parent.parent
DAY_S = 86_400.0
PEER_SEED = 2
INSTANCES = 20
SCENARIO = "o365-day on published: 3 regions x 4 models x 20 instances, routing, NIW queue and reactive tick on, one core"


def reactive(world: World) -> Knobs:
    """The paper's reactive scaling."""
    knobs = Knobs.static(world)
    knobs.floor[:] = world.scaling.min_instances
    knobs.cap[:] = 100
    return knobs


def simulate(world: World, scale: float, duration_s: float, name: str = "o365-day", *, is_static: bool = False) -> dict[str, float]:
    """Serve a workload once. CPU seconds, which other work on the machine hardly adds to, include generation and metrics."""
    sim = Simulator(world, load_workload(name, scale=scale))
    if not is_static:
        sim.apply(reactive(world))
    begin = time.thread_time()
    sim.advance(duration_s)
    metrics = sim.metrics()
    cpu_s = time.thread_time() - begin
    requests = metrics.total.arrived
    return {
        "requests": requests,
        "completed": metrics.total.completed,
        "cpu_s": cpu_s,
        "requests_per_s": requests / cpu_s,
        "events_per_s": sim.events / cpu_s,
        "ns_per_request": cpu_s / requests * 1e9,
    }


def best(runs: int, *args: Any, **kwargs: Any) -> dict[str, float]:
    """The fastest of several runs: other work on the machine only slows a run down."""
    return min((simulate(*args, **kwargs) for _ in range(runs)), key=lambda run: run["cpu_s"])


def linearity(world: World) -> list[dict[str, float]]:
    """Cost per request from 1e5 to 1e7 requests a day."""
    return [best(2, world, scale, DAY_S) for scale in (0.0625, 0.625, 6.25)]


def overloaded() -> dict[str, float]:
    """Three times the load that a fixed fleet can serve, whose queues grow all day."""
    world = published(instances=2)
    served = simulate(world, 20.0, DAY_S / 4, is_static=True)
    scale = 20.0 * 3.0 * served["completed"] / served["requests"]
    return {**best(2, world, scale, DAY_S / 4, is_static=True), "scale": scale}


def starved() -> float:
    """CPU time of a day on one instance of each endpoint, with the faults of Storm, as a multiple of that without."""
    spent_s = {}
    for name in ("day", "day", "storm"):  # the first one loads kernels and data
        env = FleetEnv(problem=name, split="test")
        begin = time.thread_time()
        play_policy(env, Least(), {"day": 0, "variant": 0}, EPISODE_SEED)
        spent_s[name] = time.thread_time() - begin
    return spent_s["storm"] / spent_s["day"]


def two_threads(world: World) -> float:
    """Throughput of two simulators on two threads over that of one."""

    def run_both(n: int) -> float:
        sims = [Simulator(world, load_workload("o365-day")) for _ in range(n)]
        for sim in sims:
            sim.apply(reactive(world))
        threads = [threading.Thread(target=sim.advance, args=(DAY_S,)) for sim in sims]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begin

    one = min(run_both(1) for _ in range(3))
    two = min(run_both(2) for _ in range(3))
    return 2.0 * one / two


def fresh_process(code: str, **environment: str) -> str:
    """Run a program in a new interpreter and return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout.strip()


HOUR = """
import time; begin = time.perf_counter()
import sageserve_env
from sageserve_env.sim import Simulator
from sageserve_env.workload import load_workload
from sageserve_env.world import load_world
sim = Simulator(load_world("published"), load_workload("o365-hour"))
sim.advance(3600.0)
sim.metrics()
print(time.perf_counter() - begin)
"""


def start_up() -> dict[str, float]:
    """Seconds from import to a finished hour, with an empty kernel cache and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        cold_s = float(fresh_process(HOUR, NUMBA_CACHE_DIR=cache))
        warm_s = min(float(fresh_process(HOUR, NUMBA_CACHE_DIR=cache)) for _ in range(2))
    return {"cold_s": cold_s, "warm_s": warm_s}


def week() -> dict[str, float]:
    """A week at 10 M requests a day, in a process of its own for its peak memory."""
    return dict(json.loads(fresh_process("import sys; sys.path.insert(0, 'benchmarks'); import simulator; simulator.print_week()")))


def print_week() -> None:
    """Simulate the week and print its figures."""
    run = simulate(published(instances=INSTANCES), 1.0, 7 * DAY_S, "scale2025-week")
    run["peak_rss_mib"] = peak_rss_mib()
    print(json.dumps(run))


def peak_rss_mib() -> float:
    """Peak memory of this process. Not ``getrusage``: on Linux that keeps the parent's peak over a fork."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def peer() -> dict[str, float]:
    """The plain-Python simulator of the authors' rules in tests/reference against ours, on the same 20,000 requests."""
    sys.path.insert(0, str(ROOT))
    from tests.reference import authors_rules, random_cases

    case = random_cases.draw(PEER_SEED, 20_000)
    trace = random_cases.to_authors(case)
    begin = time.perf_counter()
    authors_rules.serve(case.fleet, trace)
    theirs = len(trace) / (time.perf_counter() - begin)
    world = world_of(Case(Path("peer"), case.fleet, "exact"))
    sim = Simulator(world, Recorded("peer", case.requests))
    begin = time.perf_counter()
    sim.advance(float(case.requests["arrival_s"][-1]) + DAY_S)
    ours = len(trace) / (time.perf_counter() - begin)
    return {"plain_python_requests_per_s": theirs, "ours_requests_per_s": ours, "ratio": ours / theirs}


def main() -> None:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--quick", action="store_true", help="the headline figures only")
    arguments = parser.parse_args()
    world = published(instances=INSTANCES)
    simulate(world, 0.01, 3600.0)  # compiles
    day = best(3, world, 1.0, DAY_S)
    result: dict[str, Any] = {"scenario": SCENARIO, **day}
    print(SCENARIO)
    print(f"  {day['requests']:,.0f} requests: {day['requests_per_s']:,.0f} requests/s, {day['events_per_s']:,.0f} events/s")
    result["modern"] = modern = best(3, load_world("modern"), 1.0, DAY_S, "modern-day")
    print(
        f"modern-day on modern, chunked prefill: {modern['requests_per_s']:,.0f} requests/s, {modern['events_per_s']:,.0f} events/s"
    )
    if not arguments.quick:
        result |= details(world)
    result.setdefault("peak_rss_mib", peak_rss_mib())
    print(f"peak memory {result['peak_rss_mib']:,.0f} MiB")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def details(world: World) -> dict[str, Any]:
    """The figures beyond the headline, printed as they come."""
    against = peer()
    print(
        f"the authors' rules on 20,000 requests: plain Python {against['plain_python_requests_per_s']:,.0f} requests/s, "
        f"ours {against['ours_requests_per_s']:,.0f}, ratio {against['ratio']:.0f}"
    )
    scales = linearity(world)
    for run in scales:
        print(f"  {run['requests']:>12,.0f} requests/day: {run['ns_per_request']:.0f} ns/request")
    heavy = overloaded()
    ratio = heavy["ns_per_request"] / scales[0]["ns_per_request"]
    print(f"overloaded threefold: {heavy['ns_per_request']:.0f} ns/request, {ratio:.2f} x the smallest day's")
    faulty = starved()
    print(f"a day on one instance of each endpoint, failures and evictions of Storm on: {faulty:.1f} x without")
    threads = two_threads(world)
    print(f"two simulators on two threads: {threads:.2f} x one")
    start = start_up()
    print(f"import to a finished hour: {start['warm_s']:.2f} s warm, {start['cold_s']:.1f} s cold")
    seven_days = week()
    print(
        f"week at 10 M requests a day: {seven_days['requests']:,.0f} requests in {seven_days['cpu_s']:.1f} s, "
        f"{seven_days['peak_rss_mib']:,.0f} MiB peak"
    )
    return {
        "plain_python": against,
        "linearity": scales,
        "overloaded": heavy,
        "overloaded_ratio": ratio,
        "starved_ratio": faulty,
        "two_threads": threads,
        "start_up": start,
        "week": seven_days,
        "peak_rss_mib": seven_days["peak_rss_mib"],
    }


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
