"""What decides: the interface of a policy, and the policies that installed packages offer by name."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.evaluation.tuned import shipped_log, tuned_options
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.sim.knobs import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry

GROUP = "sageserve.policies"
"""Entry points of this group are policies: classes, or functions that return a policy."""


class Policy(Protocol):
    """Looks at the fleet at each control instant and sets the knobs until the next. One object may run many episodes.

    Two further methods are called before ``reset`` where a policy has them:

    * ``prepare(world) -> World``: the fleet that the policy is defined on, its pools and instances at the start; traffic, models,
      prices and lead times are to stay.
    * ``foresee(workload, seed)``: the traffic to come, for bounds that know the future. No controller may use it.
    """

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin an episode.

        Args:
            scenario: The problem; its world gives the shapes of the knobs.
            rng: The policy's own random numbers, apart from those of the workload.
        """
        ...

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The knobs in force from now on."""
        ...


def check_policy(policy: Any) -> None:
    """What every policy has.

    Raises:
        InputError: It is a class, or lacks a method.
    """
    missing = [name for name in ("reset", "decide") if not callable(getattr(policy, name, None))]
    if missing or isinstance(policy, type):
        lacks = "is a class: give an object of it" if isinstance(policy, type) else f"has no {' and no '.join(missing)}"
        raise InputError(f"policy = {policy!r:.40} {lacks}; a policy has reset(scenario, rng) and decide(telemetry)")


def prepared(policy: Policy, scenario: Scenario, seed: int) -> Scenario:
    """The scenario on the fleet that the policy asks for; bounds are shown the traffic of the seed."""
    prepare = getattr(policy, "prepare", None)
    scenario = scenario if prepare is None else replace(scenario, world=prepare(scenario.world))  # checks the world anew
    foresee = getattr(policy, "foresee", None)
    if foresee is not None:
        foresee(scenario.workload, seed)
    return scenario


def is_tuned(name: str, problem: str) -> bool:
    """Whether an installed policy comes with a log of its tuning for a problem."""
    entry = installed_policies().get(name)
    return entry is not None and shipped_log(name, problem, entry).is_file()


@contextmanager
def hushed() -> Iterator[None]:
    """Without the warnings of planners that no plan meets all demand: for runs in which that is only to be expected."""
    log = logging.getLogger("baselines")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def policy_name(policy: Policy) -> str:
    """What reports call a policy: its ``name`` where it has one, else its class."""
    return str(getattr(policy, "name", type(policy).__name__))


def policy_options(policy: object) -> dict[str, Any]:
    """The arguments that a policy was built with, for the record; known of policies that are dataclasses."""
    if not is_dataclass(policy):
        return {}
    return {field.name: getattr(policy, field.name) for field in fields(policy) if field.init}


def installed_policies() -> dict[str, EntryPoint]:
    """Entry points of the policies of every installed package, by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def load_policy(name: str, *, tuned: str | None = None, **options: Any) -> Policy:
    """A new policy by its name.

    Args:
        name: Name of an entry point of the group ``sageserve.policies``, e.g. ``"reactive"``.
        tuned: Take the options that were tuned for a problem, by its name or id, as the policy's package ships them; or those of a
            log that ``sageserve tune`` wrote (a ``.json`` file). Other options go before them.
        options: Arguments of the policy.

    Raises:
        InputError: No such policy, it does not take such options, it is not tuned for the problem, or a package that it needs is
            missing.

    Example:
        >>> load_policy("static", instances=4)
        StaticPolicy(instances=4, admission_order='FCFS')
    """
    known = installed_policies()
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise InputError(f"policy = '{name}' is not known{hint}; known: {', '.join(known) or 'none: install the package'}")
    return made_policy(known[name], tuned=tuned, **options)


def made_policy(entry: EntryPoint, *, tuned: str | None = None, **options: Any) -> Policy:
    """A new policy of an entry point, as :func:`load_policy` makes it, without the search among installed packages.

    Raises:
        InputError: As there.
    """
    name = entry.name
    try:
        factory = entry.load()
    except ImportError as error:
        raise InputError(f"policy = '{name}' cannot be loaded ({error}); install what it needs") from None
    if tuned is not None:
        options = {**tuned_options(name, tuned, entry), **options}
    signature = inspect.signature(factory)
    try:
        signature.bind(**options)
    except TypeError as error:
        raise InputError(f"policy = '{name}': {error}; it takes: {', '.join(signature.parameters) or 'no option'}") from None
    policy: Policy = factory(**options)
    return policy
