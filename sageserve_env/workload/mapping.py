"""Models, regions and tiers for requests that come without them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_shares, index_of
from sageserve_env.workload.drawn.rng import uniform
from sageserve_env.workload.request import Chunk, preference_orders
from sageserve_env.world.schema import TIERS, World


@dataclass(frozen=True)
class Mapping:
    """How requests without model, tier and region get them: drawn independently for each request.

    Attributes:
        models: Relative shares by model name.
        tiers: Relative shares by tier; the default is the paper's (44 : 28 is an assumption).
        regions: Relative shares by region of origin; ``None`` means equal shares over the world's regions.

    Raises:
        InputError: A share is negative, all are 0, or a tier does not exist.
    """

    models: dict[str, float] = field(default_factory=lambda: {"llama-2-70b": 1.0})
    tiers: dict[str, float] = field(default_factory=lambda: {"IW-F": 0.44, "IW-N": 0.28, "NIW": 0.28})
    regions: dict[str, float] | None = None

    def __post_init__(self) -> None:
        """Check the shares."""
        check_shares("mapping: models", self.models)
        check_shares("mapping: tiers", self.tiers)
        if self.regions is not None:
            check_shares("mapping: regions", self.regions)
        for tier in self.tiers:
            if tier not in TIERS:
                raise InputError(f"mapping: tier {tier!r} does not exist; the tiers are {', '.join(TIERS)}")

    @property
    def tier_shares(self) -> tuple[float, ...]:
        """Relative shares in the order of ``TIERS``."""
        return tuple(float(self.tiers.get(tier, 0.0)) for tier in TIERS)


class LabelTable:
    """A mapping looked up in a world, ready to label chunks."""

    def __init__(self, mapping: Mapping, world: World, where: str) -> None:
        names = [region.name for region in world.regions]
        models = [model.name for model in world.models]
        p_model, p_region = np.zeros(len(models)), np.zeros(len(names))
        for name, share in mapping.models.items():
            p_model[index_of("model", name, models, where)] = share
        for name, share in (mapping.regions or dict.fromkeys(names, 1.0)).items():
            p_region[index_of("region", name, names, where)] = share
        shape = (len(models), len(TIERS), len(names), preference_orders(len(names)).shape[1])
        grids = [grid.ravel() for grid in np.indices(shape)]
        weight = p_model[grids[0]] * np.asarray(mapping.tier_shares)[grids[1]] * p_region[grids[2]]
        used = weight > 0
        self._cumulative = np.cumsum(weight[used]) / weight[used].sum()
        self._labels = [grid[used] for grid in grids]

    def write(self, chunk: Chunk, words: NDArray[np.uint64]) -> None:
        """Write the labels of a chunk from one random word for each request."""
        rows = np.searchsorted(self._cumulative[:-1], uniform(words), side="right")
        for name, values in zip(("model", "tier", "origin", "preference"), self._labels, strict=True):
            chunk[name] = values[rows]
