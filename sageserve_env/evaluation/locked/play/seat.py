"""Where episodes of an evaluation are played: a seat has a fleet and the anchors, and plays one at a time beside the others."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import sageserve_env
from sageserve_env.env.fleets import Fleet, Fleets
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.play.anchors import Anchors
from sageserve_env.evaluation.locked.play.episode import Row, loading, playing
from sageserve_env.evaluation.locked.play.together import TURNS, Playing, together
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

SMALL_ENDPOINTS = 6
"""In worlds of up to so many, two fleets for each thread take a turn: Mini's episodes take less time so, Day's more."""


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
    """Plays episodes of a job in one fleet; the process of the next begins meanwhile, as that takes as long as many decisions.

    Args:
        job: Of whom.
        fleet: Where.
        anchors: Of the problem, or None.
        has_core: Whether policies that wait have a core to spare.
    """

    def __init__(self, job: Job, fleet: Fleet, anchors: Anchors | None, has_core: bool) -> None:
        self._job, self._fleet, self._anchors, self._has_core = job, fleet, anchors, has_core
        self._aside = ThreadPoolExecutor(1)
        self._next = self._begin()

    def playing(self, episode: Episode, seed: int) -> Playing[Row]:
        """Play an episode, and the anchors in it where they are wanted."""
        job, process, self._next = self._job, self._next.result(), self._begin()
        try:
            row = yield from playing(self._fleet, process, job.known, episode, job.limits, job.is_bound, seed)
        finally:
            self._aside.submit(process.close)
        if self._anchors is None:
            return row
        return replace(row, anchors=(yield from self._anchors.playing(self._fleet, episode)))

    def _begin(self) -> Future[PolicyProcess]:
        """Begin a process that waits for an episode."""
        return self._aside.submit(loading, self._job.entrant, self._job.limits, self._has_core)

    def close(self) -> None:
        """End the process that waits."""
        self._next.result().close()
        self._aside.shutdown()


class Seats:
    """Plays episodes of a job side by side.

    Args:
        job: Of whom.
        n: Episodes at a time.
        n_threads: Threads that simulate.
    """

    def __init__(self, job: Job, n: int, n_threads: int) -> None:
        self._fleets = fleets_of(job, n, n_threads)
        anchors = Anchors.of(self._fleets.setup) if job.has_anchors else None
        has_core = n_threads < (os.cpu_count() or 1)
        self._seats = [Seat(job, fleet, anchors, has_core) for fleet in self._fleets.each]

    def play(self, episodes: Iterable[tuple[Episode, int]]) -> Generator[Row, None, None]:
        """Play episodes, each with the seed of its ``reset``; gives their rows as they are done."""
        return together(self._fleets, (self._playing(*each) for each in episodes))

    def _playing(self, episode: Episode, seed: int) -> Playing[Row]:
        """Play an episode at a seat that is free."""
        seat = self._seats.pop()
        try:
            return (yield from seat.playing(episode, seed))
        finally:
            self._seats.append(seat)

    def close(self) -> None:
        """Stop the threads, and the processes that wait; no episode is under way."""
        self._fleets.close()
        for seat in self._seats:
            seat.close()


def play_here(job: Job, episodes: Iterable[tuple[Episode, int]], workers: int) -> Generator[Row, None, None]:
    """Play episodes in this process; gives their rows as they are done.

    Args:
        job: Of whom.
        episodes: Which, each with the seed of its ``reset``.
        workers: Threads that simulate.
    """
    wanted = list(episodes)
    if not wanted:
        return
    in_a_turn = workers * (2 if job.problem.world().n_endpoints <= SMALL_ENDPOINTS else 1)
    seats = Seats(job, min(TURNS * in_a_turn, len(wanted)), workers)
    try:
        yield from seats.play(wanted)
    finally:
        seats.close()


def fleets_of(job: Job, n: int, n_threads: int = 1) -> Fleets:
    """Fleets of an evaluation: the problem as it is, in the agent's view.

    Raises:
        InputError: The view has a value that there is not.
    """
    try:
        return Fleets(n, n_threads, problem=job.problem, split=SPLIT, **job.known.view)
    except InputError as error:
        raise InputError(f"policy = '{job.entrant.text}': VIEW: {error}") from None
