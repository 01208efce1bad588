"""A test day played again from its log, with time series of what happened in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.evaluation.locked.protocol import SPLIT
from sageserve_env.evaluation.runs.series import Sampler, Series
from sageserve_env.leaderboard.finding import Refused
from sageserve_env.leaderboard.replay import ACTS, Job, replay
from sageserve_env.sim.knobs import Knobs
from sageserve_env.sim.readout.measure import RunningSums, read_running_sums
from sageserve_env.world.schema import World

MOST_SAMPLES = 336
"""Of a replay: a week by the half hour."""


@dataclass(frozen=True)
class Recording:
    """What happened in an episode.

    Attributes:
        world: Where.
        week_start_s: Seconds from Monday 00:00 to its start.
        series: See :class:`sageserve_env.evaluation.runs.series.Sampler`.
        spent: Sums of ``rewards.TERMS`` up to each sample, shape (samples,) each.
    """

    world: World
    week_start_s: float
    series: Series
    spent: dict[str, NDArray[np.float64]]


class RecordingEnv(FleetEnv):
    """An environment that samples what happens in it.

    Args:
        config: As of ``FleetEnv``.
    """

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self._every = math.ceil(self.setup.n_steps / MOST_SAMPLES)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Draw an episode and start it."""
        begun = super().reset(seed=seed, options=options)
        self._sampler, self._steps = Sampler(self.setup.world, self), 0
        self._totals: list[list[float]] = []
        return begun

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act, and simulate to the next control instant."""
        return self._sampled(super().step(action))

    def follow(self, knobs: Knobs) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """The same under knobs."""
        return self._sampled(super().follow(knobs))

    def running_sums(self) -> RunningSums:
        """Sums of the episode so far, for the sampler."""
        return read_running_sums({name: array[0] for name, array in self._engine.state.items()}, self.spending())

    def recording(self) -> Recording:
        """What happened since the reset."""
        spent = dict(zip(TERMS, np.array(self._totals).T, strict=True))
        return Recording(self.setup.world, self.episode.week_start_s, self._sampler.columns(), spent)

    def _sampled(self, outcome: tuple[Any, float, bool, bool, dict[str, Any]]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        if self._steps % self._every == 0 or outcome[3]:
            self._sampler.sample(self, self.telemetry())
            self._totals.append([self.episode_terms[name] for name in TERMS])
        return outcome


def record(job: Job) -> Recording:
    """Play an episode again and tell what happened.

    Raises:
        InputError: The log is not what it was when the board was verified.
    """
    env = RecordingEnv(problem=job.problem, split=SPLIT, **{name: job.view[name] for name in ACTS if name in job.view})
    try:
        replay(env, job.line)
        return env.recording()
    except Refused as refusal:
        place = f"submissions/{job.entry}: {job.line.env}, day {job.line.day}, variant {job.line.variant}"
        raise type(refusal)(refusal.kind, f"{place}: {refusal}; run sageserve leaderboard verify") from None
    finally:
        env.close()


def record_all(jobs: Sequence[Job], workers: int, report: Callable[[int, int], None]) -> Iterator[tuple[Job, Recording]]:
    """Play episodes again, some at a time; gives each as it is done.

    Args:
        jobs: In any order.
        workers: Episodes at a time.
        report: Told how many are done, and how many there are.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(record, job): job for job in jobs}
        try:
            for number, future in enumerate(as_completed(futures), 1):
                report(number, len(jobs))
                yield futures.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)
