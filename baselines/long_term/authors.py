"""Long-term control as the paper's authors ran it, which is not the paper's text: for the figures that they printed.

From the code of their simulator (shashwatj07/SageServe, commit 0b95ca2): demand is the highest minute, from minute 20 of the hour
on, of what an ARIMA(3,1,2) predicts one minute ahead; it was fitted to the very traffic that it predicts and is fed with it, so it
knows the future. No constraint spans regions; requests stay in their first region. Fleets start from 8 instances of each model and
region, and 12 more as spot VMs that hold it.

Left out: a tenth of the largest single NIW prompt of the last hour, which their demand adds (27 of Llama-2-70B's 3,758 tokens/s).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baselines.fleet import equal_fleet
from baselines.forecast import HOUR_S, token_rates
from baselines.long_term.policy import Bounds, Reals, endpoint_bounds, one_pool, plan_fleet
from sageserve_env.errors import InputError
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.sim.requests.routing import MOST_LOAD
from sageserve_env.workload import Workload
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.sizes import table_mean
from sageserve_env.world.checks import require, require_not_negative, require_within
from sageserve_env.world.presets.published import REGIONS
from sageserve_env.world.schema import World

MINUTE_S = 60.0
COEFFICIENTS: dict[str, tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]] = {
    "llama-2-70b": (
        ((-0.8233, 0.0878, -0.0030), (-0.0239, -0.8758)),
        ((-0.7808, 0.0702, 0.0011), (-0.0777, -0.8264)),
        ((-0.8570, 0.0994, 0.0022), (0.0114, -0.9115)),
    ),
    "bloom-176b": (
        ((0.7338, 0.0116, 0.0327), (-1.4724, 0.4921)),
        ((-0.7696, 0.3674, 0.1701), (0.0319, -0.9151)),
        ((0.6050, 0.0765, 0.0799), (-1.2631, 0.2910)),
    ),
    "llama-3.1-8b": (
        ((-0.8462, 0.0820, 0.0318), (-0.0195, -0.7985)),
        ((-0.4190, 0.0845, 0.0272), (-0.3558, -0.4453)),
        ((-0.8549, 0.0456, 0.0115), (-0.0093, -0.7867)),
    ),
    "llama-3.2-3b": (
        ((-0.5044, 0.0479, -0.0215), (-0.2926, -0.5680)),
        ((-0.7475, 0.0516, -0.0755), (-0.0290, -0.7936)),
        ((-0.7507, 0.0778, -0.0522), (-0.0282, -0.7972)),
    ),
}
"""Of their ARIMA(3,1,2) of each model and region, in the order of ``REGIONS``: autoregressive and moving-average, as printed in
``notebooks/arima_modelling_new_data.ipynb``. Fitted to the sums of each minute of the whole week."""

PLANNED_MINUTES = slice(20, 60)
"""Minutes of the hour whose highest prediction is planned for."""

THETA = {"llama-2-70b": 7516.67 / 2, "bloom-176b": 5398.07 / 2, "llama-3.1-8b": 8e5, "llama-3.2-3b": 8e5}
"""Input tokens/s that they plan an instance to sustain, whatever its hardware."""

NEVER = 1.0
"""An emergency utilization that none is above, at which one instance more than the cap still is not too many."""

OBSERVED = ("all-models", "own-model")


@dataclass
class AuthorsLongTerm(ABC):
    """Targets at every full hour; each of the three says how the fleet follows them.

    Attributes:
        initial_instances: Instances of each endpoint until the first plan.
        reroutes: Whether requests may be sent to another region than their first.
        throughput: Input tokens/s of an instance, shape (M, K); None: ``THETA``.
        predicted: Interactive input tokens/s of each minute, shape (R, M, minutes), as :func:`predict` makes them; None: made anew.
        targets: What was planned for each hour, instances of each endpoint and type, shape (N, K).
    """

    initial_instances: int = 8
    reroutes: bool = False
    throughput: Any = None
    predicted: Any = field(default=None, repr=False)
    targets: list[Bounds] = field(init=False, repr=False, compare=False, default_factory=list)
    _foreseen: tuple[Workload, int] | None = field(init=False, repr=False, compare=False, default=None)

    def foresee(self, workload: Workload, seed: int) -> None:
        """Learn what will arrive, before :meth:`reset`."""
        self._foreseen = workload, seed

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Predict, no plan yet.

        Raises:
            InputError: The world has several pools or a model whose throughput is not known, or nobody showed what will arrive.
        """
        world = self._world = one_pool(scenario.world, type(self).__name__)
        if self.predicted is None:
            require(
                self._foreseen is not None, "predicted", None, "is missing; run the policy by run_episode, which shows the traffic"
            )
            assert self._foreseen is not None
            self._predicted = predict(self._foreseen[0], world, self._foreseen[1])
        else:
            self._predicted = np.asarray(self.predicted)
        self._throughput = planned_throughput(world) if self.throughput is None else np.asarray(self.throughput, np.float64)
        self._knobs = Knobs.static(world)
        if not self.reroutes:
            self._knobs.routing_threshold[:] = MOST_LOAD
        self._start = equal_fleet(world, self.initial_instances)
        self.targets = []

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The starting fleet at time 0; from then on a plan at each new hour, at which fleets above their target fall at once."""
        if telemetry.now_s == 0.0:
            return replace(self._knobs, floor=self._start, cap=self._start)
        hour = int(telemetry.now_s // HOUR_S)
        is_new = hour >= len(self.targets)
        while hour >= len(self.targets):
            self.targets.append(self._plan(hour, telemetry))
        return self.follow(telemetry, self.targets[-1], is_new)

    @abstractmethod
    def follow(self, telemetry: Telemetry, target: Bounds, is_new: bool) -> Knobs:
        """The knobs by which the fleet follows its target, which ``is_new`` at the first decision of an hour."""

    def minute(self, now_s: float) -> int:
        """Index of the next minute's prediction, or the last one's."""
        return min(int(now_s // MINUTE_S) + 1, self._predicted.shape[2] - 1)

    def _plan(self, hour: int, telemetry: Telemetry) -> Bounds:
        minutes = self._predicted[:, :, 60 * hour : 60 * (hour + 1)][:, :, PLANNED_MINUTES]
        if minutes.shape[2] == 0:  # the traffic ends before minute 20
            return self.targets[-1] if self.targets else self._start
        demand = np.maximum(minutes.max(axis=2, keepdims=True), 0.0)
        now = telemetry.active + telemetry.provisioning
        return endpoint_bounds(plan_fleet(self._world, self._throughput, now, demand, epsilon=1.0))


@dataclass
class AuthorsLtI(AuthorsLongTerm):
    """LT-I: to the target at once. Options: see :class:`AuthorsLongTerm`."""

    name: ClassVar[str] = "authors-lt-i"

    def follow(self, telemetry: Telemetry, target: Bounds, is_new: bool) -> Knobs:
        """The target, no less and no more."""
        return replace(self._knobs, floor=target, cap=target)


@dataclass
class AuthorsLtU(AuthorsLongTerm):
    """LT-U: falls at once, rises while busy; above ``emergency_utilization`` one past the target, until idle.

    Attributes:
        emergency_utilization: Above 1: never past the target.

    Other options: see :class:`AuthorsLongTerm`.
    """

    name: ClassVar[str] = "authors-lt-u"

    emergency_utilization: float = 0.9

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """See :meth:`AuthorsLongTerm.reset`."""
        require_within("emergency_utilization", self.emergency_utilization, 0, MOST_LOAD, "a utilization, such as 0.9")
        super().reset(scenario, rng)

    def follow(self, telemetry: Telemetry, target: Bounds, is_new: bool) -> Knobs:
        """Up to the target, and down to it."""
        knobs = toward(self._knobs, telemetry, target)
        return knobs if is_new else replace(knobs, emergency_utilization=np.full(len(target), self.emergency_utilization))


@dataclass
class AuthorsLtUa(AuthorsLongTerm):
    """LT-UA: LT-U, but past the target, however idle, where the last minute's traffic is far above the next minute's prediction.

    Attributes:
        out_factor: How many times the prediction.
        observed: ``"all-models"``, as their code has it: the prompt tokens of all models and tiers that reached the region, beside
            the prediction of its last model alone; ``"own-model"``: the endpoint's interactive prompt tokens beside its own.

    Other options: see :class:`AuthorsLongTerm`.
    """

    name: ClassVar[str] = "authors-lt-ua"

    out_factor: float = 5.0
    observed: str = "all-models"

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """See :meth:`AuthorsLongTerm.reset`."""
        require_not_negative("out_factor", self.out_factor, "give a factor, such as 5")
        require(self.observed in OBSERVED, "observed", repr(self.observed), f"is not known; choose one of {', '.join(OBSERVED)}")
        super().reset(scenario, rng)
        self._seen: deque[tuple[float, NDArray[np.int64]]] = deque()

    def follow(self, telemetry: Telemetry, target: Bounds, is_new: bool) -> Knobs:
        """LT-U's, with any utilization an emergency where the prediction is far off."""
        knobs, is_far = toward(self._knobs, telemetry, target), self._is_far(telemetry)
        return knobs if is_new else replace(knobs, emergency_utilization=np.where(is_far, 0.0, NEVER))

    def _is_far(self, telemetry: Telemetry) -> NDArray[np.bool_]:
        """Whether an endpoint's traffic is far above its prediction, shape (N,)."""
        observed = self._last_minute(telemetry).reshape(len(self._world.regions), -1, telemetry.routed_tokens.shape[1])
        predicted = self._predicted[:, :, self.minute(telemetry.now_s)]
        if self.observed == "own-model":
            return (observed[:, :, :2].sum(axis=2) > self.out_factor * predicted).ravel()
        is_far = observed.sum(axis=(1, 2)) > self.out_factor * predicted[:, -1]
        return np.repeat(is_far, len(self._world.models))

    def _last_minute(self, telemetry: Telemetry) -> Reals:
        """Prompt tokens/s that reached each endpoint in the last minute by tier, shape (N, T)."""
        self._seen.append((telemetry.now_s, telemetry.routed_tokens))
        while len(self._seen) > 2 and self._seen[1][0] <= telemetry.now_s - MINUTE_S:
            self._seen.popleft()
        since_s, before = self._seen[0]
        rates: Reals = (telemetry.routed_tokens - before) / max(telemetry.now_s - since_s, MINUTE_S)
        return rates


