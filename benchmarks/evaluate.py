"""What the wall of the locked evaluation costs: ``python benchmarks/evaluate.py [--problem NAME] [--episodes N] [--json FILE]``.

The held-out episodes of a problem under ``reactive``, all in a row: in this process, and behind the wall as ``sageserve evaluate``
plays them, from the first process to the last. Once with one worker, and once with a worker on every core, against as many
processes that play their share in the open. Of each the least time of three, in turn. Prints seconds and ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import introduced
from sageserve_env.evaluation.locked.play.seat import Job, play_here
from sageserve_env.evaluation.locked.protocol import LIMITS, held_out
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.scenarios import load_problem

POLICY = "reactive"
RUNS = 3


def seconds(play: Callable[[], Any]) -> float:
    """Seconds of a call."""
    begin = time.perf_counter()
    play()
    return time.perf_counter() - begin


def play_in_the_open(name: str, first: int, every: int, episodes: int) -> None:
    """Play some of the first episodes of a problem without a wall."""
    problem, policy = load_problem(name), load_policy(POLICY)
    env = FleetEnv(problem=problem, split="test")
    for episode in held_out(problem)[:episodes][first::every]:
        play_policy(env, policy, dict(episode), EPISODE_SEED)


def measured(name: str, episodes: int) -> dict[str, Any]:
    """Seconds of the first episodes of a problem in the open and behind the wall."""
    problem, entrant, cores = load_problem(name), Entrant(POLICY, POLICY), os.cpu_count() or 1
    job = Job(entrant, introduced(entrant, LIMITS, is_bound=False), problem, LIMITS, is_bound=False, has_anchors=False)

    def locked(workers: int) -> None:
        wanted = [(episode, EPISODE_SEED) for episode in held_out(problem)[:episodes]]
        assert all(row.failure is None for row in play_here(job, wanted, workers))

    with ProcessPoolExecutor(cores) as pool:

        def on_all_cores() -> None:
            list(pool.map(play_in_the_open, [name] * cores, range(cores), [cores] * cores, [episodes] * cores))

        ways = {
            "open": lambda: play_in_the_open(name, 0, 1, episodes),
            "locked": lambda: locked(1),
            "open_on_all_cores": on_all_cores,
            "locked_on_all_cores": lambda: locked(cores),
        }
        on_all_cores()
        runs = [{way: seconds(play) for way, play in ways.items()} for _ in range(RUNS)]
    least = {way: min(run[way] for run in runs) for way in ways}
    return {
        "problem": name,
        "episodes": min(episodes, len(held_out(problem))),
        "cores": cores,
        **{f"{way}_s": spent_s for way, spent_s in least.items()},
        "ratio": least["locked"] / least["open"],
        "ratio_on_all_cores": least["locked_on_all_cores"] / least["open_on_all_cores"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", help="name; may be given again (default: mini, day)")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    rows = [measured(name, given.episodes) for name in given.problem or ("mini", "day")]
    for row in rows:
        print(
            f"{row['problem']}, {row['episodes']} episodes: one worker {row['open_s']:.2f} s in the open, {row['locked_s']:.2f} s "
            f"locked, ratio {row['ratio']:.2f}; {row['cores']} workers {row['open_on_all_cores_s']:.2f} s, "
            f"{row['locked_on_all_cores_s']:.2f} s, ratio {row['ratio_on_all_cores']:.2f}"
        )
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
