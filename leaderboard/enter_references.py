"""Enter the canaries and the other reference policies: evaluate, pack, verify, pin.

``python leaderboard/enter_references.py --ids mini day --workers 2`` does it for two ids, without ``--ids`` for all.

It goes on where it was stopped: what ``runs/references`` holds of the present problems, options and plans is not played again, what
was entered of other ids stays, and after each id the board is verified and its tables are written, for which only rows that are new
or have changed are replayed. A policy whose package ships no options or plans for an id is left out there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sageserve_env.cli.errors import explanation, fail
from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import evaluate, introduced
from sageserve_env.evaluation.locked.play.seat import Job
from sageserve_env.evaluation.locked.protocol import LIMITS, held_out
from sageserve_env.evaluation.locked.result.logs import log_file
from sageserve_env.evaluation.locked.result.record import read_evaluation
from sageserve_env.evaluation.policy import is_tuned
from sageserve_env.evaluation.problems.card import TUNED, TUNED_ON
from sageserve_env.leaderboard.board import Board, Ground
from sageserve_env.leaderboard.canaries import ANCHOR, HINDSIGHT, NULLS, PINS, canaries
from sageserve_env.leaderboard.rules import canary_findings
from sageserve_env.leaderboard.sampling import Draw
from sageserve_env.leaderboard.submission.entry import read_entry
from sageserve_env.leaderboard.submission.pack import Evaluated, evaluated, write_submission
from sageserve_env.leaderboard.tables.tree import write_pins, write_tables
from sageserve_env.leaderboard.verify import verify
from sageserve_env.registration import IDS, problem_name

OTHERS = {
    "hpa": "hpa",
    "keda": "keda",
    "lt-i": "lt-i:forecaster=seasonal-naive",
    "lt-u": "lt-u:forecaster=seasonal-naive",
    "oracle": "oracle",
}
"""Installed policies by the names of their entries, beside the canaries."""

BOUNDS = (HINDSIGHT, "oracle")


@dataclass(frozen=True)
class Reference:
    """A policy of the package on an id: the name of its entry, and what ``--policy`` takes."""

    name: str
    policy: str

    @property
    def is_bound(self) -> bool:
        """Whether it knows the future."""
        return self.name in BOUNDS

    def about(self) -> dict[str, object]:
        """What its ``submission.yaml`` says."""
        is_tuned_one = self.name.endswith("-tuned")
        what = "does nothing of use, and may lead nothing" if self.name in NULLS else "is described in docs/policies.md"
        found = "found by sageserve search in each episode" if self.name == HINDSIGHT else "none"
        return {
            "who": "The sageserve-env authors",
            "team": "sageserve-env",
            "license": "MIT",
            "kind": "bound" if self.is_bound else "reference",
            "about": f"A policy of this package; it {what}.",
            "training_budget": "trials of sageserve tune, listed in baselines/tuned" if is_tuned_one else found,
            "tuned_on": "the validation split" if is_tuned_one else "the test episodes" if self.name == HINDSIGHT else "nothing",
            "seeds": [0] if is_tuned_one else [],
            "hidden": False,
        }


def references(ground: Ground) -> Iterator[Reference]:
    """All of them, of one id."""
    problem = ground.problem
    for canary in canaries(problem):
        yield Reference(canary.name, canary.policy)
    for name, policy in OTHERS.items():
        yield Reference(name, policy)
    tuned = TUNED_ON.get(problem.name, problem.name)
    for name in (name for name in TUNED if is_tuned(name, tuned) and f"{name}-tuned" not in (ANCHOR, "lt-ua-tuned")):
        yield Reference(f"{name}-tuned", f"{name}:tuned={tuned}")


def result_of(reference: Reference, ground: Ground, runs: Path, workers: int) -> Path:
    """Evaluate a policy, as far as it has not been; the result's file. One of another problem, options or plans is done anew."""
    problem, is_bound = ground.problem, reference.is_bound
    out = runs / problem.name / f"{reference.name}.json"
    entrant = Entrant.parse(reference.policy, lambda words: policy_options(words, None))
    if out.is_file() and not is_of_now(out, Job(entrant, introduced(entrant, LIMITS, is_bound), problem, LIMITS, is_bound)):
        out.unlink()
        log_file(out).unlink(missing_ok=True)
    evaluate(entrant, problem, out=out, keeps_actions=True, workers=workers, is_bound=is_bound, has_anchors=False)
    return out


