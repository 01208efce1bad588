"""Where episodes of an evaluation are played: a seat has an environment and the anchors, and plays one at a time."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from queue import SimpleQueue
from typing import Any

import sageserve_env
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.play.anchors import Anchors
from sageserve_env.evaluation.locked.play.episode import Row, play_locked
from sageserve_env.evaluation.locked.protocol import (
    PROTOCOL,
    SPLIT,
    Episode,
    Limits,
    dynamics_digest,
    held_out,
    problem_digest,
)
from sageserve_env.evaluation.locked.wall.patience import patience_s
from sageserve_env.evaluation.locked.wall.process import PolicyProcess
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.scenarios import Problem

FORMAT = 1


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
        awake_s: Seconds for which it waits awake for a decision, and the policy for its turn.
    """

    def __init__(self, job: Job, awake_s: float = 0.0) -> None:
        self._job, self._awake_s = job, awake_s
        self._env = environment(job.known, job.entrant, job.problem)
        self._anchors = Anchors.of(self._env) if job.has_anchors else None
        self._beginning = ThreadPoolExecutor(1)
        self._next = self._begin()

    def play(self, episode: Episode) -> Row:
        """Play an episode, and the anchors in it where they are wanted."""
        job, process, self._next = self._job, self._next.result(), self._begin()
        row = play_locked(self._env, job.entrant, job.known, episode, job.limits, job.is_bound, process=process)
        return row if self._anchors is None else replace(row, anchors=self._anchors.of_episode(self._env, episode))

    def _begin(self) -> Future[PolicyProcess]:
        """Begin a process that waits for an episode."""
        return self._beginning.submit(PolicyProcess, self._job.entrant, self._job.limits, self._awake_s)

    def close(self) -> None:
        """Stop the environment's threads, and the process that waits."""
        self._env.close()
        self._next.result().close()
        self._beginning.shutdown()


def play_here(job: Job, episodes: list[Episode], workers: int) -> Generator[Row, None, None]:
    """Play episodes in this process, a thread for each seat; gives their rows as they are done.

    Args:
        job: Of whom.
        episodes: Which.
        workers: Episodes at a time.
    """
    made = [Seat(job, patience_s(workers)) for _ in range(min(workers, max(len(episodes), 1)))]
    seats: SimpleQueue[Seat] = SimpleQueue()
    for seat in made:
        seats.put(seat)

    def play(episode: Episode) -> Row:
        seat = seats.get()
        try:
            return seat.play(episode)
        finally:
            seats.put(seat)

    with ThreadPoolExecutor(len(made)) as pool:
        try:
            for future in as_completed([pool.submit(play, episode) for episode in episodes]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
            for seat in made:
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
