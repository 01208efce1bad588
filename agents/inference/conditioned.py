"""One network for many prices: it sees, behind the observation, what a breach costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.inference.mlp import Mlp
from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import is_number


def with_price(observations: NDArray[Any], factors: Any) -> NDArray[np.float32]:
    """Observations with a last entry more: the logarithm of the factor on the problem's prices of breaches.

    Args:
        observations: Shape (..., O).
        factors: Shape (...,), above 0.

    Returns:
        Shape (..., O + 1).
    """
    last = np.log(np.asarray(factors, np.float64))[..., None]
    return np.concatenate([np.asarray(observations, np.float32), last.astype(np.float32)], axis=-1)


class Conditioned:
    """Plays for a price of breaches, of which it is told.

    Args:
        network: That sees :func:`with_price`.
        price_factor: On the problem's prices.

    Raises:
        InputError: The factor is no number above 0.
    """

    KIND: ClassVar[str] = "conditioned"

    def __init__(self, network: Mlp, price_factor: float = 1.0) -> None:
        if not is_number(price_factor) or not 0.0 < price_factor < 1e6:
            raise InputError(f"price_factor = {shown(price_factor)}; give a factor on the prices of breaches, above 0: 2.0")
        self.network, self.price_factor = network, float(price_factor)

    @property
    def VIEW(self) -> dict[str, Any]:
        """What it chooses of its environment."""
        return self.network.VIEW

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self.network.reset(seed)

    def act(self, observation: Any, mask: NDArray[Any] | None) -> NDArray[Any]:
        """The action for an observation, shape (O,)."""
        return self.network.act(with_price(observation, self.price_factor), mask)

    def priced(self, price_factor: float) -> Conditioned:
        """The same network for another price.

        Raises:
            InputError: The factor is no number above 0.
        """
        return Conditioned(self.network, price_factor)

    def sampling(self, is_sampled: bool) -> Conditioned:
        """The same with drawn actions, or with the likeliest."""
        return Conditioned(self.network.sampling(is_sampled), self.price_factor)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights of the network."""
        return self.network.arrays()

    def settings(self) -> dict[str, Any]:
        """Those of the network, and the price."""
        return {**self.network.settings(), "price_factor": self.price_factor}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Conditioned:
        """The agent of its parts.

        Raises:
            InputError: A name, a shape or a value is not as it must be.
        """
        given = dict(settings)
        price_factor = given.pop("price_factor", None)
        return cls(Mlp.from_parts(given, arrays), price_factor)
