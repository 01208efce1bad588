"""Share of a training's time that its environments take: ``python benchmarks/training.py [--problem NAME] [--json FILE]``.

PPO as ``sageserve train --algo ppo`` has it, on Mini and on Day, for as many updates as an episode has, without evaluations and
checkpoints: vectors of several widths, and threads. Then the other algorithms as they are shipped. All in one run.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.logger import Logger

from agents.training.algorithms import algorithm_named
from agents.training.models import new_model
from agents.training.settings import Settings, settings_for
from agents.training.vector import training_envs
from sageserve_env.adapters.sb3 import SB3VecEnv

TARGETS = {"mini": 0.5, "day": 0.7}

WIDTHS = 16, 64

OTHERS = ("maskable-ppo", "recurrent-ppo", "sac", "tqc", "dqn")


class Timed:
    """Counts the seconds in an environment's steps and resets."""

    def __init__(self, envs: SB3VecEnv) -> None:
        self.seconds = 0.0
        for name in ("step_wait", "reset"):
            setattr(envs, name, self._timing(getattr(envs, name)))

    def _timing(self, call: Any) -> Any:
        def timed() -> Any:
            begin = time.perf_counter()
            result = call()
            self.seconds += time.perf_counter() - begin
            return result

        return timed


def share(algorithm: str, problem: str, settings: Settings, num_threads: int | None) -> dict[str, float]:
    """Share of the environments, and simulated steps a second, over one episode of each: every hour of the day counts.

    Args:
        algorithm: Name of one.
        problem: Name of a problem.
        settings: Of the algorithm.
        num_threads: That step the environments; None: one for each core.
    """
    envs, _ = training_envs(problem, settings, 0, num_threads)
    model = new_model(algorithm_named(algorithm), settings, envs, 0, "cpu")
    model.set_logger(Logger(None, []))
    steps = settings.n_envs * envs.get_attr("setup")[0].n_steps
    model.learn(max(settings.algorithm.get("learning_starts", 0), settings.n_envs * settings.algorithm.get("n_steps", 1)))
    timed = Timed(envs.unwrapped)
    begin, before = time.perf_counter(), model.num_timesteps
    model.learn(steps, reset_num_timesteps=False)
    elapsed = time.perf_counter() - begin
    envs.close()
    return {"share": timed.seconds / elapsed, "steps_per_s": (model.num_timesteps - before) / elapsed}


def of_width(settings: Settings, width: int) -> Settings:
    """Settings with another number of environments and as many steps and minibatches an update: shorter rollouts of more."""
    algorithm = {**settings.algorithm, "n_steps": int(np.ceil(settings.algorithm["n_steps"] * settings.n_envs / width))}
    return replace(settings, n_envs=width, algorithm=algorithm)


def main() -> None:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", choices=list(TARGETS), help="may be given again (default: all)")
    parser.add_argument("--json", type=Path, help="file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, dict[str, float]] = {}
    for problem in arguments.problem or TARGETS:
        shipped = settings_for("ppo", problem)
        tried = [("ppo", of_width(shipped, width), threads) for width in WIDTHS for threads in (1, None)]
        tried += [(name, settings_for(name, problem), None) for name in OTHERS]
        for algorithm, settings, threads in tried:
            told = share(algorithm, problem, settings, threads)
            name = f"{problem}, {algorithm}, {settings.n_envs} environments, {'1 thread' if threads else 'a thread a core'}"
            result[name] = told
            print(f"{name:56} {told['share']:6.1%} (target {TARGETS[problem]:.0%}) {told['steps_per_s']:8,.0f} steps/s", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
