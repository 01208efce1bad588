"""What kinds of saved agents there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from agents.inference.conditioned import Conditioned
from agents.inference.equivariant import Equivariant
from agents.inference.mlp import Mlp
from agents.inference.residual import Residual
from agents.inference.shared import SharedPolicy
from sageserve_env.evaluation.locked.entrant import Agent

Arrays = Mapping[str, NDArray[Any]]
"""Weights by name."""


class Parts(Protocol):
    """What is plain arrays and settings, and is made of them again: an agent, or a controller (:class:`Residual`).

    Attributes:
        KIND: Its name in :data:`KINDS`.
    """

    KIND: ClassVar[str]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights by name; floating-point or whole numbers."""
        ...

    def settings(self) -> dict[str, Any]:
        """All else, as JSON has it."""
        ...

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: Arrays) -> Parts:
        """The agent of its parts.

        Raises:
            InputError: A name, a shape or a value is not as it must be.
        """
        ...


class SavedAgent(Agent, Parts, Protocol):
    """An agent of parts.

    Attributes:
        VIEW: What it chooses of its environment, see :class:`~sageserve_env.evaluation.locked.entrant.Agent`.
    """

    @property
    def VIEW(self) -> dict[str, Any]:
        """Arguments of ``gym.make``."""
        ...


KINDS: dict[str, type[Any]] = {kind.KIND: kind for kind in (Mlp, Equivariant, SharedPolicy, Residual, Conditioned)}
"""Classes of :class:`Parts` by kind: a card names one of these, and nothing else can be loaded."""
