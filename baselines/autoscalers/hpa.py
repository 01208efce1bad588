"""Target tracking as in Kubernetes' HorizontalPodAutoscaler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.autoscalers.tracking import MOST_TARGET, STABILISATION_S, Behaviour, Counts, Follower, Reals
from sageserve_env.errors import InputError
from sageserve_env.evaluation.ranges import Range
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require_within


@dataclass
class HpaPolicy:
    """Keeps metrics at their targets: desired = ceil(active x metric / target), the greatest over the metrics.

    Instances on their way count as if idle on the way out, and not at all on the way in, and a metric within the tolerance changes
    nothing: Kubernetes' rules. A decision is made at each control instant, not every 15 s.

    Attributes:
        target_utilization: Memory utilization to keep, above 0 to 1; None leaves the metric out.
        target_running: Running requests of an instance to keep, above 0; None leaves the metric out.
        tolerance: Relative distance from the target that changes nothing, 0 to 1; Kubernetes: 0.1.
        min_instances: Least instances of an endpoint, at least 1 and the world's least; None: these.
        stabilisation_s: Seconds whose greatest recommendation holds on the way in; Kubernetes: 300.
        most_added: Most instances that a decision adds to an endpoint; Kubernetes: 4 ...
        most_added_share: ... or this share of those there are, if that is more; Kubernetes: 1.
        admission_order: FCFS, EDF, PF or DPA.
    """

    name: ClassVar[str] = "hpa"
    TUNABLE: ClassVar[dict[str, Range]] = {
        "target_utilization": Range(0.05, 0.95),
        "target_running": Range(1.0, 1024.0, is_log=True),
        "min_instances": Range(None, None, is_integer=True),
        "stabilisation_s": Range(0.0, 3600.0),
        "most_added": Range(1, 12, is_integer=True),
    }

    target_utilization: float | None = 0.6
    target_running: float | None = None
    tolerance: float = 0.1
    min_instances: int | None = None
    stabilisation_s: float = STABILISATION_S
    most_added: int = 4
    most_added_share: float = 1.0
    admission_order: str = "FCFS"
    _follower: Follower = field(init=False, repr=False, compare=False)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Check the options and begin.

        Raises:
            InputError: An option is out of its range, or there is no metric.
        """
        if self.target_utilization is None and self.target_running is None:
            raise InputError("target_utilization = None and target_running = None leave no metric; give one of them")
        for name, most in (("target_utilization", 1.0), ("target_running", MOST_TARGET)):
            if getattr(self, name) is not None:
                require_within(name, getattr(self, name), 1e-6, most, "a target")
        require_within("tolerance", self.tolerance, 0, 1, "a share")
        least = max(1, scenario.world.scaling.min_instances) if self.min_instances is None else self.min_instances
        behaviour = Behaviour(self.stabilisation_s, self.most_added, self.most_added_share)
        self._follower = Follower(scenario.world, behaviour, least, self.admission_order)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """Follow the greatest of the metrics' recommendations."""
        active, coming = telemetry.active.sum(axis=1), telemetry.provisioning.sum(axis=1)
        metrics = (
            (telemetry.utilization, self.target_utilization),
            (telemetry.running.sum(axis=1) / np.maximum(active, 1), self.target_running),
        )
        wanted = [recommended(active, coming, metric, goal, self.tolerance) for metric, goal in metrics if goal is not None]
        return self._follower.follow(telemetry, np.max(wanted, axis=0))


def recommended(active: Counts, coming: Counts, metric: Reals, target: float, tolerance: float) -> Counts:
    """Kubernetes' recommendation of instances for one metric; all arrays of shape (N,).

    Args:
        active: Instances that serve.
        coming: Instances on their way.
        metric: Mean over the active ones.
        target: What the mean should be.
        tolerance: Relative distance from it that changes nothing.

    Example:
        >>> active, coming = np.array([4, 4, 4, 4]), np.array([0, 0, 3, 0])
        >>> recommended(active, coming, np.array([0.9, 0.62, 0.9, 0.3]), 0.6, 0.1).tolist()
        [6, 4, 7, 2]
    """
    now, total = active + coming, active * metric
    wanted = np.ceil(total / target - 1e-9).astype(np.int64)  # rounding must not ask for one more
    is_high = (metric > target * (1 + tolerance)) & (total > target * (1 + tolerance) * now)
    is_low = metric < target * (1 - tolerance)
    return np.where(is_high, np.maximum(wanted, now), np.where(is_low, np.minimum(wanted, now), now))