def toward(knobs: Knobs, telemetry: Telemetry, target: Bounds) -> Knobs:
    """Out while busy up to the target, in while idle down to it."""
    now = (telemetry.active + telemetry.provisioning).astype(np.int32)
    return replace(knobs, floor=np.minimum(now, target), cap=target)


def planned_throughput(world: World) -> Reals:
    """``THETA`` of a world's models, shape (M, K).

    Raises:
        InputError: They planned no such model.
    """
    unknown = [model.name for model in world.models if model.name not in THETA]
    if unknown:
        raise InputError(
            f"model = {unknown[0]!r} was not planned by the authors; give throughput, or take one of {', '.join(THETA)}"
        )
    return np.array([[THETA[model.name]] * len(world.vm_types) for model in world.models])


def predict(workload: Workload, world: World, seed: int) -> Reals:
    """One-minute-ahead predictions of the interactive input tokens/s, shape (R, M, minutes), by the coefficients that they print.

    Raises:
        InputError: The world has other regions or models than theirs.
    """
    models, regions = [model.name for model in world.models], tuple(region.name for region in world.regions)
    known = regions == REGIONS and set(models) <= set(COEFFICIENTS)
    names = f"'{', '.join(models)}' in '{', '.join(regions)}'"
    require(known, "models", names, "were not predicted by the authors; give predicted, or a world such as 'authors-a100'")
    rates = minute_rates(workload, world, seed)
    predicted = [
        [one_ahead(series, *COEFFICIENTS[model][region]) for model, series in zip(models, of_region, strict=True)]
        for region, of_region in enumerate(rates)
    ]
    return np.array(predicted)


