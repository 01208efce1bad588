"""One small network for every endpoint, in NumPy: the same weights for each, so that fleets of any size can be played.

An endpoint's layer sees what is the endpoint's own, the time, and which model it serves. What it makes of that is averaged over the
endpoint's region and over the fleet, and a second layer decides from the three. Endpoints in another order get their actions in
that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.inference.heads import check_head, choose, place
from agents.inference.mlp import LEAST_VARIANCE
from agents.inference.parts import require_arrays, require_settings, require_view
from sageserve_env.errors import InputError

Reals = NDArray[np.floating[Any]]

LAYERS = ("own", "joint", "action")
"""Of an endpoint alone; of an endpoint, its region and the fleet; and what it is to do."""

MOST = 1 << 20
"""Entries, regions or models."""

STORED = ("view", "head", "sizes", "clip", "sees_fleet", "is_sampled")


@dataclass
class Equivariant:
    """Acts for each endpoint by the same weights.

    Attributes:
        layers: Weights (out, in) and bias (out,) by the names in ``LAYERS``: (H, D), (H, 3 H), (outputs of an endpoint, H).
        mean, variance: Of an endpoint's entries, shape (D,), the same for all.
        entries: Where each endpoint's entries are in the observation, shape (N, D), int64.
        regions, models: Region and model of each endpoint, from 0 on, shape (N,), int64.
        of_models: What is added to an endpoint's first layer for its model, shape (M, H).
        view: What it chooses of its environment.
        head: ``"categorical"`` or ``"gaussian"``.
        sizes: Choices of each entry of an endpoint's action; for ``"gaussian"`` one number: the entries.
        clip: Bound of normalised entries.
        sees_fleet: Whether an endpoint sees the fleet's average; its region's stands there otherwise, as agents by region learn it.
        log_std: Of ``"gaussian"``, of an endpoint's entries.
        is_sampled: Draw the action instead of taking the likeliest.
    """

    layers: dict[str, tuple[Reals, Reals]]
    mean: Reals
    variance: Reals
    entries: NDArray[np.int64]
    regions: NDArray[np.int64]
    models: NDArray[np.int64]
    of_models: Reals
    view: dict[str, Any]
    head: str
    sizes: list[int]
    clip: float = 10.0
    sees_fleet: bool = True
    log_std: Reals | None = None
    is_sampled: bool = False
    _rng: np.random.Generator | None = field(init=False, repr=False, compare=False)
    _near: Reals = field(init=False, repr=False, compare=False)

    KIND: ClassVar[str] = "equivariant"

    def __post_init__(self) -> None:
        """Begin, and see who is whose neighbour."""
        self._near = averaging(self.regions)
        self.reset(0)

    @property
    def VIEW(self) -> dict[str, Any]:
        """What it chooses of its environment."""
        return self.view

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self._rng = np.random.default_rng(seed) if self.is_sampled else None

    def act(self, observation: Any, mask: NDArray[Any] | None) -> NDArray[Any]:
        """The action for an observation, shape (O,)."""
        if np.ndim(observation) != 1 or len(observation) <= self.entries.max():
            shape = np.shape(observation)
            raise InputError(f"observation has shape {shape}; the agent reads entry {self.entries.max()}: take its own id")
        outputs = self.outputs(observation).ravel()
        n = len(self.entries)
        if self.head == "categorical":
            return choose(outputs, self.sizes * n, mask, self._rng)
        return place(self.head, outputs, None if self.log_std is None else np.tile(self.log_std, n), self._rng)

    def outputs(self, observation: Any) -> Reals:
        """What the network puts out for each endpoint, shape (N, outputs)."""
        seen = (np.asarray(observation, np.float64)[self.entries] - self.mean) / np.sqrt(self.variance + LEAST_VARIANCE)
        first = self._layer("own", np.clip(seen, -self.clip, self.clip).astype(np.float32))
        own = np.tanh(first + self.of_models[self.models])
        near = self._near @ own
        everywhere = np.broadcast_to(own.mean(axis=0), own.shape) if self.sees_fleet else near
        joint = np.tanh(self._layer("joint", np.concatenate([own, near, everywhere], axis=1)))
        return self._layer("action", joint)

    def _layer(self, name: str, x: Reals) -> Reals:
        weight, bias = self.layers[name]
        return np.asarray(x @ weight.T + bias)

    def sampling(self, is_sampled: bool) -> Equivariant:
        """The same network with drawn actions, or with the likeliest."""
        return replace(self, is_sampled=is_sampled)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights by name."""
        named: dict[str, NDArray[Any]] = {"mean": self.mean, "variance": self.variance}
        for name in LAYERS:
            weight, bias = self.layers[name]
            named |= {f"{name}.weight": weight, f"{name}.bias": bias}
        named |= {"of_models": self.of_models, "entries": self.entries, "regions": self.regions, "models": self.models}
        return named if self.log_std is None else {**named, "log_std": self.log_std}

    def settings(self) -> dict[str, Any]:
        """All else, and the width of the layers."""
        return {name: getattr(self, name) for name in STORED} | {"width": len(self.layers["own"][1])}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Equivariant:
        """The agent of its parts.

        Raises:
            InputError: A name, a shape or a value is not as it must be.
        """
        require_settings(settings, {*STORED, "width"})
        given = dict(settings)
        width, head, sizes = given.pop("width"), given["head"], given["sizes"]
        require_view(given["view"])
        check_head(head, sizes, given["is_sampled"])
        kinds = [type(value) for value in (width, given["clip"], given["sees_fleet"])]
        if head not in ("categorical", "gaussian") or kinds != [int, float, bool] or width < 1:
            raise InputError(f"head = '{head}', width = {width!r:.40}, clip = {given['clip']!r:.40} are not of such a network")
        places = read_places(arrays)
        d, out, models = places["entries"].shape[1], sum(sizes), int(places["models"].max()) + 1
        shapes: dict[str, tuple[int, ...]] = {"mean": (d,), "variance": (d,), "own.weight": (width, d), "own.bias": (width,)}
        shapes |= {
            "of_models": (models, width),
            "joint.weight": (width, 3 * width),
            "joint.bias": (width,),
            "action.weight": (out, width),
            "action.bias": (out,),
        }
        shapes |= {"log_std": (out,)} if head == "gaussian" else {}
        require_arrays({name: array for name, array in arrays.items() if name not in places}, shapes)
        layers = {name: (arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in LAYERS}
        plain: dict[str, Any] = {name: arrays[name] for name in ("mean", "variance", "of_models", *places)}
        return cls(layers, **plain, log_std=arrays.get("log_std"), **given)


def averaging(regions: NDArray[np.int64]) -> Reals:
    """What averages over the endpoints of each one's region, shape (N, N), float32."""
    same = (regions[:, None] == regions[None]).astype(np.float32)
    mean: Reals = same / same.sum(axis=1, keepdims=True)
    return mean


def read_places(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.int64]]:
    """Where endpoints' entries are, and their regions and models.

    Raises:
        InputError: They are not there, or no such tables.
    """
    found: dict[str, NDArray[np.int64]] = {}
    for name, axes in (("entries", 2), ("regions", 1), ("models", 1)):
        table = arrays.get(name)
        if (
            table is None
            or table.ndim != axes
            or table.dtype != np.int64
            or table.size == 0
            or not 0 <= table.min() <= table.max() < MOST
        ):
            raise InputError(f"weights '{name}' are no table of int64 from 0 on, of {axes} axes; save the agent anew")
        found[name] = table
    if len({len(table) for table in found.values()}) > 1:
        raise InputError(f"weights {', '.join(found)} are not of as many endpoints; save the agent anew")
    return found
