"""Share of a training's time that its environments take: ``python benchmarks/training.py [--json FILE]``.

PPO as ``sageserve train --algo ppo`` has it, on Mini and on Day, for a few updates of rollouts and gradient steps, without
evaluations and checkpoints. Vectors of several widths, and threads, in the same run.
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

UPDATES = 2


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


def share(problem: str, settings: Settings, num_threads: int | None) -> dict[str, float]:
    """Share of the environments, and simulated steps a second, after one update that is not counted.

    Args:
        problem: Name of a problem.
        settings: Of PPO.
        num_threads: That step the environments; None: one for each core.
    """
    envs, _ = training_envs(problem, settings, 0, num_threads)
    model = new_model(algorithm_named("ppo"), settings, envs, 0, "cpu")
    model.set_logger(Logger(None, []))
    steps = settings.n_envs * settings.algorithm["n_steps"]
    model.learn(steps)
    timed = Timed(envs.unwrapped)
    begin = time.perf_counter()
    model.learn(UPDATES * steps, reset_num_timesteps=False)
    elapsed = time.perf_counter() - begin
    envs.close()
    return {"share": timed.seconds / elapsed, "steps_per_s": UPDATES * steps / elapsed}


def main() -> None:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, dict[str, float]] = {}
    for problem, target in TARGETS.items():
        shipped = settings_for("ppo", problem)
        for width in WIDTHS:
            for threads in (1, None):
                # as many steps and minibatches an update: a wider vector plays shorter rollouts
                algorithm = {**shipped.algorithm, "n_steps": int(np.ceil(shipped.algorithm["n_steps"] * shipped.n_envs / width))}
                told = share(problem, replace(shipped, n_envs=width, algorithm=algorithm), threads)
                name = f"{problem}, {width} environments, {'1 thread' if threads else 'a thread a core'}"
                result[name] = told
                print(f"{name:44} {told['share']:6.1%} (target {target:.0%}) {told['steps_per_s']:8,.0f} steps/s", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
