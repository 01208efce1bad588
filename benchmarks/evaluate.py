"""What the wall of the locked evaluation costs: ``python benchmarks/evaluate.py [--problem NAME] [--episodes N] [--json FILE]``.

The first held-out episodes of a problem under ``reactive``, each played in turn in this process and behind the wall, in a process
of its own: as ``sageserve evaluate`` does it, where both wait awake for each other if there are cores for it, and with both asleep.
Of each the least time of three. Prints seconds, ratios to the first, and what is added to an episode and to a step.
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

    job = Job(entrant, known, problem, LIMITS, is_bound=False, has_anchors=False)
    awake, asleep = Seat(job, patience_s(1)), Seat(job)

    def locked(seat: Seat) -> Callable[[Episode], None]:
        def play(episode: Episode) -> None:
            assert seat.play(episode).failure is None

        return play

    ways = {"open": in_the_open, "locked": locked(awake), "asleep": locked(asleep)}
    total_s = dict.fromkeys(ways, 0.0)
    for episode in held_out(problem)[:episodes]:
        in_the_open(episode)
        runs = [{way: seconds(play, episode) for way, play in ways.items()} for _ in range(RUNS)]
        for way in ways:
            total_s[way] += min(run[way] for run in runs)
    awake.close()
    asleep.close()
    n, steps = min(episodes, len(held_out(problem))), env.setup.n_steps
    added_s = total_s["locked"] - total_s["open"]
    return {
        "problem": name,
        "episodes": n,
        **{f"{way}_s": spent_s for way, spent_s in total_s.items()},
        "ratio": total_s["locked"] / total_s["open"],
        "asleep_ratio": total_s["asleep"] / total_s["open"],
        "added_ms_per_episode": 1e3 * added_s / n,
        "added_us_per_step": 1e6 * added_s / n / steps,
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
            f"ratio {row['ratio']:.2f} (asleep {row['asleep_ratio']:.2f}); {row['added_ms_per_episode']:.0f} ms an episode, "
            f"{row['added_us_per_step']:.0f} µs a step"
        )
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
