"""What the wall of the locked evaluation costs: ``python benchmarks/evaluate.py [--problem NAME] [--episodes N] [--json FILE]``.

The first held-out episodes of a problem under ``reactive``, each played in turn in this process and behind the wall, in a process
of its own; of each the least time of three. Prints seconds of both, their ratio, and what is added to an episode and to a step.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import introduced
from sageserve_env.evaluation.locked.play.seat import Job, Seat
from sageserve_env.evaluation.locked.protocol import LIMITS, Episode, held_out
from sageserve_env.evaluation.locked.wall.patience import patience_s
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.scenarios import load_problem

POLICY = "reactive"
RUNS = 3


def seconds(play: Callable[[Episode], Any], episode: Episode) -> float:
    """Seconds of an episode."""
    begin = time.perf_counter()
    play(episode)
    return time.perf_counter() - begin


def measured(name: str, episodes: int) -> dict[str, Any]:
    """Seconds of the first episodes of a problem in the open and behind the wall."""
    problem, entrant = load_problem(name), Entrant(POLICY, POLICY)
    env, known = FleetEnv(problem=problem, split="test"), introduced(entrant, LIMITS, is_bound=False)
    policy = load_policy(POLICY)

    def in_the_open(episode: Episode) -> None:
        play_policy(env, policy, dict(episode), EPISODE_SEED)

    seat = Seat(Job(entrant, known, problem, LIMITS, is_bound=False, has_anchors=False), patience_s(1))

    def locked(episode: Episode) -> None:
        assert seat.play(episode).failure is None

    open_s = locked_s = 0.0
    for episode in held_out(problem)[:episodes]:
        in_the_open(episode)
        pairs = [(seconds(in_the_open, episode), seconds(locked, episode)) for _ in range(RUNS)]
        open_s, locked_s = open_s + min(each[0] for each in pairs), locked_s + min(each[1] for each in pairs)
    seat.close()
    n, steps = min(episodes, len(held_out(problem))), env.setup.n_steps
    return {
        "problem": name,
        "episodes": n,
        "open_s": open_s,
        "locked_s": locked_s,
        "ratio": locked_s / open_s,
        "added_ms_per_episode": 1e3 * (locked_s - open_s) / n,
        "added_us_per_step": 1e6 * (locked_s - open_s) / n / steps,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", help="name; may be given again (default: mini, day)")
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    rows = [measured(name, given.episodes) for name in given.problem or ("mini", "day")]
    for row in rows:
        print(
            f"{row['problem']}: {row['episodes']} episodes, in the open {row['open_s']:.2f} s, locked {row['locked_s']:.2f} s, "
            f"ratio {row['ratio']:.2f}; {row['added_ms_per_episode']:.0f} ms an episode, {row['added_us_per_step']:.0f} µs a step"
        )
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