def is_of_now(result: Path, job: Job) -> bool:
    """Whether a result is of the problem and the options as they are, and no older than the plans that it replays."""
    plans = job.entrant.options.get("file")
    is_newer = plans is None or Path(plans).stat().st_mtime < result.stat().st_mtime
    return is_newer and read_evaluation(result).head == json.loads(json.dumps(job.head()))


def entered_before(board: Board, name: str, but: str) -> Iterator[Evaluated]:
    """What an entry has of other ids, as they are now."""
    folder = board.submissions / name
    entry = read_entry(folder, board) if folder.is_dir() else None
    if entry is None or entry.submission is None:
        return
    for env, lines in entry.episodes.items():
        if env != but and entry.is_current(env, board):
            yield Evaluated(env, entry.submission.entries[env], entry.is_bound, lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; the exit status."""
    parser = argparse.ArgumentParser(description="Enter the canaries and the other reference policies.")
    parser.add_argument("--ids", nargs="+", default=list(IDS), metavar="ID", help="names or ids of problems; all by default")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these entries")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="episodes at a time")
    parser.add_argument("--board", type=Path, default=Path("leaderboard"), metavar="DIR")
    parser.add_argument("--runs", type=Path, default=Path("runs/references"), metavar="DIR", help="where results are kept")
    parser.add_argument("--pins", type=Path, default=PINS, metavar="FILE", help="where the canaries are pinned")
    given = parser.parse_args(arguments)
    board = Board(given.board, given.pins)
    by_id = {env: list(references(board.ground(env))) for env in (IDS[problem_name(each)] for each in given.ids)}
    known = {reference.name for each in by_id.values() for reference in each}
    if given.only is not None and not known.issuperset(given.only):
        parser.error(f"--only: {', '.join(sorted(set(given.only) - known))} is none here; choose from {', '.join(sorted(known))}")
    status = 0
    for env, found in by_id.items():
        for reference in found:
            if given.only is None or reference.name in given.only:
                print(f"{env}: {reference.name} ({reference.policy})", flush=True)
                enter(reference, board, env, given.runs, given.workers)
        status = finish(Board(given.board, given.pins), given.workers)
    return status


def enter(reference: Reference, board: Board, env: str, runs: Path, workers: int) -> None:
    """Enter a policy on an id, beside what it has entered of others; tell its failed episodes, and leave it out if all are."""
    ground = board.ground(env)
    try:
        found = evaluated(result_of(reference, ground, runs, workers))
        if not found.logs:
            raise InputError(f"{env}: it failed in every episode")
    except InputError as error:
        print(f"  left out: {error}", flush=True)
        return
    if failed := len(held_out(ground.problem)) - len(found.logs):
        print(f"  failed in {failed} episodes, which are not entered", flush=True)
    folder = board.submissions / reference.name
    write_submission(folder, reference.about(), [*entered_before(board, reference.name, env), found])


def finish(board: Board, workers: int) -> int:
    """Verify all, replay what is not as it was verified, write the tables, and pin the canaries; the exit status."""
    found = verify(board, workers=workers, draw=Draw(0))
    write_tables(board, found.tables)
    write_pins(board, found.tables)
    pinned = Board(board.root, board.pins)
    wrong = [each for each in found.findings if each.kind != "canary"]
    wrong += [each for env, table in found.tables.items() for each in canary_findings(pinned, env, table)]
    for each in wrong:
        print(each, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        fail(explanation(error))
