"""The evaluation: every held-out episode once, in as many processes as wanted, from the file on as if it had never been stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import sageserve_env
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.anchors import Anchors
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.episode import Row, play_locked
from sageserve_env.evaluation.locked.process import PolicyFailure, PolicyProcess
from sageserve_env.evaluation.locked.protocol import (
    LIMITS,
    PROTOCOL,
    SPLIT,
    Episode,
    Limits,
    dynamics_digest,
    held_out,
    problem_digest,
)
from sageserve_env.evaluation.locked.record import Evaluation, read_evaluation, require_episodes, require_same_head
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.scenarios import Problem
from sageserve_env.world.checks import require_count

FORMAT = 1

MOST_WORKERS = 256

Report = Callable[[Evaluation], None]
"""Called after every episode."""


def evaluate(
    entrant: Entrant,
    problem: Problem,
    *,
    episodes: int | None = None,
    out: Path | None = None,
    workers: int = 1,
    is_bound: bool = False,
    limits: Limits = LIMITS,
    report: Report = lambda evaluation: None,
) -> Evaluation:
    """Play a policy on the held-out episodes of a problem.

    The same policy gives the same file but for its times, in whatever number of workers and however often it was stopped.

    Args:
        entrant: Who.
        problem: What; its digest tells if it is not the registered one.
        episodes: Only so many, the first ones; None: all.
        out: The result's file, written after every episode; what it holds already is not played again.
        workers: Episodes at a time.
        is_bound: Show the policy the traffic to come; for installed policies that know the future.
        limits: Of the policy's time.
        report: Told of every episode.

    Raises:
        InputError: The policy cannot be loaded, or knows the future and is no bound; a number is out of range; or the file is of
            another evaluation.
    """
    order = held_out(problem)
    require_count("episodes", len(order) if episodes is None else episodes, 1, len(order))
    require_count("workers", workers, 1, MOST_WORKERS)
    if entrant.saved is not None:
        entrant.saved.require_env(problem.id)
    known = introduced(entrant, limits, is_bound)
    head = head_of(entrant, known, problem, limits, is_bound)
    evaluation = Evaluation(head)
    if out is not None and out.exists():
        evaluation = read_evaluation(out)
        require_same_head(evaluation.head, head, out)
        require_episodes(evaluation, order, out)
    done = [row.episode for row in evaluation.rows]
    left = [episode for episode in order[:episodes] if episode not in done]
    report(evaluation)
    with player(entrant, known, problem, limits, is_bound, min(workers, max(len(left), 1))) as play:
        for row in play(left):
            evaluation.add(row, order)
            if out is not None:
                evaluation.write(out)
            report(evaluation)
    return evaluation


def introduced(entrant: Entrant, limits: Limits, is_bound: bool) -> Described:
    """What a policy says of itself, in a process that plays nothing.

    Raises:
        InputError: It cannot be loaded, or does not suit the evaluation.
    """
    process = PolicyProcess(entrant, limits)
    try:
        known = process.load()
    except PolicyFailure as failure:
        if failure.is_ours:
            raise InputError(failure.message) from None
        raise InputError(f"policy = '{entrant.text}' cannot be loaded ({failure}); mend it, or name another") from None
    finally:
        process.close()
    if known.knows_future and not is_bound:
        raise InputError(f"policy = '{entrant.text}' knows the future (foresee): it is no entrant; evaluate it as a --bound")
    if is_bound and (not known.knows_future or entrant.class_name is not None):
        raise InputError(f"--bound: '{entrant.text}' is no installed policy that knows the future (foresee); leave it out")
    return known


def head_of(entrant: Entrant, known: Described, problem: Problem, limits: Limits, is_bound: bool) -> dict[str, Any]:
    """What decides the numbers."""
    return {
        "format": FORMAT,
        "protocol": PROTOCOL,
        "package": sageserve_env.__version__,
        "env": problem.id,
        "problem": problem.name,
        "problem_digest": problem_digest(problem),
        "dynamics_digest": dynamics_digest(problem),
        "split": SPLIT,
        "episode_seed": EPISODE_SEED,
        "held_out": len(held_out(problem)),
        "limits": asdict(limits),
        "policy": {"given": entrant.text, "digest": entrant.digest, "is_bound": is_bound, **asdict(known)},
    }


@contextmanager
def player(
    entrant: Entrant, known: Described, problem: Problem, limits: Limits, is_bound: bool, workers: int
) -> Iterator[Callable[[list[Episode]], Iterator[Row]]]:
    """Plays episodes, some at a time, each in an environment of its own; gives their rows as they are done."""
    envs: SimpleQueue[FleetEnv] = SimpleQueue()
    made = [environment(known, entrant, problem) for _ in range(workers)]
    for env in made:
        envs.put(env)
    anchors = Anchors.of(made[0])

    def play(episode: Episode) -> Row:
        env = envs.get()
        try:
            row = play_locked(env, entrant, known, episode, limits, is_bound)
            return row if anchors is None else replace(row, anchors=anchors.of_episode(env, episode))
        finally:
            envs.put(env)

    def play_all(episodes: list[Episode]) -> Iterator[Row]:
        for future in as_completed([pool.submit(play, episode) for episode in episodes]):
            yield future.result()

    with ThreadPoolExecutor(workers) as pool:
        try:
            yield play_all
        finally:
            pool.shutdown(cancel_futures=True)
            for env in made:
                env.close()


def environment(known: Described, entrant: Entrant, problem: Problem) -> FleetEnv:
    """The environment of an evaluation: the problem as it is, in the agent's view.

    Raises:
        InputError: The view has a value that there is not.
    """
    try:
        return FleetEnv(problem=problem, split=SPLIT, **known.view)
    except InputError as error:
        raise InputError(f"policy = '{entrant.text}': VIEW: {error}") from None
