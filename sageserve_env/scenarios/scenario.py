"""A problem to solve: what exists, what arrives, how long, and how often a policy acts."""

from __future__ import annotations

from dataclasses import dataclass

from sageserve_env.workload.checks import check_workload
from sageserve_env.workload.request import Workload
from sageserve_env.world.checks import require, require_span, require_text
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import World

MOST_DECISIONS = 10_000_000


@dataclass(frozen=True)
class Scenario:
    """A problem to solve.

    Attributes:
        name: Shown in reports.
        world: What exists.
        workload: What arrives.
        control_interval_s: Seconds between two decisions of a policy; the first is at time 0.
        duration_s: Seconds to simulate. None takes the workload's length; beyond that length nothing arrives.

    Raises:
        InputError: A value is out of range, or the world is not valid.

    Example:
        >>> from sageserve_env.workload.sources.o365 import O365Week
        >>> from sageserve_env.world import load_world
        >>> Scenario("monday", load_world("published"), O365Week(duration_s=86_400.0)).horizon_s
        86400.0
    """

    name: str
    world: World
    workload: Workload
    control_interval_s: float = 300.0
    duration_s: float | None = None

    def __post_init__(self) -> None:
        require_text("name", self.name)
        validate(self.world)
        check_workload(self.workload)
        require_span("control_interval_s", self.control_interval_s)
        require_span("duration_s", self.horizon_s)
        check_intervals("control_interval_s", self.control_interval_s, self.horizon_s, MOST_DECISIONS)

    @property
    def horizon_s(self) -> float:
        """Seconds to simulate: ``duration_s``, or the workload's length."""
        return self.workload.duration_s if self.duration_s is None else self.duration_s


def check_intervals(name: str, interval_s: float, horizon_s: float, most: int) -> None:
    """Check that a horizon does not hold too many intervals.

    Raises:
        InputError: It does.
    """
    remedy = f"cuts {horizon_s:g} s into more than {most:,} intervals; give at least {horizon_s / most:g}"
    require(interval_s >= horizon_s / most, name, interval_s, remedy)
