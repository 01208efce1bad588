"""Where to look next: CMA-ES and the cross-entropy method, both by asking and telling, both functions of the seed and the costs."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.evolution.settings import Settings
from sageserve_env.extras import need

Reals = NDArray[np.float64]

DIAGONAL_ABOVE = 100
"""Weights above which CMA-ES adapts variances alone: the full matrix would take too many generations."""

LEAST_SPREAD = 0.05
"""Of the cross-entropy method, as a part of the first spread."""


class Search(Protocol):
    """Proposes weights."""

    def ask(self) -> Reals:
        """The next generation, shape (C, W)."""
        ...

    def tell(self, costs: Reals) -> None:
        """Costs of the generation asked for, shape (C,); less is better."""
        ...

    @property
    def mean(self) -> Reals:
        """The middle of the search, shape (W,)."""
        ...


class CmaEs:
    """CMA-ES, by the package ``cma``.

    Args:
        start: Where the search begins, shape (W,).
        spread: First standard deviations, shape (W,).
        settings: Population and sigma.
        seed: Of the proposals.

    Raises:
        MissingExtra: The extra ``tune`` is not installed.
    """

    def __init__(self, start: Reals, spread: Reals, settings: Settings, seed: int) -> None:
        rng = np.random.default_rng(seed)
        options = {
            "popsize": settings.population,
            "randn": lambda *shape: rng.standard_normal(shape),
            "CMA_diagonal": len(start) > DIAGONAL_ABOVE,
            "verbose": -9,
        }
        self._start, self._spread = start, spread
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its own seed has no say, which is meant
            self._search: Any = need("cma", "tune", "evolution").CMAEvolutionStrategy(np.zeros(len(start)), settings.sigma, options)

    def ask(self) -> Reals:
        """See :class:`Search`."""
        self._asked = self._search.ask()
        return self._start + self._spread * np.array(self._asked)

    def tell(self, costs: Reals) -> None:
        """See :class:`Search`."""
        self._search.tell(self._asked, costs.tolist())

    @property
    def mean(self) -> Reals:
        """See :class:`Search`."""
        return self._start + self._spread * np.asarray(self._search.mean)


class Cem:
    """The cross-entropy method: independent normal numbers, refitted to the best of each generation.

    Args: as of :class:`CmaEs`.
    """

    def __init__(self, start: Reals, spread: Reals, settings: Settings, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._mean, self._now = start.copy(), settings.sigma * spread
        self._least = LEAST_SPREAD * self._now
        self._population = settings.population
        self._kept = max(2, round(settings.elite * settings.population))

    def ask(self) -> Reals:
        """See :class:`Search`."""
        self._asked = self._mean + self._now * self._rng.standard_normal((self._population, len(self._mean)))
        return self._asked

    def tell(self, costs: Reals) -> None:
        """See :class:`Search`."""
        best = self._asked[np.argsort(costs, kind="stable")[: self._kept]]
        self._mean = best.mean(axis=0)
        self._now = np.maximum(best.std(axis=0), self._least)

    @property
    def mean(self) -> Reals:
        """See :class:`Search`."""
        return self._mean


def search_for(settings: Settings, start: Reals, spread: Reals, seed: int) -> Search:
    """The search of the settings' algorithm."""
    kind = CmaEs if settings.algorithm == "cma-es" else Cem
    return kind(start, spread, settings, seed)
