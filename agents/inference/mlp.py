"""A multi-layer perceptron in NumPy: what Stable-Baselines3 trained, without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.inference.heads import DISCRETE, check_head, choose, n_outputs, place
from agents.inference.parts import require_arrays, require_frames, require_settings, require_view
from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import require_choice

Reals = NDArray[np.floating[Any]]

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}

LEAST_VARIANCE = 1e-8
"""Added to the variances of observations."""

STORED = ("view", "head", "sizes", "activation", "frames", "clip", "is_sampled")


@dataclass
class Mlp:
    """Normalises an observation, puts it behind the last few, and reads the action off a perceptron.

    Attributes:
        layers: Weights (out, in) and biases (out,) of each layer.
        mean, variance: Of the observation, shape (O,); it becomes (x - mean) / sqrt(variance + 1e-8), within ``clip``.
        view: What it chooses of its environment.
        head: One of :data:`agents.inference.heads.HEADS`.
        sizes: Choices of each entry of the action; for continuous heads, one number: the entries.
        activation: Between layers: ``"tanh"`` or ``"relu"``.
        frames: Observations that it sees, the latest last; zeros stand for those before the first.
        clip: Bound of normalised observations.
        log_std: Of the head ``"gaussian"``, shape (entries,).
        is_sampled: Draw the action instead of taking the likeliest.
    """

    layers: list[tuple[Reals, Reals]]
    mean: Reals
    variance: Reals
    view: dict[str, Any]
    head: str
    sizes: list[int]
    activation: str = "tanh"
    frames: int = 1
    clip: float = 10.0
    log_std: Reals | None = None
    is_sampled: bool = False
    _seen: Reals = field(init=False, repr=False, compare=False)
    _rng: np.random.Generator | None = field(init=False, repr=False, compare=False)

    KIND: ClassVar[str] = "mlp"

    def __post_init__(self) -> None:
        """Begin; ``reset`` is called again before each episode."""
        self.reset(0)

    @property
    def VIEW(self) -> dict[str, Any]:
        """What it chooses of its environment."""
        return self.view

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self._seen = np.zeros(self.frames * len(self.mean), np.float32)
        self._rng = np.random.default_rng(seed) if self.is_sampled else None

    def act(self, observation: Any, mask: NDArray[Any] | None) -> NDArray[Any]:
        """The action for an observation, shape (O,); for Discrete spaces an array without axes."""
        if np.shape(observation) != self.mean.shape:
            n = len(self.mean)
            raise InputError(f"observation has shape {np.shape(observation)}; the agent was trained on ({n},): take its own id")
        self._seen = np.concatenate([self._seen[len(self.mean) :], self.normalised(observation)])
        outputs = self.outputs(self._seen)
        if self.head not in DISCRETE:
            return place(self.head, outputs, self.log_std, self._rng)
        choices = choose(outputs, self.sizes, mask, self._rng)
        return choices[0] if self.view.get("action_mode") == "discrete" else choices

    def normalised(self, observation: Any) -> Reals:
        """An observation as the network sees it, shape (O,), float32."""
        scaled = (np.asarray(observation, np.float64) - self.mean) / np.sqrt(self.variance + LEAST_VARIANCE)
        shown: Reals = np.clip(scaled, -self.clip, self.clip).astype(np.float32)
        return shown

    def outputs(self, seen: Reals) -> Reals:
        """What the network puts out for normalised frames, shape (frames * O,)."""
        between = ACTIVATIONS[self.activation]
        for weight, bias in self.layers[:-1]:
            seen = between(weight @ seen + bias)
        weight, bias = self.layers[-1]
        return np.asarray(weight @ seen + bias)

    def sampling(self, is_sampled: bool) -> Mlp:
        """The same network with drawn actions, or with the likeliest.

        Raises:
            InputError: Its head has no law to draw from.
        """
        check_head(self.head, self.sizes, is_sampled)
        return replace(self, is_sampled=is_sampled)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights by name."""
        named = {"mean": self.mean, "variance": self.variance}
        for k, (weight, bias) in enumerate(self.layers):
            named |= {f"layer{k}.weight": weight, f"layer{k}.bias": bias}
        return named if self.log_std is None else {**named, "log_std": self.log_std}

    def settings(self) -> dict[str, Any]:
        """All else, and the sizes of the layers."""
        widths = [self.layers[0][0].shape[1], *(len(bias) for _, bias in self.layers)]
        return {name: getattr(self, name) for name in STORED} | {"widths": [int(width) for width in widths]}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Mlp:
        """The agent of its parts.

        Raises:
            InputError: A name, a shape or a value is not as it must be.
        """
        require_settings(settings, {*STORED, "widths"})
        given = dict(settings)
        widths = given.pop("widths")
        check_settings(given, widths)
        n = widths[0] // given["frames"]
        shapes: dict[str, tuple[int, ...]] = {"mean": (n,), "variance": (n,)}
        for k, (wide, next_wide) in enumerate(pairwise(widths)):
            shapes |= {f"layer{k}.weight": (next_wide, wide), f"layer{k}.bias": (next_wide,)}
        if given["head"] == "gaussian":
            shapes["log_std"] = (given["sizes"][0],)
        require_arrays(arrays, shapes)
        layers = [(arrays[f"layer{k}.weight"], arrays[f"layer{k}.bias"]) for k in range(len(widths) - 1)]
        return cls(layers, arrays["mean"], arrays["variance"], log_std=arrays.get("log_std"), **given)


def check_settings(given: dict[str, Any], widths: Any) -> None:
    """Refuse settings that no perceptron has.

    Raises:
        InputError: A value is not as it must be.
    """
    require_view(given["view"])
    check_head(given["head"], given["sizes"], given["is_sampled"])
    require_frames(given["frames"])
    require_choice("activation", given["activation"], tuple(ACTIVATIONS))
    if type(given["clip"]) not in (int, float) or not 0 < given["clip"] < 1e9:
        raise InputError(f"clip = {shown(given['clip'])}; give a number above 0")
    is_widths = isinstance(widths, list) and len(widths) >= 2 and all(type(n) is int and 0 < n < 1 << 20 for n in widths)
    if not is_widths or widths[0] % given["frames"] or widths[-1] != n_outputs(given["head"], given["sizes"]):
        raise InputError(f"widths = {shown(widths)} are not those of such a network; save the agent anew")