def minute_rates(workload: Workload, world: World, seed: int) -> Reals:
    """Interactive input tokens/s of each minute, shape (R, M, minutes).

    Of a workload drawn from rates, those rates: the O365 curves are the authors' own minute sums, split among the regions, and what
    is drawn from them scatters about them as theirs does not. Of any other workload, its requests.
    """
    base = getattr(workload, "base", workload)
    if not isinstance(base, IntensityWorkload):
        return token_rates(workload, world, seed, MINUTE_S)
    intensity = base.folded(seed)
    regions, models = [region.name for region in world.regions], [model.name for model in world.models]
    minutes = math.ceil(intensity.duration_s / MINUTE_S)
    ends = np.minimum(MINUTE_S * np.arange(minutes + 1), intensity.duration_s)
    rates = np.zeros((len(regions), len(models), minutes))
    for series, tokens in zip(intensity.series, intensity.rate * intensity.prompt_factor, strict=True):
        arrived = np.append(0.0, np.cumsum(tokens * np.diff(intensity.edges))) * table_mean(series.prompt)
        interactive = sum(series.tiers[:2]) / sum(series.tiers)
        shares = series.regions or dict.fromkeys(regions, 1.0)
        for region, share in shares.items():
            split = interactive * share / sum(shares.values())
            rates[regions.index(region), models.index(series.model)] += split * np.diff(np.interp(ends, intensity.edges, arrived))
    return rates / np.diff(ends)


def one_ahead(series: Reals, ar: tuple[float, ...], ma: tuple[float, ...]) -> Reals:
    """What an ARIMA(3,1,2) predicts for each point of a series from those before it, shape (n,); 0 for the first.

    Example:
        >>> one_ahead(np.array([1.0, 3.0, 4.0]), (0.5, 0.0, 0.0), (0.0, 0.0))  # half of the last step goes on
        array([0., 1., 4.])
    """
    steps, expected = np.diff(series), np.zeros(series.size)
    errors = np.zeros(series.size)
    for now in range(1, series.size - 1):
        expected[now] = sum(weight * steps[now - lag] for lag, weight in enumerate(ar, 1) if lag <= now)
        expected[now] += sum(weight * errors[now - lag] for lag, weight in enumerate(ma, 1) if lag <= now)
        errors[now] = steps[now] - expected[now]
    return np.append(0.0, series[:-1] + expected[:-1])[: series.size]
