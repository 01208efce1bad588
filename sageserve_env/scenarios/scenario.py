"""A problem to solve: what exists, what arrives, how long, and how often a policy acts."""

from __future__ import annotations

from dataclasses import dataclass

from sageserve_env.workload.request import Workload
from sageserve_env.world.checks import require_positive, require_text
from sageserve_env.world.schema import World
from sageserve_env.world.validate import validate


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
        require_positive("control_interval_s", self.control_interval_s, "give seconds, more than 0")
        require_positive("duration_s", self.horizon_s, "give seconds, more than 0")

    @property
    def horizon_s(self) -> float:
        """Seconds to simulate: ``duration_s``, or the workload's length."""
        return self.workload.duration_s if self.duration_s is None else self.duration_s
