"""The environments' ids, and their registration with Gymnasium. Imports nothing heavy: entry points are strings."""

from __future__ import annotations

import gymnasium as gym

IDS = {
    "mini": "SageServe/Mini-v0",
    "day": "SageServe/Day-v0",
    "week": "SageServe/Week-v0",
    "burst": "SageServe/Burst-v0",
    "azure": "SageServe/Azure-v0",
    "scale2025": "SageServe/Scale2025-v0",
}
"""Id by the name of the problem (``sageserve_env.scenarios.load_problem``)."""


def register() -> None:
    """Register every id with Gymnasium; ids that are already registered are left alone.

    ``import sageserve_env`` calls it. Gymnasium has had no plug-ins since 1.0, so a program that does not import this package
    asks for ``gym.make("sageserve_env:SageServe/Mini-v0")``. The environments end at their horizon themselves and write their
    number of steps into the spec of each environment. None is registered: Gymnasium would put a ``TimeLimit`` of so many steps
    around every environment, and cut the episodes that another ``horizon_s`` or ``control_interval_s`` makes longer.

    Example:
        >>> register()
        >>> gym.spec("SageServe/Mini-v0").kwargs
        {'problem': 'mini'}
    """
    for problem, name in IDS.items():
        if name not in gym.registry:
            gym.register(
                name,
                entry_point="sageserve_env.env:FleetEnv",
                vector_entry_point="sageserve_env.env:VectorFleetEnv",
                kwargs={"problem": problem},
            )
