"""Episodes on the machines of a Ray cluster: each is a task that is done once, however often its machine is lost."""

from __future__ import annotations

import os
import pickle
from collections.abc import Generator, Iterable
from functools import lru_cache
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.play.seat import Job, Seats
from sageserve_env.evaluation.locked.protocol import Episode
from sageserve_env.extras import need

LOSSES = 10
"""How often the process of an episode may be lost; it is played anew each time, from the start."""

ADDRESS = "RAY_ADDRESS"
"""Where the cluster is, as Ray itself reads it; without it, one of this machine is begun."""


def play_on_ray(job: Job, episodes: Iterable[tuple[Episode, int]], workers: int) -> Generator[Row, None, None]:
    """Play episodes as tasks of Ray, each on one processor; gives their rows as they are done.

    Args:
        job: Of whom.
        episodes: Which, each with the seed of its ``reset``.
        workers: Episodes at a time.

    Raises:
        MissingExtra: Ray is not installed.
        InputError: There is no cluster, one of its machines has another version of the package, the problem or the policy, or
            lost an episode too often.
    """
    ray = need("ray", "ray", "--engine ray")
    was_there = ray.is_initialized()
    if not was_there:
        join(ray, workers)
    try:
        task = ray.remote(num_cpus=1, max_retries=LOSSES)(play_as_task)
        packed = ray.put(pickle.dumps((job, job.head())))
        waiting, running = list(reversed(list(episodes))), set[Any]()
        while waiting or running:
            while waiting and len(running) < workers:
                running.add(task.remote(packed, waiting.pop()))
            done, left = ray.wait(list(running))
            running = set(left)
            yield from (outcome(ray, each) for each in done)
    finally:
        if not was_there:
            ray.shutdown()


def join(ray: Any, workers: int) -> None:
    """Go to the cluster of the environment variable, or begin one of so many processes on this machine.

    Raises:
        InputError: There is none.
    """
    begins = {} if ADDRESS in os.environ else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(log_to_driver=False, **begins)
    except ConnectionError as error:
        raise InputError(f"--engine ray: no cluster at {ADDRESS} = '{os.environ.get(ADDRESS)}' ({error}); mend it") from None


def outcome(ray: Any, task: Any) -> Row:
    """The row of a task that is done.

    Raises:
        InputError: It could not be played.
    """
    try:
        row: Row = ray.get(task)
    except InputError as error:  # with the traceback of another machine
        raise InputError(str(getattr(error, "cause", error))) from None
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        told = str(error).splitlines()[0]
        raise InputError(f"--engine ray: an episode was lost {LOSSES} times ({told}); mend the cluster, and run it again") from None
    return row


def play_as_task(packed: bytes, given: tuple[Episode, int]) -> Row:
    """What a task of Ray does.

    Raises:
        InputError: This machine has not what the evaluation is of.
    """
    (row,) = seats(packed).play([given])
    return row


@lru_cache(maxsize=1)
def seats(packed: bytes) -> Seats:
    """The one seat of this process for a job, made for the first of its tasks that comes here.

    Raises:
        InputError: This machine has not what the evaluation is of.
    """
    job, wanted = pickle.loads(packed)
    try:
        found = job.head()
    except OSError:
        raise InputError(f"--engine ray: a machine of the cluster lacks '{job.entrant.source}'; put it on all of them") from None
    for name, value in wanted.items():
        if found[name] != value:
            raise InputError(f"--engine ray: a machine of the cluster has another {name}; install the same on all of them")
    return Seats(job, 1, 1)
