"""Transforms that change how many requests there are, and leave time alone."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from sageserve_env.compile import entry_point
from sageserve_env.errors import InputError
from sageserve_env.portable import exp
from sageserve_env.workload.checks import check_number, check_seed, check_shares
from sageserve_env.workload.drawn.intensity import Intensity
from sageserve_env.workload.drawn.rng import NOISE, generator_words
from sageserve_env.workload.request import Chunk
from sageserve_env.workload.transforms.operations import Counts, Operation, Plan
from sageserve_env.world.checks import LARGEST, require_within
from sageserve_env.world.schema import TIERS

STEPS_PER_CORRELATION = 8
"""Noise levels hold for this part of their correlation time."""

KEEP = math.exp(-1 / STEPS_PER_CORRELATION)
"""Correlation of the logarithms of a level and the next."""

MOST_FACTOR = 1e6
"""No workload is scaled up further."""

BEFORE = 0x70617374
"""Sets seeds of the time before a workload apart from its own."""

MOST_COPIES = 1e4
MOST_NOISE = 10.0
"""Levels of e^10 and e^-10 beside each other."""

SHORTEST_S = 0.01
"""Of bursts and noise: a level changes as often as once in this time."""


class Weighting(Operation):
    """An operation that changes how many requests there are and leaves time alone."""

    @abstractmethod
    def cuts(self, duration_s: float) -> NDArray[np.float64]:
        """Times at which the level changes. Shape (n,), seconds."""

    @abstractmethod
    def level(self, t: NDArray[np.float64], model: str, duration_s: float, seed: int) -> NDArray[np.float64]:
        """Factor on the rate of a model at times ``t``. Shape of ``t``."""

    def fold(self, intensity: Intensity, seed: int, number: int) -> Intensity:
        """Rates times the level, with edges where the level changes."""
        fine = intensity.refined(self.cuts(intensity.duration_s))
        middles = 0.5 * (fine.edges[:-1] + fine.edges[1:])
        key = int(generator_words(seed, NOISE, number)[0])
        by_model = {s.model: self.level(middles, s.model, intensity.duration_s, key) for s in fine.series}
        return fine.times(np.stack([by_model[s.model] for s in fine.series]))

    def plan(self, duration_s: float, models: tuple[str, ...], measure: Callable[[], Counts], seed: int) -> Plan:
        """Copies by the level at the time of arrival."""

        def weight(chunk: Chunk) -> NDArray[np.float64]:
            result = np.ones(chunk.size)
            for k in np.unique(chunk["model"]):
                rows = chunk["model"] == k
                result[rows] = self.level(chunk["arrival_s"][rows], models[k], duration_s, seed)
            return result

        return Plan(0.0, np.inf, 0.0, weight)


@dataclass(frozen=True)
class Scale(Weighting):
    """``factor`` times as many requests."""

    factor: float

    def __post_init__(self) -> None:
        """Check the factor."""
        check_number("scale: factor", self.factor, open_minimum=True, maximum=MOST_FACTOR)

    def label(self, name: str) -> str:
        """Name with the factor."""
        return f"{name} x{self.factor:g}"

    def cuts(self, duration_s: float) -> NDArray[np.float64]:
        """None."""
        return np.empty(0)

    def level(self, t: NDArray[np.float64], model: str, duration_s: float, seed: int) -> NDArray[np.float64]:
        """The factor."""
        return np.full(t.shape, float(self.factor))


@dataclass(frozen=True)
class Burst(Weighting):
    """The requests of the first ``window_s`` of every ``every_s`` come ``copies`` more times (the paper's 8x bursts)."""

    copies: float = 8
    window_s: float = 60.0
    every_s: float = 3600.0

    def __post_init__(self) -> None:
        """Check numbers."""
        require_within("burst: copies", self.copies, 0, MOST_COPIES, "copies")
        require_within("burst: window_s", self.window_s, SHORTEST_S, LARGEST, "seconds")
        require_within("burst: every_s", self.every_s, SHORTEST_S, LARGEST, "seconds")
        if self.window_s > self.every_s:
            raise InputError(f"burst: window_s = {self.window_s:g} is longer than every_s = {self.every_s:g}; shorten the window")

    def label(self, name: str) -> str:
        """Name with the burst."""
        return f"{name} burst+{self.copies:g}"

    def cuts(self, duration_s: float) -> NDArray[np.float64]:
        """Starts and ends of the windows."""
        starts = np.arange(0.0, duration_s, self.every_s)
        return np.concatenate([starts, starts + self.window_s])

    def level(self, t: NDArray[np.float64], model: str, duration_s: float, seed: int) -> NDArray[np.float64]:
        """1 + copies inside a window, else 1."""
        return np.where(t % self.every_s < self.window_s, 1.0 + self.copies, 1.0)


@dataclass(frozen=True)
class Noise(Weighting):
    """A log-normal level of mean 1 for each model, for domain randomisation.

    Attributes:
        sigma: Standard deviation of the level's logarithm.
        correlation_s: Time in which the logarithm's autocorrelation falls to 1/e.
        seed: Fixes the levels; ``None`` draws them anew for each seed of the stream.
    """

    sigma: float
    correlation_s: float = 3600.0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check numbers."""
        require_within("noise: level", self.sigma, 0, MOST_NOISE, "a standard deviation")
        require_within("noise: correlation_s", self.correlation_s, SHORTEST_S, LARGEST, "seconds")
        if self.seed is not None:
            check_seed(self.seed)

    def before(self) -> Noise:
        """Other levels: the same ones would tell what is to come."""
        return self if self.seed is None else replace(self, seed=self.seed ^ BEFORE)

    @property
    def varies_with_seed(self) -> bool:
        """Only without a seed of its own."""
        return self.seed is None

    def label(self, name: str) -> str:
        """Name with the noise."""
        return f"{name} noise{self.sigma:g}"

    @property
    def _step_s(self) -> float:
        """The level is constant for this long."""
        return self.correlation_s / STEPS_PER_CORRELATION

    def cuts(self, duration_s: float) -> NDArray[np.float64]:
        """Every step."""
        return np.arange(0.0, duration_s, self._step_s)

    def level(self, t: NDArray[np.float64], model: str, duration_s: float, seed: int) -> NDArray[np.float64]:
        """Exponential of a stationary first-order autoregression over the steps."""
        steps = int(duration_s / self._step_s) + 1
        return _noise_levels(seed if self.seed is None else self.seed, model, self.sigma, steps)[
            (t / self._step_s).astype(np.int64)
        ]


@lru_cache(maxsize=64)
def _noise_levels(seed: int, model: str, sigma: float, steps: int) -> NDArray[np.float64]:
    """Levels of a model's noise. Shape (steps,), mean 1 in expectation."""
    index = int.from_bytes(blake2b(model.encode(), digest_size=8).digest(), "little")
    words = [int(word) for word in generator_words(seed, NOISE, index)]
    normal = np.random.Generator(np.random.PCG64(words)).standard_normal(steps)
    _autoregress(normal, KEEP)
    return exp(sigma * normal - 0.5 * sigma**2)


@entry_point
def _autoregress(normal: NDArray[np.float64], keep: float) -> None:
    """Turn independent standard normals into a first-order autoregression of variance 1, in place."""
    fresh = np.sqrt(1 - keep * keep)
    for k in range(1, normal.shape[0]):
        normal[k] = keep * normal[k - 1] + fresh * normal[k]


@dataclass(frozen=True)
class Mix(Operation):
    """Other shares of tiers or of models, the expected number of requests unchanged.

    Attributes:
        kind: ``"tier"`` or ``"model"``.
        shares: Relative shares by name; those not named get none.
    """

    kind: str
    shares: dict[str, float]

    def __post_init__(self) -> None:
        """Check the shares."""
        check_shares(f"{self.kind}_mix", self.shares)
        for name in self.shares:
            if self.kind == "tier" and name not in TIERS:
                raise InputError(f"tier_mix: tier {name!r} does not exist; the tiers are {', '.join(TIERS)}")

    def label(self, name: str) -> str:
        """Name with the shares."""
        return f"{name} {self.kind}s " + ":".join(f"{key}={share:g}" for key, share in self.shares.items())

    def factors(self, counts: Counts, models: tuple[str, ...]) -> Counts:
        """Weight of a request of each model and tier that turns the counted shares into the wanted ones.

        Raises:
            InputError: A share is asked of a tier or model that the workload does not have.
        """
        names = TIERS if self.kind == "tier" else models
        have = counts.sum(axis=0 if self.kind == "tier" else 1)
        for name, share in self.shares.items():
            if name not in names or (share > 0 and have[names.index(name)] == 0):
                present = [n for n, count in zip(names, have, strict=True) if count > 0]
                raise InputError(f"{self.kind}_mix: the workload has no {self.kind} {name!r}; it has {', '.join(present)}")
        want = np.array([self.shares.get(name, 0.0) for name in names], float)
        want *= have.sum() / want.sum()
        factor = np.divide(want, have, out=np.zeros(len(names)), where=have > 0)
        return np.broadcast_to(factor if self.kind == "tier" else factor[:, None], counts.shape)

    def fold(self, intensity: Intensity, seed: int, number: int) -> Intensity:
        """Exact: shares within a series and rates of the series."""
        models = tuple(dict.fromkeys(s.model for s in intensity.series))
        counts = np.zeros((len(models), len(TIERS)))
        for s, expected in zip(intensity.series, intensity.expected(), strict=True):
            counts[models.index(s.model)] += expected * np.asarray(s.tiers) / sum(s.tiers)
        factors = self.factors(counts, models)
        series, gains = [], []
        for s in intensity.series:
            weights = np.asarray(s.tiers) * factors[models.index(s.model)]
            gains.append(weights.sum() / sum(s.tiers))
            tiers = tuple(weights.tolist()) if weights.sum() > 0 else s.tiers
            series.append(replace(s, tiers=tiers))
        return replace(intensity.times(np.array(gains)[:, None]), series=tuple(series))

    def plan(self, duration_s: float, models: tuple[str, ...], measure: Callable[[], Counts], seed: int) -> Plan:
        """Copies by model and tier, from measured counts."""
        factors = self.factors(measure(), models)
        return Plan(0.0, np.inf, 0.0, lambda chunk: factors[chunk["model"], chunk["tier"]])
