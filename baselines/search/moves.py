"""Changes of a schedule, drawn at random: an instance more or less for a while, an edge moved, a piece merged, a knob turned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from baselines.search.player import Candidate
from baselines.search.schedule import PARTS, Room, Schedule, Targets

LONGEST_S = 10_800.0
"""Longest span of a change that is no piece of the schedule."""

MOST_SHIFT = 4
"""Most control intervals by which an edge moves."""

MOST_TURN = 8
"""Most parts of ``PARTS`` by which a knob turns."""

FEWER = 0.6
"""Probability that a change takes instances off: schedules come from policies that keep some in reserve."""


class Moves:
    """Draws changes of schedules.

    Args:
        room: What schedules may ask for.
        interval_s: Control interval.
        n_steps: Of an episode, S.
        tail_steps: Intervals after a change in which its effect is looked for.
        rng: Random numbers.
    """

    def __init__(self, room: Room, interval_s: float, n_steps: int, tail_steps: int, rng: np.random.Generator) -> None:
        self._room, self._n_steps, self._tail, self.rng = room, n_steps, tail_steps, rng
        self._longest = max(1, round(LONGEST_S / interval_s))
        self._fleets = np.flatnonzero(room.most > room.least)
        self._kinds = (self._bump, self._bump, self._piece, self._edge, self._edge, self._merge, self._group, self._swap)

    def draw(self, schedule: Schedule, count: int) -> list[Candidate]:
        """So many changes that can be played; fewer only where a schedule can hardly be changed."""
        found: list[Candidate] = []
        for _ in range(20 * count):
            if len(found) == count:
                break
            changed = self._change(schedule)
            if changed is not None:
                found.append(changed)
        return found

    def _change(self, schedule: Schedule) -> Candidate | None:
        kind = int(self.rng.integers(4 * len(self._kinds) + 1))
        if kind == 4 * len(self._kinds) or not self._fleets.size:
            return self._turn(schedule)
        targets = schedule.targets.astype(np.int64)
        self._kinds[kind % len(self._kinds)](targets)
        differs = (targets != schedule.targets).any(axis=1)
        if not differs.any() or not self._room.holds(targets[differs]):
            return None
        first, end = int(differs.argmax()), self._n_steps - int(differs[::-1].argmax())
        changed = replace(schedule, targets=targets.astype(np.int16))
        return Candidate(changed, first, end, min(self._n_steps, end + self._tail))

    def _bump(self, targets: NDArray[np.int64]) -> None:
        """Some instances more or fewer of a fleet for a while."""
        first, end = self._span()
        targets[first:end, self._fleet()] += self._some()

    def _piece(self, targets: NDArray[np.int64]) -> None:
        """The same for a whole piece of the schedule."""
        fleet = self._fleet()
        first, end = self._piece_of(targets[:, fleet])
        targets[first:end, fleet] += self._some()

    def _edge(self, targets: NDArray[np.int64]) -> None:
        """An edge between two pieces comes sooner or later."""
        fleet = self._fleet()
        first, end = self._piece_of(targets[:, fleet])
        shift = int(self.rng.integers(1, MOST_SHIFT + 1))
        if self.rng.random() < 0.5 and first > 0:
            if self.rng.random() < 0.5:
                targets[max(first - shift, 0) : first, fleet] = targets[first, fleet]
            else:
                targets[first : min(first + shift, end), fleet] = targets[first - 1, fleet]
        elif end < self._n_steps:
            if self.rng.random() < 0.5:
                targets[end : end + shift, fleet] = targets[end - 1, fleet]
            else:
                targets[max(end - shift, first) : end, fleet] = targets[end, fleet]

    def _merge(self, targets: NDArray[np.int64]) -> None:
        """A piece takes the number of a neighbour."""
        fleet = self._fleet()
        first, end = self._piece_of(targets[:, fleet])
        if self.rng.random() < 0.5 and first > 0:
            targets[first:end, fleet] = targets[first - 1, fleet]
        elif end < self._n_steps:
            targets[first:end, fleet] = targets[end, fleet]

    def _group(self, targets: NDArray[np.int64]) -> None:
        """All fleets of a model move together for a while, as far as their bounds go."""
        first, end = self._span()
        mine = self._fleets[self._room.model[self._fleets] == self._room.model[self._fleet()]]
        moved = targets[first:end, mine] + self._some()
        targets[first:end, mine] = np.clip(moved, self._room.least[mine], self._room.most[mine])

    def _swap(self, targets: NDArray[np.int64]) -> None:
        """An instance of a model serves elsewhere for a while, on another type or in another region."""
        fleet = self._fleet()
        others = self._fleets[(self._room.model[self._fleets] == self._room.model[fleet]) & (self._fleets != fleet)]
        if others.size:
            first, end = self._span()
            targets[first:end, fleet] -= 1
            targets[first:end, others[self.rng.integers(others.size)]] += 1

    def _turn(self, schedule: Schedule) -> Candidate | None:
        """A model's routing threshold or one of its release levels; all of the episode is played anew."""
        model, knob = int(self.rng.integers(schedule.routing.size)), int(self.rng.integers(3))
        turn = int(self.rng.integers(1, MOST_TURN + 1)) * (1 if self.rng.random() < 0.5 else -1)
        routing, release = schedule.routing.copy(), schedule.release.copy()
        if knob == 0:
            routing[model] += turn
        else:
            release[model, knob - 1] += turn
        knobs = np.concatenate([routing, release.ravel()])
        if knobs.min() < 0 or knobs.max() > PARTS or (release[:, 1] > release[:, 0]).any():
            return None
        return Candidate(replace(schedule, routing=routing, release=release), 0, self._n_steps, self._n_steps)

    def _fleet(self) -> int:
        return int(self._fleets[self.rng.integers(self._fleets.size)])

    def _some(self) -> int:
        count = 1 + int(self.rng.random() < 0.15)
        return -count if self.rng.random() < FEWER else count

    def _span(self) -> tuple[int, int]:
        """A span of the episode; short ones are as likely as long ones."""
        length = round(self._longest ** self.rng.random())
        first = int(self.rng.integers(1 - length, self._n_steps))
        return max(first, 0), min(first + length, self._n_steps)

    def _piece_of(self, column: NDArray[np.int64] | Targets) -> tuple[int, int]:
        """The piece of equal numbers around a random interval."""
        here = int(self.rng.integers(self._n_steps))
        edges = np.flatnonzero(np.diff(column)) + 1
        first = int(edges[edges <= here].max(initial=0))
        return first, int(edges[edges > here].min(initial=self._n_steps))
