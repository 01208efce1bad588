"""Which options to try: the policy's own, a Sobol sequence over the ranges, then CMA-ES from the best; a function of the scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.extras import need

Place = NDArray[np.float64]
"""A point of the unit cube, shape (D,)."""

FIRST_PER_DIMENSION = 4
"""Points of the Sobol sequence before CMA-ES begins, rounded up to a power of two."""

SPREAD = 0.2
"""CMA-ES's first standard deviation."""

LEAST_WIDTH = 2
"""CMA-ES wants two dimensions; one that is not used changes nothing."""


class Proposals:
    """Asks for places and is told their scores, in batches.

    Args:
        dimensions: D, at least 1.
        seed: Of the sequence and of CMA-ES.

    Raises:
        MissingExtra: The extra ``tune`` is not installed.
    """

    def __init__(self, dimensions: int, seed: int) -> None:
        self._cma, qmc = needed()
        self._dimensions = dimensions
        self._rng = np.random.default_rng(seed)
        self._sobol = qmc.Sobol(dimensions, seed=np.random.default_rng(self._rng.integers(2**32)))
        self._first = 2 ** int(np.ceil(np.log2(FIRST_PER_DIMENSION * dimensions)))
        self._best: tuple[float, Place] | None = None
        self._search: Any = None

    def ask(self) -> list[Place]:
        """The next batch; it depends on the seed and on what was told alone."""
        if self._search is None and self._best is None:
            return list(self._sobol.random(self._first))
        if self._search is None or self._search.stop():
            self._search = self._start()
        self._asked = self._search.ask()
        return [place[: self._dimensions] for place in self._asked]

    def tell(self, places: Sequence[Place], scores: Sequence[float]) -> None:
        """Scores of the batch asked for; less is better."""
        for place, score in zip(places, scores, strict=True):
            if self._best is None or score < self._best[0]:
                self._best = score, np.array(place)
        if self._search is not None:
            self._search.tell(self._asked, list(scores))

    def _start(self) -> Any:
        """CMA-ES from the best place; once it has come to rest, from the next place of the sequence."""
        assert self._best is not None
        centre = self._best[1] if self._search is None else self._sobol.random(1)[0]
        width = max(LEAST_WIDTH, self._dimensions)
        begin = np.full(width, 0.5)
        begin[: self._dimensions] = centre
        rng = np.random.default_rng(self._rng.integers(2**32))
        options = {"bounds": [0.0, 1.0], "randn": lambda *shape: rng.standard_normal(shape), "verbose": -9}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its own seed has no say, which is meant
            return self._cma.CMAEvolutionStrategy(begin, SPREAD, options)


def needed() -> tuple[Any, Any]:
    """The modules ``cma`` and ``scipy.stats.qmc``, imported where they are used.

    Raises:
        MissingExtra: One is not installed.
    """
    return need("cma", "tune", "tune"), need("scipy.stats.qmc", "tune", "tune")
