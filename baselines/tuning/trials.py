"""What options of a policy are worth: every episode of the validation split, played on as many processes as there are."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any

from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import hushed, load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.scenarios import Problem

SPLIT = "validation"

MOST_WORKERS = 256

Options = dict[str, Any]


@dataclass(frozen=True)
class Played:
    """One episode: dollars, how far the worst tier is below its level, and the share of each tier in time.

    ``refused`` says why the options could not be played at all; the numbers are 0 then.
    """

    usd: float
    shortfall: float
    attainment: dict[str, float]
    refused: str | None = None


class Evaluator:
    """Plays options of one policy on the validation episodes of a problem, the same for all.

    Args:
        policy: Name of the policy.
        problem: What to play.
        episodes: Options of the episodes.
        horizon_s: Seconds of each episode; None: the problem's.
        workers: Processes; 1 plays in this one.
    """

    def __init__(self, policy: str, problem: Problem, episodes: list[Options], horizon_s: float | None, workers: int) -> None:
        self._policy = policy
        self.env = FleetEnv(problem=problem, split=SPLIT, horizon_s=horizon_s)
        self.episodes = episodes
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (problem, horizon_s))

    def play(self, trials: Sequence[Options]) -> list[list[Played]]:
        """The episodes of each trial, in order; which process plays what changes nothing."""
        jobs = [(self._policy, options, episode) for options in trials for episode in self.episodes]
        played = [_play(self.env, *job) for job in jobs] if self._pool is None else list(self._pool.map(_play_in_worker, jobs))
        n = len(self.episodes)
        return [played[n * k : n * (k + 1)] for k in range(len(trials))]

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self.env.close()


def _play(env: FleetEnv, policy: str, options: Options, episode: Options) -> Played:
    """Play an episode; plans that cannot be met are the options' own fault, and not told."""
    try:
        with hushed():
            score = play_policy(env, load_policy(policy, **options), episode, EPISODE_SEED)
    except InputError as error:
        return Played(0.0, 0.0, {}, str(error))
    return Played(score.usd, score.shortfall, score.attainment)


_env: FleetEnv
"""Of a worker's process."""


def _begin_worker(problem: Problem, horizon_s: float | None) -> None:
    """Make a worker's environment; Ctrl-C is the parent's to see, and a worker ends with its parent, however that ends."""
    global _env
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    _env = FleetEnv(problem=problem, split=SPLIT, horizon_s=horizon_s)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _play_in_worker(job: tuple[str, Options, Options]) -> Played:
    return _play(_env, *job)
