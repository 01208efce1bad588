"""Speed of the environments: ``python benchmarks/environment.py [--json FILE]``.

Steps per second of Mini and Day, what Python adds to a step, resets, snapshots, and the vector environment against one environment
on the same episodes, and against Gymnasium's ``AsyncVectorEnv``, in the same run. Under random legal actions.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import sageserve_env  # noqa: F401  registers the ids
from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.sim import Simulator

MINI, DAY = "mini", "day"
STEPS = 120
"""Steps that each environment of a vector plays."""

WIDTHS = 16, 32, 64
"""Environments of the vectors that are compared with single ones; ``AsyncVectorEnv``, a process each, plays the least."""


def seconds(task: Callable[[], Any], runs: int) -> float:
    """Seconds that a task takes: the least of several runs."""
    best = np.inf
    for _ in range(runs):
        begin = time.perf_counter()
        task()
        best = min(best, time.perf_counter() - begin)
    return float(best)


def holding(env: FleetEnv) -> np.ndarray[Any, Any]:
    """The action that changes nothing."""
    return np.full(env.action_space.shape or (), env.setup.settings.max_delta)


def episode(env: FleetEnv, options: dict[str, Any]) -> float:
    """Seconds of all steps of an episode that keeps the initial fleet."""
    env.reset(seed=0, options=options)
    action = holding(env)
    begin = time.perf_counter()
    for _ in range(env.setup.n_steps):
        env.step(action)
    return time.perf_counter() - begin


def bare(env: FleetEnv, options: dict[str, Any]) -> float:
    """Seconds of the bare simulator on the same episode, without control instants."""
    env.reset(seed=0, options=options)
    drawn = env._episode
    assert drawn is not None
    sim = Simulator(env.setup.world, drawn.workload, seed=drawn.workload_seed)
    begin = time.perf_counter()
    sim.advance(drawn.horizon_s)
    return time.perf_counter() - begin


def python_overhead_us() -> float:
    """Microseconds that a step costs beyond the kernel's own time: steps of a second without traffic, on a fleet that idles."""
    idle = FleetEnv(problem=MINI, control_interval_s=1.0, horizon_s=3600.0, split="validation")
    idle.reset(seed=0, options={"scale": 1e-6})
    action = holding(idle)
    return seconds(lambda: [idle.step(action) for _ in range(500)], 5) / 500 * 1e6


def one_by_one_steps_per_s(n: int) -> float:
    """Environment steps per second of single environments that play the rows of the vector environment one after another."""
    envs = [FleetEnv(problem=MINI) for _ in range(n)]

    def play() -> None:
        for row, env in enumerate(envs):
            env.reset(seed=row)
            action = holding(env)
            for _ in range(STEPS):
                env.step(action)

    return n * STEPS / seconds(play, 2)


def vector_steps_per_s(n: int, **options: Any) -> float:
    """Environment steps per second of the native vector environment."""
    envs = VectorFleetEnv(n, problem=MINI, **options)
    rate = stepping_rate(envs)
    envs.close()
    return rate


def async_steps_per_s(n: int) -> float:
    """The same of Gymnasium's ``AsyncVectorEnv``: a process for each environment."""
    envs = gym.make_vec("SageServe/Mini-v0", num_envs=n, vectorization_mode="async")
    rate = stepping_rate(envs)
    envs.close()
    return rate


def stepping_rate(envs: gym.vector.VectorEnv[Any, Any, Any]) -> float:
    """Environment steps per second of the first ``STEPS`` steps of the rows of seeds 0 on, resets included."""
    actions = np.full((envs.num_envs, 3), 2)

    def play() -> None:
        envs.reset(seed=0)
        for _ in range(STEPS):
            envs.step(actions)

    return envs.num_envs * STEPS / seconds(play, 2)


def main() -> None:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    arguments = parser.parse_args()
    result: dict[str, float] = {}
    for name, day in ((MINI, "monday-o365-a"), (DAY, "monday-0")):
        env = FleetEnv(problem=name)
        options = {"day": day}
        episode(env, options)  # compiles
        took = min(episode(env, options) for _ in range(3))
        alone = min(bare(env, options) for _ in range(3))
        result[f"{name}_steps_per_s"] = env.setup.n_steps / took
        result[f"{name}_over_bare"] = took / alone
        result[f"{name}_reset_ms"] = seconds(lambda env=env: env.reset(), 10) * 1e3
    result["overhead_us"] = python_overhead_us()
    mini = FleetEnv(problem=MINI)
    mini.reset(seed=0)
    for _ in range(100):
        mini.step(holding(mini))
    result["snapshot_restore_us"] = seconds(lambda: mini.restore(mini.snapshot()), 50) * 1e6
    for n in WIDTHS:
        one = one_by_one_steps_per_s(n)
        vector = result[f"vector_{n}"] = vector_steps_per_s(n)
        result[f"vector_{n}_over_one"] = vector / one
    result["vector_16_1_thread"] = vector_steps_per_s(WIDTHS[0], num_threads=1)
    result["vector_16_over_async"] = result["vector_16"] / async_steps_per_s(WIDTHS[0])
    for key, value in result.items():
        print(f"{key:24} {value:,.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
