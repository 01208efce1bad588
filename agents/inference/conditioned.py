"""One network for several wishes: behind the observation it sees what a breach costs, or which service level it is to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.inference.mlp import Mlp
from sageserve_env.errors import InputError, quoted, shown
from sageserve_env.world.checks import is_number


@dataclass(frozen=True)
class Condition:
    """What an agent can be told.

    Attributes:
        least, most: Bounds of a value.
        usual: What the problem has.
        what: For messages.
    """

    least: float
    most: float
    usual: float
    what: str

    def checked(self, name: str, value: Any) -> float:
        """A value that can be told.

        Raises:
            InputError: It is no number within the bounds.
        """
        if not is_number(value) or not self.least <= value <= self.most:
            raise InputError(f"{name} = {shown(value)}; give {self.what}, {self.least:g} to {self.most:g}: {self.usual:g}")
        return float(value)


CONDITIONS = {
    "price_factor": Condition(1e-3, 1e3, 1.0, "a factor on the prices of breaches"),
    "level": Condition(0.5, 0.999, 0.95, "a share of IW-F in time"),
}


def entry_of(name: str, values: Any) -> NDArray[np.float64]:
    """How a network sees values of a condition: the logarithm of a factor, and of the odds of a level.

    Args:
        name: Of the condition.
        values: Any shape.
    """
    values = np.asarray(values, np.float64)
    entry: NDArray[np.float64] = np.log(values if name == "price_factor" else values / (1.0 - values))
    return entry


def with_condition(observations: NDArray[Any], name: str, values: Any) -> NDArray[np.float32]:
    """Observations with a last entry more, :func:`entry_of`.

    Args:
        observations: Shape (..., O).
        name: Of the condition.
        values: Shape (...,).

    Returns:
        Shape (..., O + 1).
    """
    last = entry_of(name, values)[..., None]
    return np.concatenate([np.asarray(observations, np.float32), last.astype(np.float32)], axis=-1)


class Conditioned:
    """Plays for a price of breaches, or for a service level, of which it is told.

    Args:
        network: That sees :func:`with_condition`.
        condition: What it is told of: ``"price_factor"`` or ``"level"``.
        value: What it is told; None: what the problem has.

    Raises:
        InputError: There is no such condition, or the value is none of it.
    """

    KIND: ClassVar[str] = "conditioned"

    def __init__(self, network: Mlp, condition: str, value: float | None = None) -> None:
        if not isinstance(condition, str) or condition not in CONDITIONS:
            raise InputError(f"condition = {shown(condition)} is not known; known: {quoted(CONDITIONS)}")
        self.network, self.condition = network, condition
        self.value = CONDITIONS[condition].checked(condition, CONDITIONS[condition].usual if value is None else value)

    @property
    def VIEW(self) -> dict[str, Any]:
        """What it chooses of its environment."""
        return self.network.VIEW

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self.network.reset(seed)

    def act(self, observation: Any, mask: NDArray[Any] | None) -> NDArray[Any]:
        """The action for an observation, shape (O,)."""
        return self.network.act(with_condition(observation, self.condition, self.value), mask)

    def told(self, value: float) -> Conditioned:
        """The same network, told of another value.

        Raises:
            InputError: It is none of the condition.
        """
        return Conditioned(self.network, self.condition, value)

    def sampling(self, is_sampled: bool) -> Conditioned:
        """The same with drawn actions, or with the likeliest."""
        return Conditioned(self.network.sampling(is_sampled), self.condition, self.value)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights of the network."""
        return self.network.arrays()

    def settings(self) -> dict[str, Any]:
        """Those of the network, and what it is told."""
        return {**self.network.settings(), "condition": self.condition, "value": self.value}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Conditioned:
        """The agent of its parts.

        Raises:
            InputError: A name, a shape or a value is not as it must be.
        """
        given = dict(settings)
        condition, value = given.pop("condition", None), given.pop("value", None)
        return cls(Mlp.from_parts(given, arrays), condition, value)
