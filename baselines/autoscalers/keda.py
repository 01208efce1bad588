"""Scaling by the length of a queue, as KEDA does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.autoscalers.tracking import LONGEST_S, MOST_TARGET, STABILISATION_S, Behaviour, Counts, Follower, Reals
from sageserve_env.evaluation.ranges import Range
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require_choice, require_within

METRICS = ("requests", "waiting", "waiting-tokens")
"""Backlogs: requests waiting and running at the endpoint; waiting alone; the prompt tokens of those waiting."""


@dataclass
class KedaPolicy:
    """Instances in proportion to the backlog: desired = ceil(backlog / target).

    An endpoint whose backlog has not been above ``activation`` for ``cool_down_s`` goes to the least number of instances. The
    backlog is read at each control instant; falls wait for the stabilisation window, as in Kubernetes, which KEDA drives.

    Attributes:
        metric: One of ``METRICS``.
        target: Backlog that one instance is to have, above 0.
        activation: Backlog up to which an endpoint is idle, 0 or more.
        cool_down_s: Seconds after which an idle endpoint is at the least, 0 to a day; KEDA: 300.
        niw_share: Share of the central NIW queue of the endpoint's region and model that counts, 0 to 1.
        min_instances: Least instances of an endpoint, at least the world's; None: the world's.
        stabilisation_s: Seconds whose greatest recommendation holds on the way in; Kubernetes: 300.
        most_added: Most instances that a decision adds to an endpoint; Kubernetes: 4 ...
        most_added_share: ... or this share of those there are, if that is more; Kubernetes: 1.
        admission_order: FCFS, EDF, PF or DPA.
    """

    name: ClassVar[str] = "keda"
    TUNABLE: ClassVar[dict[str, Range]] = {
        "target": Range(1.0, 1024.0, is_log=True),
        "cool_down_s": Range(0.0, 3600.0),
        "niw_share": Range(0.0, 1.0),
        "min_instances": Range(None, None, is_integer=True),
        "stabilisation_s": Range(0.0, 3600.0),
        "most_added": Range(1, 12, is_integer=True),
    }

    metric: str = "requests"
    target: float = 32.0
    activation: float = 0.0
    cool_down_s: float = 300.0
    niw_share: float = 0.0
    min_instances: int | None = None
    stabilisation_s: float = STABILISATION_S
    most_added: int = 4
    most_added_share: float = 1.0
    admission_order: str = "FCFS"
    _follower: Follower = field(init=False, repr=False, compare=False)
    _busy_s: Reals = field(init=False, repr=False, compare=False)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Check the options and begin.

        Raises:
            InputError: An option is out of its range.
        """
        require_choice("metric", self.metric, METRICS)
        require_within("target", self.target, 1e-6, MOST_TARGET, "a backlog")
        require_within("activation", self.activation, 0, MOST_TARGET, "a backlog")
        require_within("cool_down_s", self.cool_down_s, 0, LONGEST_S, "seconds")
        require_within("niw_share", self.niw_share, 0, 1, "a share")
        least = scenario.world.scaling.min_instances if self.min_instances is None else self.min_instances
        behaviour = Behaviour(self.stabilisation_s, self.most_added, self.most_added_share)
        self._follower = Follower(scenario.world, behaviour, least, self.admission_order)
        self._busy_s = np.zeros(len(self._follower.knobs.floor))

    def decide(self, telemetry: Telemetry) -> Knobs:
        """Follow the backlog."""
        backlog = self._backlog(telemetry)
        self._busy_s[backlog > self.activation] = telemetry.now_s
        is_idle = telemetry.now_s - self._busy_s >= self.cool_down_s
        wanted: Counts = np.ceil(backlog / self.target - 1e-9).astype(np.int64)  # rounding must not ask for one more
        return self._follower.follow(telemetry, np.where(is_idle & (backlog <= self.activation), 0, np.maximum(wanted, 1)))

    def _backlog(self, telemetry: Telemetry) -> Reals:
        """What waits for each endpoint, shape (N,)."""
        is_tokens = self.metric == "waiting-tokens"
        central = telemetry.queued_tokens if is_tokens else telemetry.queued
        pools = len(telemetry.pool) // central.size  # that share a region's central queue of a model
        here = (telemetry.waiting_tokens if is_tokens else telemetry.waiting).sum(axis=1)
        if self.metric == "requests":
            here = here + telemetry.running.sum(axis=1)
        return here + self.niw_share / pools * central[telemetry.region, telemetry.model]
