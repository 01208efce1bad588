"""What both autoscalers share: how a count of instances follows its recommendations. Arrays are by endpoint, shape (N,)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from baselines.fleet import placed, require_least
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require_count, require_within
from sageserve_env.world.schema import World
from sageserve_env.world.vms import region_capacity

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]

LONGEST_S = 86_400.0
MOST_ADDED = 10_000
MOST_SHARE = 1000.0
MOST_TARGET = 1e12

STABILISATION_S = 300.0
"""Kubernetes' default window of the way in."""


@dataclass(frozen=True)
class Behaviour:
    """Limits on how fast a count may change, as in the field ``behavior`` of a HorizontalPodAutoscaler.

    Attributes:
        stabilisation_s: A count falls to the greatest recommendation of so many seconds, 0 to a day.
        most_added: Instances that one decision may add to an endpoint, at least 1 ...
        most_added_share: ... or this share of those that there are, if that is more; 0 or more.

    Raises:
        InputError: A value is out of its range.
    """

    stabilisation_s: float
    most_added: int
    most_added_share: float

    def __post_init__(self) -> None:
        require_within("stabilisation_s", self.stabilisation_s, 0, LONGEST_S, "seconds")
        require_count("most_added", self.most_added, 1, MOST_ADDED)
        require_within("most_added_share", self.most_added_share, 0, MOST_SHARE, "a share")


@dataclass
class Follower:
    """Turns recommendations into knobs whose floor and cap are the same: nothing else moves the fleet.

    Attributes:
        world: What exists.
        behaviour: Limits.
        least: Least instances of an endpoint, not below the world's.
        admission_order: FCFS, EDF, PF or DPA.
        knobs: The world's, its starting fleet held.

    Raises:
        InputError: The least is below the world's, or there is no such order.
    """

    world: World
    behaviour: Behaviour
    least: int
    admission_order: str
    knobs: Knobs = field(init=False, repr=False)
    _seen: deque[tuple[float, Counts]] = field(init=False, repr=False, default_factory=deque)

    def __post_init__(self) -> None:
        require_least("min_instances", self.least, self.world)
        self._most = region_capacity(self.world)
        self.knobs = Knobs.static(self.world, self.admission_order).validated(self.world)

    def follow(self, telemetry: Telemetry, recommended: Counts) -> Knobs:
        """The knobs for a recommendation of now."""
        limits, now = self.behaviour, (telemetry.active + telemetry.provisioning).sum(axis=1)
        recommended = np.maximum(recommended, self.least)
        self._seen.append((telemetry.now_s, recommended))
        while self._seen[0][0] < telemetry.now_s - limits.stabilisation_s:
            self._seen.popleft()
        greatest = np.max([counts for _, counts in self._seen], axis=0)
        wanted = np.where(recommended < now, np.minimum(now, greatest), recommended)
        at_once = np.maximum(limits.most_added, np.ceil(limits.most_added_share * now).astype(np.int64))
        bounds = placed(telemetry, np.maximum(np.minimum(wanted, now + at_once), self.least), self._most)
        return replace(self.knobs, floor=bounds, cap=bounds)
