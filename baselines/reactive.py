"""The paper's reactive scaling (section 5): each endpoint follows its own memory utilization and looks no further."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.fleet import equal_fleet, require_least
from baselines.thresholds import UNITS, set_thresholds
from sageserve_env.evaluation.ranges import Range
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.vms import region_capacity


@dataclass
class ReactivePolicy:
    """One instance out above an upper utilization, one in below a lower, a pause after each move, and never too few.

    The simulator's autoscaling tick does all of it; the policy sets its bounds once: the least number of instances below, the
    region's VMs above. On a world of one pool it is the paper's "unified" baseline, on a siloed world "siloed".

    Attributes:
        min_instances: Least instances of each endpoint, not below the world's; the paper: 2.
        scale_out_utilization: The upper utilization, 0 to 1; the paper: 0.7.
        scale_in_utilization: The lower, 0 to 1; the paper: 0.3.
        cool_down_s: The pause in seconds; the paper: 15.
        admission_order: FCFS, EDF, PF or DPA.

    The first four may be None, which takes the world's: in the paper's worlds, the paper's.
    """

    name: ClassVar[str] = "reactive"
    TUNABLE: ClassVar[dict[str, Range]] = {
        "min_instances": Range(None, None, is_integer=True),
        "scale_out_utilization": Range(0.05, 0.99),
        "scale_in_utilization": Range(0.01, 0.8),
        "cool_down_s": Range(15.0, 3600.0, is_log=True),
    }

    min_instances: int | None = None
    scale_out_utilization: float | None = None
    scale_in_utilization: float | None = None
    cool_down_s: float | None = None
    admission_order: str = "FCFS"
    _knobs: Knobs = field(init=False, repr=False, compare=False)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Set the bounds and thresholds.

        Raises:
            InputError: An option is out of its range.
        """
        world = scenario.world
        knobs = Knobs.static(world, self.admission_order)
        least = world.scaling.min_instances if self.min_instances is None else self.min_instances
        require_least("min_instances", least, world)
        knobs.floor = equal_fleet(world, least)
        knobs.cap = region_capacity(world)
        set_thresholds(knobs, {name: getattr(self, name) for name in UNITS})
        self._knobs = knobs.validated(world)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The same at every instant: the tick does the work."""
        return self._knobs
