"""The environments' ids, and their registration with Gymnasium. Imports nothing heavy: entry points are strings."""

from __future__ import annotations

import gymnasium as gym

from sageserve_env.errors import InputError

IDS = {
    "mini": "SageServe/Mini-v0",
    "day": "SageServe/Day-v0",
    "week": "SageServe/Week-v0",
    "burst": "SageServe/Burst-v0",
    "storm": "SageServe/Storm-v0",
    "globe": "SageServe/Globe-v0",
    "azure": "SageServe/Azure-v0",
    "paper": "SageServe/Paper-v0",
    "scale2025": "SageServe/Scale2025-v0",
}
"""Id by the name of the problem (``sageserve_env.scenarios.load_problem``)."""

MO_IDS = {problem: name.replace("-v", "-MO-v") for problem, name in IDS.items()}
"""Id of the same environment with a vector of rewards, for ``mo_gymnasium.make``, by the name of the problem."""

MODULE = "sageserve_env:"
"""In front of an id, it has Gymnasium import this package first."""


def problem_name(name: str, what: str = "problem") -> str:
    """The name of a problem, by its name or in any form of its id that ``gym.make`` takes.

    Args:
        name: E.g. ``"mini"``, ``"SageServe/Mini-v0"``, ``"sageserve_env:SageServe/Mini-v0"`` or, without version,
            ``"SageServe/Mini"``.
        what: What the error calls it.

    Raises:
        InputError: There is no such problem.

    Example:
        >>> problem_name("sageserve_env:SageServe/Mini-v0")
        'mini'
    """
    wanted = name.removeprefix(MODULE)
    for problem, env_id in IDS.items():
        if wanted in (problem, env_id, env_id.rpartition("-v")[0]):
            return problem
    raise InputError(f"{what} = {name!r} does not exist; choose one of {', '.join(IDS)}, or an id such as {IDS['mini']}")


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
    for problem in IDS:
        _register(IDS[problem], {"problem": problem})
        _register(MO_IDS[problem], {"problem": problem, "reward": "vector"}, disable_env_checker=True)


def _register(name: str, kwargs: dict[str, str], disable_env_checker: bool = False) -> None:
    if name not in gym.registry:
        gym.register(
            name,
            entry_point="sageserve_env.env:FleetEnv",
            vector_entry_point="sageserve_env.env:VectorFleetEnv",
            kwargs=kwargs,
            disable_env_checker=disable_env_checker,  # it takes only numbers for rewards
        )
