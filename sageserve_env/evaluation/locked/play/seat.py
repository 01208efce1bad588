"""Where episodes of an evaluation are played: a seat has an environment and the anchors, and plays one at a time.

While the policy at one seat thinks, in its process, the episode at another goes on: so the wall between them costs little time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from queue import SimpleQueue
from threading import Event
from typing import Any

import sageserve_env
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.play.anchors import Anchors
from sageserve_env.evaluation.locked.play.episode import Playing, Row, finished, playing
from sageserve_env.evaluation.locked.protocol import (
    PROTOCOL,
    SPLIT,
    Episode,
    Limits,
    dynamics_digest,
    held_out,
    problem_digest,
)
from sageserve_env.evaluation.locked.wall.process import PolicyProcess
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.scenarios import Problem

FORMAT = 1

IN_TURN = 2
"""Episodes that a worker plays in turn: while one is simulated, the policy of the other decides."""


@dataclass(frozen=True)
class Job:
    """What is evaluated on what.

    Attributes:
        entrant: Who.
        known: What the policy says of itself.
        problem: What is played.
        limits: Of the policy's time.
        is_bound: The policy is shown the traffic to come.
        has_anchors: The anchors are played, too.
    """

    entrant: Entrant
    known: Described
    problem: Problem
    limits: Limits
    is_bound: bool
    has_anchors: bool = True

    def head(self) -> dict[str, Any]:
        """What decides the numbers, as it is on this machine."""
        policy = {"given": self.entrant.text, "digest": self.entrant.digest, "is_bound": self.is_bound, **asdict(self.known)}
        return {
            "format": FORMAT,
            "protocol": PROTOCOL,
            "package": sageserve_env.__version__,
            "env": self.problem.id,
            "problem": self.problem.name,
            "problem_digest": problem_digest(self.problem),
            "dynamics_digest": dynamics_digest(self.problem),
            "split": SPLIT,
            "episode_seed": EPISODE_SEED,
            "held_out": len(held_out(self.problem)),
            "limits": asdict(self.limits),
            "policy": policy,
        }


class Seat:
    """Plays episodes of a job, one at a time; the process of the next begins meanwhile, as that takes as long as many decisions.

    Args:
        job: Of whom.
        has_core: Whether those who wait have a core to spare.
    """

    def __init__(self, job: Job, has_core: bool = False) -> None:
        self._job, self._has_core = job, has_core
        self._env = environment(job.known, job.entrant, job.problem)
        self._anchors = Anchors.of(self._env) if job.has_anchors else None
        self._aside = ThreadPoolExecutor(1)
        self._next = self._begin()

    def play(self, episode: Episode) -> Row:
        """Play an episode, and the anchors in it where they are wanted."""
        return finished(self.playing(episode))

    def playing(self, episode: Episode) -> Playing:
        """Play an episode, and stop where the policy thinks."""
        job, process, self._next = self._job, self._next.result(), self._begin()
        try:
            row = yield from playing(self._env, process, job.known, episode, job.limits, job.is_bound)
        finally:
            self._aside.submit(process.close)
        return row if self._anchors is None else replace(row, anchors=self._anchors.of_episode(self._env, episode))

    def _begin(self) -> Future[PolicyProcess]:
        """Begin a process that waits for an episode."""
        return self._aside.submit(PolicyProcess, self._job.entrant, self._has_core)

    def close(self) -> None:
        """Stop the environment's threads, and the process that waits."""
        self._env.close()
        self._next.result().close()
        self._aside.shutdown()


def play_here(job: Job, episodes: list[Episode], workers: int) -> Generator[Row, None, None]:
    """Play episodes in this process, a thread for each worker; gives their rows as they are done.

    Args:
        job: Of whom.
        episodes: Which.
        workers: Episodes that are simulated at a time.
    """
    waiting, rows, is_stopped = iter(episodes), SimpleQueue[Row | None](), Event()
    n_workers = min(workers, max(len(episodes), 1))
    n_seats, has_core = min(IN_TURN * n_workers, len(episodes)), 2 * n_workers <= (os.cpu_count() or 1)

    def work(worker: int) -> None:
        seats = [Seat(job, has_core) for _ in range(worker, n_seats, n_workers)]
        for row in play_in_turn(seats, waiting, is_stopped):
            rows.put(row)

    with ThreadPoolExecutor(n_workers) as pool:
        try:
            working = [pool.submit(work, worker) for worker in range(n_workers)]
            for each in working:
                each.add_done_callback(lambda _: rows.put(None))
            for _ in working:
                yield from iter(rows.get, None)
                for each in working:
                    if each.done():
                        each.result()  # raises what it raised
        finally:
            is_stopped.set()


def play_in_turn(seats: list[Seat], waiting: Iterator[Episode], is_stopped: Event) -> Iterator[Row]:
    """Play episodes at several seats, from one decision to the next here and then there; gives their rows as they are done.

    Args:
        seats: They are closed here.
        waiting: Episodes that nobody plays yet; others may take of them, too.
        is_stopped: Set when what is left is to be left alone.
    """
    free, under_way = list(seats), deque[tuple[Seat, Playing]]()
    try:
        while not is_stopped.is_set():
            while free and (episode := next(waiting, None)) is not None:
                seat = free.pop()
                under_way.append((seat, seat.playing(episode)))
            if not under_way:
                return
            seat, course = under_way.popleft()
            try:
                next(course)
                under_way.append((seat, course))
            except StopIteration as end:
                free.append(seat)
                yield end.value
    finally:
        for _, course in under_way:
            course.close()
        for seat in seats:
            seat.close()


def environment(known: Described, entrant: Entrant, problem: Problem) -> FleetEnv:
    """The environment of an evaluation: the problem as it is, in the agent's view.

    Raises:
        InputError: The view has a value that there is not.
    """
    try:
        return FleetEnv(problem=problem, split=SPLIT, **known.view)
    except InputError as error:
        raise InputError(f"policy = '{entrant.text}': VIEW: {error}") from None
