"""What a policy did is done again, without the policy: the numbers are those of this run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.actions import ACTION, Said, knobs_of, unpacked
from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.play.measured import measured
from sageserve_env.evaluation.locked.protocol import SPLIT, rolled
from sageserve_env.evaluation.locked.result.logs import Logged
from sageserve_env.evaluation.problems.episodes import episode_score
from sageserve_env.leaderboard.finding import Refused
from sageserve_env.scenarios import Problem

ACTS = ("action_mode", "max_delta")
"""What of a view changes what an action does; the rest is how the policy saw, and nobody looks now."""


@dataclass(frozen=True)
class Job:
    """An episode to play again.

    Attributes:
        entry: Name of the submission.
        line: What its policy did.
        view: What it chose of the environment.
        problem: The problem.
    """

    entry: str
    line: Logged
    view: dict[str, Any]
    problem: Problem

    @property
    def stage(self) -> tuple[Any, ...]:
        """Jobs of one stage can take turns in one environment."""
        return self.line.env, *((name, self.view[name]) for name in ACTS if name in self.view)


def environment(job: Job) -> FleetEnv:
    """The environment of a job.

    Raises:
        Refused: There is no such view.
    """
    try:
        return FleetEnv(problem=job.problem, split=SPLIT, **{name: job.view[name] for name in ACTS if name in job.view})
    except InputError as error:
        raise Refused("view", str(error)) from None


def replay(env: FleetEnv, line: Logged) -> Row:
    """Play an episode by its log.

    Raises:
        Refused: An action cannot be carried out, there are too few or too many, or something else came of them.
    """
    begun_s, terms = time.perf_counter(), []
    env.reset(seed=line.seed, options=line.episode)
    steps, is_over = unpacked(line.log), False
    for number, said in enumerate(steps):
        if is_over:
            raise Refused(
                "steps", f"the episode is over after {number} decisions, and the log has {len(steps)}; keep what was written"
            )
        is_over, info = carry_out(env, said, number)
        terms.append([info[name] for name in TERMS])
    if not is_over:
        raise Refused("steps", f"the episode is not over after the {len(steps)} decisions of the log; keep what was written")
    if rolled(terms) != line.outcomes:
        raise Refused(
            "outcomes", "what comes of its actions has another digest than it gives; keep what was written, or evaluate anew"
        )
    score = episode_score(env)
    times = {"wall_s": time.perf_counter() - begun_s}
    return Row(line.episode, line.steps, score.is_overfull, dict(score.terms), measured(env), line.actions, line.outcomes, times)


def carry_out(env: FleetEnv, said: Said, number: int) -> tuple[bool, dict[str, Any]]:
    """Do what was decided: whether the episode is over, and the info.

    Raises:
        Refused: It cannot be done.
    """
    try:
        *_, is_over, info = env.step(said[ACTION]) if ACTION in said else env.follow(knobs_of(said))
    except InputError as error:
        raise Refused("log", f"decision {number} cannot be carried out ({error}); keep what was written") from None
    return is_over, info


Played = Row | Refused


def replay_all(jobs: Sequence[Job], workers: int, report: Callable[[int], None]) -> Iterator[tuple[Job, Played]]:
    """Play all jobs, some at a time; gives each with its row, or why there is none, as they are done.

    Args:
        jobs: In any order.
        workers: Episodes at a time.
        report: Told how many are done.
    """
    stages: dict[tuple[Any, ...], SimpleQueue[FleetEnv]] = {job.stage: SimpleQueue() for job in jobs}

    def play(job: Job) -> Played:
        free = stages[job.stage]
        try:
            env = taken(free) or environment(job)
        except Refused as refusal:
            return refusal
        try:
            return replay(env, job.line)
        except Refused as refusal:
            return refusal
        finally:
            free.put(env)

    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(play, job): job for job in jobs}
        for number, future in enumerate(as_completed(futures), 1):
            report(number)
            yield futures[future], future.result()


def taken(free: SimpleQueue[FleetEnv]) -> FleetEnv | None:
    """An environment that nobody uses; None where there is none."""
    try:
        return free.get_nowait()
    except Empty:
        return None
