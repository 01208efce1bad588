"""What verification costs beyond simulation: ``python benchmarks/verify.py [--problem NAME] [--entry NAME] [--json FILE]``.

The first held-out episodes of entries of the leaderboard, in one process: stepped through with decisions that lie ready, and
verified as ``sageserve leaderboard verify`` does it, from the line of the file to the row of the table: read, unpacked, digested,
replayed, measured. Processor time, of each episode the least of several runs, both in turn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sageserve_env.cli.errors import explanation, fail
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.actions import ACTION, knobs_of, unpacked
from sageserve_env.evaluation.locked.result.logs import Logged, read_lines
from sageserve_env.leaderboard.board import Board
from sageserve_env.leaderboard.replay import Job, environment, replay
from sageserve_env.leaderboard.submission.entry import read_entry
from sageserve_env.leaderboard.submission.episodes import read_line
from sageserve_env.leaderboard.submission.folder import EPISODES
from sageserve_env.leaderboard.tables.table import VerifiedEpisode
from sageserve_env.registration import IDS, problem_name

RUNS = 5

ENTRIES = ("random", "reactive-tuned", "forecast-program")
"""An agent, a controller whose knobs stay as they are, and one whose knobs change."""


def seconds(play: Callable[[], Any]) -> float:
    """Processor time."""
    begin = time.process_time()
    play()
    return time.process_time() - begin


def bare(env: FleetEnv, line: Logged, decisions: list[Any]) -> None:
    """The simulation alone."""
    env.reset(seed=line.seed, options=line.episode)
    for decision in decisions:
        if isinstance(decision, dict):
            env.step(decision[ACTION])
        else:
            env.follow(decision)


def measured(board: Board, problem: str, name: str, episodes: int) -> dict[str, Any]:
    """Seconds of the first episodes of an entry, both ways."""
    env_id, folder = IDS[problem_name(problem)], board.submissions / name
    entry = read_entry(folder, board)
    if entry.submission is None or env_id not in entry.episodes:
        raise InputError(f"entry = '{name}' has no episodes of {env_id} in '{board.root}'; choose another")
    texts = {repr(Logged.read(text).episode): text for text in read_lines(folder / EPISODES) if Logged.read(text).env == env_id}
    bare_s = verified_s = 0.0
    for line in entry.episodes[env_id][:episodes]:
        job = Job(name, line, entry.submission.entries[env_id].view, board.ground(env_id).problem)
        env, submission, text = environment(job), entry.submission, texts[repr(line.episode)]
        decisions = [said if ACTION in said else knobs_of(said) for said in unpacked(line.log)]

        def simulate(env: FleetEnv = env, line: Logged = line, decisions: list[Any] = decisions) -> None:
            bare(env, line, decisions)

        def verify(env: FleetEnv = env, text: str = text, submission: Any = submission) -> None:
            VerifiedEpisode.of(replay(env, read_line(text, submission)))

        simulate()
        verify()
        pairs = [(seconds(simulate), seconds(verify)) for _ in range(RUNS)]
        bare_s, verified_s = bare_s + min(each[0] for each in pairs), verified_s + min(each[1] for each in pairs)
    return {"problem": problem, "entry": name, "episodes": episodes, "bare_s": bare_s, "verified_s": verified_s}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", help="name; may be given again (default: mini, day)")
    parser.add_argument("--entry", action="append", help=f"name; may be given again (default: {', '.join(ENTRIES)})")
    parser.add_argument("--episodes", type=int, default=3, help="of each entry")
    parser.add_argument("--board", type=Path, default=Path("leaderboard"))
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    board, rows = Board(given.board), []
    for problem in given.problem or ("mini", "day"):
        for name in given.entry or ENTRIES:
            row = measured(board, problem, name, given.episodes)
            rows.append({**row, "ratio": row["verified_s"] / row["bare_s"]})
            n = row["episodes"]
            print(
                f"{problem}, {name}: {1e3 * row['bare_s'] / n:.0f} ms an episode simulated, {1e3 * row['verified_s'] / n:.0f} ms "
                f"verified, ratio {rows[-1]['ratio']:.3f}",
                flush=True,
            )
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        fail(explanation(error))
