"""The evaluation: every held-out episode once, in as many processes as wanted, from the file on as if it had never been stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.play.cluster import play_on_ray
from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.play.seat import Job, play_here
from sageserve_env.evaluation.locked.protocol import LIMITS, Episode, Limits, held_out
from sageserve_env.evaluation.locked.result.logs import log_file, logged, with_logs, write_logs
from sageserve_env.evaluation.locked.result.record import Evaluation, read_evaluation, require_episodes, require_same_head
from sageserve_env.evaluation.locked.wall.process import PolicyFailure, PolicyProcess
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.scenarios import Problem
from sageserve_env.world.checks import require_choice, require_count

MOST_WORKERS = 4096

Play = Callable[[Job, Iterable[tuple[Episode, int]], int], Generator[Row, None, None]]

ENGINES: dict[str, Play] = {"local": play_here, "ray": play_on_ray}
"""Who plays the episodes of a job, so many at a time, and gives their rows as they are done."""

Report = Callable[[Evaluation], None]
"""Called after every episode."""


def evaluate(
    entrant: Entrant,
    problem: Problem,
    *,
    episodes: int | None = None,
    out: Path | None = None,
    keeps_actions: bool = False,
    workers: int = 1,
    engine: str = "local",
    is_bound: bool = False,
    has_anchors: bool = True,
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
        keeps_actions: Also write what the policy did, beside ``out``: see ``logs.py``.
        workers: Threads that simulate, or tasks of Ray at a time.
        engine: Where they are played: ``"local"``, in this process, or ``"ray"``, on the machines of a Ray cluster.
        is_bound: Show the policy the traffic to come; for installed policies that know the future.
        has_anchors: Also play what dollars are measured against; a leaderboard takes it from its own entries.
        limits: Of the policy's time.
        report: Told of every episode.

    Raises:
        InputError: The policy cannot be loaded, or knows the future and is no bound; a number is out of range; or the file is of
            another evaluation.
    """
    order = held_out(problem)
    require_count("episodes", len(order) if episodes is None else episodes, 1, len(order))
    require_count("workers", workers, 1, MOST_WORKERS)
    require_choice("engine", engine, list(ENGINES))
    if entrant.saved is not None:
        entrant.saved.require_env(problem.id)
    job = Job(entrant, introduced(entrant, limits, is_bound), problem, limits, is_bound, has_anchors)
    head = job.head()
    evaluation = Evaluation(head)
    if out is not None and out.exists():
        evaluation = read_evaluation(out)
        require_same_head(evaluation.head, head, out)
        require_episodes(evaluation, order, out)
        if keeps_actions:
            evaluation.rows = with_logs(evaluation.rows, log_file(out))
    done = [row.episode for row in evaluation.rows]
    left = [(episode, EPISODE_SEED) for episode in order[:episodes] if episode not in done]
    report(evaluation)
    with closing(ENGINES[engine](job, left, workers)) as rows:
        for row in rows:
            evaluation.add(row, order)
            if out is not None:
                write(evaluation, out, keeps_actions, is_under_way=True)
            report(evaluation)
    if out is not None:
        write(evaluation, out, keeps_actions)
    return evaluation


def write(evaluation: Evaluation, out: Path, keeps_actions: bool, is_under_way: bool = False) -> None:
    """Write the result, after the actions that it must not be without."""
    if keeps_actions:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_logs(log_file(out), (logged(evaluation.head, row) for row in evaluation.rows if row.failure is None))
    evaluation.write(out, is_under_way)


def introduced(entrant: Entrant, limits: Limits, is_bound: bool) -> Described:
    """What a policy says of itself, in a process that plays nothing.

    Raises:
        InputError: It cannot be loaded, or does not suit the evaluation.
    """
    process = PolicyProcess(entrant)
    try:
        process.ask(limits.start_s, "load")
        known = process.described()
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
