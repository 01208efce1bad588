"""The thresholds at which the autoscaling tick moves an endpoint, as options of a policy."""

from __future__ import annotations

from collections.abc import Mapping

from sageserve_env.sim import Knobs
from sageserve_env.sim.knobs import RANGES
from sageserve_env.world.checks import require_within

UNITS = {"scale_out_utilization": "a share", "scale_in_utilization": "a share", "cool_down_s": "seconds"}


def set_thresholds(knobs: Knobs, given: Mapping[str, float | None]) -> None:
    """Set thresholds of all endpoints, by the names of ``UNITS``; None leaves the world's.

    Raises:
        InputError: One is out of its range.
    """
    for name, value in given.items():
        if value is not None:
            require_within(name, value, *RANGES[name], UNITS[name])
            getattr(knobs, name)[:] = value
