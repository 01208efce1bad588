"""What may be tuned of a policy: a range for each of its options, and the options at a point of the unit cube.

A policy declares ``TUNABLE``, a mapping of its options to :class:`Range`. Third packages may, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.world.schema import World

DIGITS = 4
"""Significant digits of a tuned number: more could not be told apart, and files stay readable."""


@dataclass(frozen=True)
class Range:
    """Where an option is sought, both ends included.

    Attributes:
        least: Lower end; None: the least instances that the world allows.
        most: Upper end; None: the VMs of the smallest region, shared out among models and pools unless ``by_model``.
        is_log: Whether equal steps are equal factors; both ends are above 0 then.
        is_integer: Whether it is a whole number.
        by_model: Whether the option is a dict, a number for each model of the world.
    """

    least: float | None
    most: float | None
    is_log: bool = False
    is_integer: bool = False
    by_model: bool = False

    def within(self, world: World) -> tuple[float, float]:
        """Both ends on a world."""
        least = world.scaling.min_instances if self.least is None else self.least
        vms = min(sum(region.vm_capacity.values()) for region in world.regions)
        shared = vms if self.by_model else vms // (len(world.models) * len(world.pools))
        return least, max(least, shared if self.most is None else self.most)


@dataclass(frozen=True)
class Axis:
    """One dimension of the unit cube: an option, or the entry of a model in it, between two ends."""

    option: str
    model: str | None
    least: float
    most: float
    is_log: bool
    is_integer: bool

    def value(self, share: float) -> float | int:
        """The number at a share of the way from end to end."""
        if self.is_integer:
            choices = math.floor(self.most) - math.ceil(self.least) + 1
            return math.ceil(self.least) + min(int(share * choices), choices - 1)
        value = self.least * (self.most / self.least) ** share if self.is_log else self.least + share * (self.most - self.least)
        return min(max(float(f"{value:.{DIGITS}g}"), self.least), self.most)


def axes(tunable: Mapping[str, Range], world: World) -> tuple[Axis, ...]:
    """The dimensions in which a policy is tuned on a world, in the order of its declaration."""
    return tuple(
        Axis(option, model, *span.within(world), span.is_log, span.is_integer)
        for option, span in tunable.items()
        for model in ([each.name for each in world.models] if span.by_model else [None])
    )


def options_at(place: NDArray[np.float64], dimensions: tuple[Axis, ...]) -> dict[str, Any]:
    """The options at a point.

    Args:
        place: In the unit cube, shape (D,).
        dimensions: Of :func:`axes`, D of them.
    """
    options: dict[str, Any] = {}
    for share, axis in zip(place.tolist(), dimensions, strict=True):
        value = axis.value(share)
        if axis.model is None:
            options[axis.option] = value
        else:
            options.setdefault(axis.option, {})[axis.model] = value
    return options


def tunable_of(policy: Any, name: str) -> Mapping[str, Range]:
    """What a policy declares.

    Raises:
        InputError: It declares nothing.
    """
    declared = getattr(policy, "TUNABLE", None)
    if not declared:
        raise InputError(f"policy = '{name}' declares nothing to tune; choose one with TUNABLE, such as reactive")
    ranges: Mapping[str, Range] = declared
    return ranges
