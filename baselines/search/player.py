"""Plays schedules of one episode side by side, each from the last snapshot before it departs from the schedule that is kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.search.schedule import Room, Schedule
from sageserve_env.env.config import Config
from sageserve_env.env.core import Engine, RowSnapshot
from sageserve_env.env.rewards import TERMS
from sageserve_env.env.setup import Setup
from sageserve_env.evaluation.problems.episodes import EpisodeScore
from sageserve_env.scenarios import Problem

LEAST_APART, MOST_SNAPSHOTS = 3, 96
"""Control intervals between two snapshots of the schedule that is kept, unless that gives more than so many."""

Sums = NDArray[np.float64]
"""Terms by the names of ``TERMS``, shape (T,)."""


@dataclass
class Course:
    """How an episode went under a schedule.

    Attributes:
        schedule: The schedule.
        sums: Terms from the start up to each control instant, shape (S + 1, T).
        snapshots: By control instant.
        is_overfull: Whether it ended early.
    """

    schedule: Schedule
    sums: Sums
    snapshots: dict[int, RowSnapshot]
    is_overfull: bool = False

    @property
    def score(self) -> EpisodeScore:
        """What it is worth."""
        return score_of(self.sums[-1], self.is_overfull)

    def before(self, step: int) -> int:
        """The last instant with a snapshot, up to a step."""
        return max(at for at in self.snapshots if at <= step)


@dataclass(frozen=True)
class Candidate:
    """A schedule that departs from the kept one in intervals ``first`` to ``end`` - 1, to be played up to instant ``until``."""

    schedule: Schedule
    first: int
    end: int
    until: int


class Player:
    """Plays schedules of one episode.

    Args:
        problem: What to play.
        split: Whose episode.
        options: Of the episode.
        seed: Of the episode, as of ``reset``.
        width: Schedules side by side; changes no result.
        horizon_s: Seconds of the episode; None: the problem's.

    Raises:
        InputError: There is no such episode.
    """

    def __init__(
        self, problem: Problem, split: str, options: dict[str, Any], seed: int, width: int, horizon_s: float | None = None
    ) -> None:
        self.setup = Setup(Config(problem=problem, split=split, action_mode="knobs", horizon_s=horizon_s))
        self.world, self.n_steps = self.setup.world, self.setup.n_steps
        self.room = Room.of(self.world)
        self.episode = self.setup.sample(np.random.default_rng(seed), options)
        self._n_endpoints = len(self.room.least) // len(self.world.vm_types)
        self._engine = Engine(self.setup.settings, width, os.cpu_count() or 1)
        self._width = width
        self._apart = max(LEAST_APART, self.n_steps // MOST_SNAPSHOTS)
        chosen = self.episode
        self._engine.begin(0, chosen.workload, chosen.workload_seed, chosen.week_start_s, chosen.initial_instances)
        self._begin = self._engine.snapshot(0)

    def play(
        self, schedules: Sequence[Schedule], kept: Course | None = None, first: int = 0, *, keeps: bool = True
    ) -> list[Course]:
        """Play schedules to the end.

        Args:
            schedules: Schedules.
            kept: One that they all agree with in the intervals before ``first``.
            first: Where they depart from it.
            keeps: Whether to take snapshots on the way.
        """
        courses = []
        for start in range(0, len(schedules), self._width):
            courses += self._play_batch(schedules[start : start + self._width], kept, first, keeps)
        return courses

    def try_out(self, candidates: Sequence[Candidate], kept: Course) -> Sums:
        """What each candidate adds to the kept schedule's terms up to its ``until``, shape (C, T); infinite dollars if overfull."""
        changes = [self._try_batch(candidates[k : k + self._width], kept) for k in range(0, len(candidates), self._width)]
        return np.concatenate(changes)

    def close(self) -> None:
        """Stop the threads."""
        self._engine.close()

    def _play_batch(self, schedules: Sequence[Schedule], kept: Course | None, first: int, keeps: bool) -> list[Course]:
        start = 0 if kept is None else kept.before(first)
        sums = np.zeros((len(schedules), self.n_steps + 1, len(TERMS)))
        courses = []
        for row, schedule in enumerate(schedules):
            snapshots = {0: self._begin}
            if kept is not None:
                snapshots = {at: snapshot for at, snapshot in kept.snapshots.items() if at <= start}
                sums[row, : start + 1] = kept.sums[: start + 1]
            courses.append(Course(schedule, sums[row], snapshots))
            self._engine.restore(row, snapshots[start])
        actions = np.stack([each.actions(start, self.n_steps, self.room, self._n_endpoints) for each in schedules])
        overfull = np.zeros(len(schedules), np.bool_)
        for step in range(start, self.n_steps):
            terms, full = self._step(actions[:, step - start], ~overfull)
            sums[:, step + 1] = sums[:, step] + terms
            overfull |= full
            if keeps and (step + 1) % self._apart == 0 and step + 1 < self.n_steps:
                for row in np.flatnonzero(~overfull).tolist():
                    courses[row].snapshots[step + 1] = self._engine.snapshot(row)
        for course, is_overfull in zip(courses, overfull.tolist(), strict=True):
            course.is_overfull = is_overfull
        return courses

    def _try_batch(self, candidates: Sequence[Candidate], kept: Course) -> Sums:
        starts = [kept.before(each.first) for each in candidates]
        until = np.array([each.until for each in candidates])
        actions, now = [], np.array(starts)
        for row, (each, start) in enumerate(zip(candidates, starts, strict=True)):
            self._engine.restore(row, kept.snapshots[start])
            actions.append(each.schedule.actions(start, each.until, self.room, self._n_endpoints))
        added = np.zeros((len(candidates), len(TERMS)))
        overfull = np.zeros(len(candidates), np.bool_)
        while (active := (now < until) & ~overfull).any():
            chosen = [actions[row][min(now[row], until[row] - 1) - starts[row]] for row in range(len(candidates))]
            terms, full = self._step(np.array(chosen), active)
            added += terms
            overfull |= full
            now += active
        added -= [kept.sums[each.until] - kept.sums[start] for each, start in zip(candidates, starts, strict=True)]
        added[overfull, TERM_VM_USD] = np.inf
        return added

    def _step(self, actions: NDArray[np.float64], active: NDArray[np.bool_]) -> tuple[Sums, NDArray[np.bool_]]:
        """Step the first rows; returns the terms of those that moved, and which of them are overfull."""
        n = len(actions)
        all_actions = np.zeros((self._width, actions.shape[1]))
        all_actions[:n] = actions
        is_active = np.zeros(self._width, np.bool_)
        is_active[:n] = active
        self._engine.step(all_actions, is_active)
        terms = np.where(active[:, None], self._engine.rows["terms"][:n], 0.0)
        return terms, active & (self._engine.rows["row"]["is_overfull"][:n] == 1)


TERM_VM_USD = list(TERMS).index("vm_usd")


def score_of(sums: Sums, is_overfull: bool = False) -> EpisodeScore:
    """The score of summed terms."""
    return EpisodeScore(dict(zip(TERMS, sums.tolist(), strict=True)), is_overfull)
