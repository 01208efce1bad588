"""The options of ``reset``: what they are, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.scenarios.sources import Window
from sageserve_env.workload.checks import check_number
from sageserve_env.world.checks import require_count, require_known
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import World

MOST_SCALE = 1e4

ALLOWED = ("day", "start_s", "scale", "initial_instances", "variant")


@dataclass(frozen=True)
class Options:
    """Checked options; None leaves the choice to the random numbers or to the problem.

    Attributes:
        day: Name of a window of the split, or its index among them.
        start_s: Seconds from the window's start to the episode's time 0.
        scale: Further factor on the number of requests.
        initial_instances: Instances of each endpoint at the start, by model.
        variant: Index of a perturbation of a validation or test split.
    """

    day: str | int | None = None
    start_s: float | None = None
    scale: float | None = None
    initial_instances: dict[str, int] | None = None
    variant: int | None = None


def read_options(options: Mapping[str, Any] | None, world: World) -> Options:
    """Check what can be checked without the split; the mapping is not changed.

    Raises:
        InputError: An unknown key, or a value that cannot be used.
    """
    options = {} if options is None else options
    if not isinstance(options, Mapping):
        raise InputError(f"options = {options!r} is no dict; allowed keys: {', '.join(ALLOWED)}")
    for key in options:
        if key not in ALLOWED:
            raise InputError(f"options: {key!r} does not exist; allowed: {', '.join(ALLOWED)}")
    start_s, scale, fleet = options.get("start_s"), options.get("scale"), options.get("initial_instances")
    return Options(
        day=options.get("day"),
        start_s=None if start_s is None else check_number("options: start_s", start_s, unit="s"),
        scale=None if scale is None else check_number("options: scale", scale, open_minimum=True, maximum=MOST_SCALE),
        initial_instances=None if fleet is None else _fleet(fleet, world),
        variant=options.get("variant"),
    )


def choose_window(day: str | int, windows: tuple[Window, ...], where: str) -> Window:
    """The window of a name, or of an index among the split's.

    Raises:
        InputError: The split has no such window.
    """
    names = [window.name for window in windows]
    number = names.index(day.lower()) if isinstance(day, str) and day.lower() in names else day
    if is_index(number, len(windows)):
        return windows[int(number)]
    known = ", ".join(f"{name} ({k})" for k, name in enumerate(names))
    raise InputError(f"options: day = {day!r} is not in {where}; its days are {known}")


def check_variant(variant: int, count: int, where: str) -> int:
    """The index of a variant.

    Raises:
        InputError: The split has no such variant.
    """
    if count == 0:
        raise InputError(f"options: variant = {variant!r}; {where} draws its perturbations and lists none: leave it out")
    if not is_index(variant, count):
        raise InputError(f"options: variant = {variant!r} does not exist; {where} has 0 to {count - 1}")
    return int(variant)


def is_index(value: Any, count: int) -> bool:
    """Whether a value is an integer in [0, count)."""
    return not isinstance(value, bool) and isinstance(value, Integral) and 0 <= int(value) < count


def _fleet(fleet: Any, world: World) -> dict[str, int]:
    """Instances of each endpoint at the start, for every model: the world's own where none is named.

    Raises:
        InputError: A model that the world lacks, a number that is no count, or more than a region's VMs.
    """
    models = [model.name for model in world.models]
    own = {name: max(pool.instances.get(name, 0) for pool in world.pools) for name in models}
    named = dict(fleet) if isinstance(fleet, Mapping) else dict.fromkeys(models, fleet)
    for name, count in named.items():
        require_known("options: initial_instances", name, "model", models)
        require_count(f"options: initial_instances['{name}']", count, least=0)
    result = {name: int(named.get(name, own[name])) for name in models}
    validate(replace(world, pools=tuple(replace(pool, instances=result) for pool in world.pools)))
    return result
