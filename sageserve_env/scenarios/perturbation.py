"""How an episode's traffic departs from its day: one perturbation, and the law that draws perturbations for training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import check_number
from sageserve_env.workload.drawn.intensity import Intensity
from sageserve_env.workload.transforms.compose import Composable
from sageserve_env.workload.transforms.weightings import BEFORE
from sageserve_env.world.schema import TIERS

Factors = tuple[tuple[str, float], ...]
"""Factors on shares by name; names left out keep factor 1."""

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Perturbation:
    """One departure from the recorded traffic. The defaults change nothing.

    Attributes:
        level: Factor on the number of requests.
        models: Factors on the models' shares of requests, before the shares are brought back to a sum of 1.
        tiers: The same for the tiers.
        phase_s: Everything comes so many seconds later (cyclic in the window of the episode: a day, or the week).
        burst_copies: The requests of the first minute of every hour come so many more times; 0 is no burst.
        noise: Standard deviation of the logarithm of a random level for each model, correlated over an hour; 0 is none.
        noise_seed: Seed of that level.
    """

    level: float = 1.0
    models: Factors = ()
    tiers: Factors = ()
    phase_s: float = 0.0
    burst_copies: float = 0.0
    noise: float = 0.0
    noise_seed: int = 0

    def apply(self, workload: Composable, shares: Shares) -> Composable:
        """The workload so perturbed.

        Args:
            workload: One that can be transformed.
            shares: Its shares of models and tiers; read only where the perturbation changes them.
        """
        mixed = self.shares(shares)
        if self.level != 1:
            workload = workload.scale(self.level)
        if self.models:
            workload = workload.model_mix(mixed.models)
        if self.tiers:
            workload = workload.tier_mix(mixed.tiers)
        if self.phase_s:
            workload = workload.shift(self.phase_s)
        if self.burst_copies:
            workload = workload.burst(self.burst_copies)
        if self.noise:
            workload = workload.noise(self.noise, seed=self.noise_seed)
        return workload

    def before(self) -> Perturbation:
        """The perturbation of the days before: the same law, other noise."""
        return replace(self, noise_seed=self.noise_seed ^ BEFORE)

    def without_phase(self) -> Perturbation:
        """The perturbation of a source that moves its own curves."""
        return replace(self, phase_s=0.0)

    def shares(self, shares: Shares) -> Shares:
        """The shares wanted in place of a workload's own; they need not sum to 1."""
        return Shares(_reweighted(shares.models, self.models), _reweighted(shares.tiers, self.tiers))

    def describe(self) -> dict[str, float | str]:
        """Its numbers by name, flat, for ``Episode.description``."""
        numbers: dict[str, float | str] = {"level": self.level, "phase_s": self.phase_s, "burst_copies": self.burst_copies}
        numbers |= {"noise": self.noise, "noise_seed": float(self.noise_seed)}
        numbers |= {f"share_factor {name}": factor for name, factor in (*self.models, *self.tiers)}
        return numbers


@dataclass(frozen=True)
class Shares:
    """Relative shares of models and of tiers among the expected requests of a workload."""

    models: dict[str, float]
    tiers: dict[str, float]

    @classmethod
    def of(cls, intensity: Intensity) -> Shares:
        """Those of the requests that rates lead to expect."""
        models: dict[str, float] = {}
        tiers = dict.fromkeys(TIERS, 0.0)
        expected = intensity.expected() / intensity.expected().sum()
        for series, share in zip(intensity.series, expected.tolist(), strict=True):
            models[series.model] = models.get(series.model, 0.0) + share
            for tier, part in zip(TIERS, series.tiers, strict=True):
                tiers[tier] += share * part / sum(series.tiers)
        return cls(models, tiers)


def _reweighted(shares: dict[str, float], factors: Factors) -> dict[str, float]:
    """Shares times factors; a share of 0 stays 0."""
    by_name = dict(factors)
    return {name: share * by_name.get(name, 1.0) for name, share in shares.items() if share > 0}


@dataclass(frozen=True)
class Randomisation:
    """Bounds of the perturbations of a train split; each number is drawn independently of the others.

    Attributes:
        level: Factor on the number of requests, log-uniform.
        model_factor: Factor on each model's share, log-uniform.
        tier_factor: Factor on each tier's share, log-uniform.
        phase_s: Shift in seconds, uniform.
        burst_probability: Probability of hourly bursts.
        burst_copies: Their further copies, log-uniform.
        noise: Standard deviation of the noise's logarithm, uniform.

    Raises:
        InputError: Bounds that are not finite, not in order, or (for factors and copies) not above 0.
    """

    level: Bounds = (0.7, 1.4)
    model_factor: Bounds = (0.7, 1.4)
    tier_factor: Bounds = (0.8, 1.25)
    phase_s: Bounds = (-7200.0, 7200.0)
    burst_probability: float = 0.25
    burst_copies: Bounds = (1.0, 8.0)
    noise: Bounds = (0.0, 0.2)

    def __post_init__(self) -> None:
        """Check the bounds."""
        for name in ("level", "model_factor", "tier_factor", "burst_copies", "noise", "phase_s"):
            low, high = getattr(self, name)
            minimum = -np.inf if name == "phase_s" else 0.0
            check_number(f"randomisation: lower bound of {name}", low, minimum=minimum, open_minimum=name != "noise")
            if check_number(f"randomisation: upper bound of {name}", high, minimum=minimum) < low:
                raise InputError(f"randomisation: {name} = {low} to {high} is not in order; give the lower bound first")
        if check_number("randomisation: burst_probability", self.burst_probability) > 1:
            raise InputError(f"randomisation: burst_probability = {self.burst_probability} is not usable; give 0 to 1")

    def draw(self, rng: np.random.Generator, models: tuple[str, ...]) -> Perturbation:
        """One perturbation; takes the same number of draws whatever comes out."""
        level = _log_uniform(rng, self.level)
        by_model = tuple((name, _log_uniform(rng, self.model_factor)) for name in models)
        by_tier = tuple((name, _log_uniform(rng, self.tier_factor)) for name in TIERS)
        phase_s = float(rng.uniform(*self.phase_s))
        has_bursts = rng.random() < self.burst_probability
        copies = _log_uniform(rng, self.burst_copies)
        noise, noise_seed = float(rng.uniform(*self.noise)), int(rng.integers(2**32))
        return Perturbation(
            level, by_model if len(models) > 1 else (), by_tier, phase_s, copies if has_bursts else 0.0, noise, noise_seed
        )


def _log_uniform(rng: np.random.Generator, bounds: Bounds) -> float:
    low, high = bounds
    # The exponential of a logarithm may round past a bound.
    return min(max(math.exp(rng.uniform(math.log(low), math.log(high))), low), high)
