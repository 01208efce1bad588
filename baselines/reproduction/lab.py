"""Runs of the experiments: what is simulated, how much of it, and each run once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines import capacity
from baselines.fleet import starting_at
from baselines.forecast import Forecast
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import Policy, load_policy
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.forecasters import load_forecaster
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.metrics import FleetRow, ServiceRow
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.workload import Composable, Workload, load_workload
from sageserve_env.world import World, load_world
from sageserve_env.world.checks import require_count, require_within

HOUR_S, DAY_H, MONTH_H = 3600.0, 24.0, 720.0
MODEL = "llama-2-70b"
"""The model of the paper's main figures."""

DAY = "o365-tuesday"
DAY_VOLUME = 1.063
"""The day of the authors' printed figures, and what the recovered curves lack of its requests [C]."""

GAPS_CV = 2.0
"""Coefficient of variation of the gaps between arrivals. Production is burstier than Poisson; that day's gaps are not known."""

WEEK = "o365-week"
LONG_TERM = ("lt-i", "lt-u", "lt-ua")
STRATEGIES = ("reactive", *LONG_TERM)
LT_INSTANCES = 8
"""Instances with which the long-term strategies start [C]."""

SATURATION, LEVEL = "saturation", "level"
"""Two readings of the program's theta, the input tokens/s that an instance sustains: so that its queue does not grow, or so that
95 % of IW-F meet their level. The paper does not say."""

SEARCHES = {SATURATION: capacity.SATURATED, LEVEL: capacity.LEVEL}

SHARES = np.linspace(0.0, 1.0, 1001)
"""Shares at which a run keeps quantiles of its latencies."""

INTERACTIVE_CODES = (0, 1)

QUICK_SCALE, QUICK_HOURS = 0.05, 2.0
"""What a quick reproduction is cut down to, where nothing else is said."""

Change = Callable[[Composable], Composable]


@dataclass(frozen=True)
class Setting:
    """How much of the paper's experiments to run.

    Attributes:
        scale: Factor on all requests; 1 is the published volume.
        hours: Length of a run, from 1 to 24, taken from the middle of the day.
        quick: Fewer points in each sweep, and yesterday as the forecast: to see that all works, not to compare.
        forecaster: Of the paper's long-term strategies; None: ``"seasonal-naive"`` if quick, else each policy's own.
        seed: Of workload and policies.

    Raises:
        InputError: A number is out of range, or there is no such forecaster.
    """

    scale: float = 1.0
    hours: float = DAY_H
    quick: bool = False
    forecaster: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check numbers."""
        require_within("--scale", self.scale, 1e-4, 1e4, "a factor")
        if not 1 <= self.hours <= DAY_H:
            raise InputError(f"--hours = {self.hours:g} is out of range; give 1 to 24")
        require_count("--seed", self.seed, 0, 2**63 - 1)
        if self.forecaster is not None:
            load_forecaster(self.forecaster)

    @property
    def is_full(self) -> bool:
        """Whether the paper's experiments are run as they are."""
        return self.scale == 1 and self.hours == DAY_H and not self.quick

    def sweep(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Points of a sweep: all, or its ends."""
        return (values[0], values[-1]) if self.quick else values

    def arguments(self) -> str:
        """What ``sageserve reproduce`` has to be told."""
        words = [f"--scale {self.scale:g}" * (self.scale != 1), f"--hours {self.hours:g}" * (self.hours != DAY_H)]
        words += ["--quick" * self.quick, f"--forecaster {self.forecaster}" * (self.forecaster is not None)]
        words += [f"--seed {self.seed}" * (self.seed != 0)]
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Run:
    """One run, and what the report reads from it.

    Attributes:
        result: Of the episode, without its requests.
        ttft_s, e2e_s: Quantiles of ``MODEL``'s interactive latencies at ``SHARES``; NaN where nothing was served or logged.
        sampled_outs: Scale-outs by model as they show between two decisions: what comes and goes in between does not.
    """

    result: Result
    ttft_s: NDArray[np.float64]
    e2e_s: NDArray[np.float64]
    sampled_outs: dict[str, int]

    def ttft(self, share: float) -> float:
        """A quantile of the interactive time to first token, seconds."""
        return float(np.interp(share, SHARES, self.ttft_s))

    def e2e(self, share: float) -> float:
        """A quantile of the interactive time to completion, seconds."""
        return float(np.interp(share, SHARES, self.e2e_s))

    def fleet(self, model: str = MODEL) -> FleetRow:
        """The fleet of a model in all regions; ``"all"``: of all models."""
        if model == "all":
            return self.result.metrics.fleet_total
        return next(row for row in self.result.metrics.fleet_by("model") if row.model == model)

    def mean_h(self, model: str = MODEL) -> float:
        """Instance-hours as they are paid for: active, provisioning and draining."""
        row = self.fleet(model)
        return row.active_h + row.provisioning_h + row.draining_h

    def peak_h(self, model: str = MODEL) -> float:
        """Instance-hours as the authors count them: by the most active instances of each quarter of an hour."""
        return self.fleet(model).peak_15min_h

    def service(self, tier: str, model: str = MODEL) -> ServiceRow:
        """How a tier of a model fared."""
        rows = self.result.metrics.service_by("model-tier")
        return next(row for row in rows if row.model == model and row.tier == tier)

    def violations(self, tier: str, model: str = MODEL) -> float:
        """Share of a tier's requests outside their level, percent."""
        return 100 * (1 - self.service(tier, model).slo_attainment)

    def dollars_a_month(self, model: str = "all") -> float:
        """Dollars of a model's fleet in 30 days like this run."""
        return self.fleet(model).dollars * MONTH_H / (self.result.horizon_s / HOUR_S)


class Sampled:
    """A policy, and beside it the scale-outs that show between its decisions."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.name = getattr(policy, "name", type(policy).__name__)
        self.outs: NDArray[np.int64] = np.zeros(0, np.int64)
        self._before: NDArray[np.int64] | None = None

    def prepare(self, world: World) -> World:
        """The policy's."""
        prepare = getattr(self.policy, "prepare", None)
        return world if prepare is None else prepare(world)

    def foresee(self, workload: Workload, seed: int) -> None:
        """The policy's."""
        foresee = getattr(self.policy, "foresee", None)
        if foresee is not None:
            foresee(workload, seed)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """The policy's."""
        self.outs = np.zeros(len(scenario.world.models), np.int64)
        self._before = None
        self.policy.reset(scenario, rng)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """Count, then decide. The first interval does not count: in it a fleet comes to where its policy starts."""
        active = telemetry.active.sum(axis=1)
        if self._before is not None:
            np.add.at(self.outs, telemetry.model, np.maximum(active - self._before, 0))
        self._before = active if telemetry.now_s > 0 else None
        return self.policy.decide(telemetry)


class Remembered:
    """A forecaster that answers an equal question from memory: strategies that are compared ask the same ones."""

    def __init__(self, base: Any) -> None:
        self.base = base
        self._answers: dict[tuple[bytes, float], Forecast] = {}

    def forecast(self, history: Any, window_s: float) -> Forecast:
        """See :class:`baselines.forecast.base.Forecaster`."""
        key = np.asarray(history, np.float64).tobytes(), window_s
        if key not in self._answers:
            self._answers[key] = self.base.forecast(history, window_s)
        return self._answers[key]


@dataclass
class Lab:
    """Runs episodes, each of them once.

    Attributes:
        setting: How much to run.
        note: Told about each run that begins.
    """

    setting: Setting
    note: Callable[[str], None] = print
    _runs: dict[Any, Run] = field(default_factory=dict, repr=False)
    _forecasters: dict[str, Remembered] = field(default_factory=dict, repr=False)

    def once(
        self,
        told: str,
        scenario: Callable[[], tuple[Scenario, Policy]],
        *,
        resolution_s: float = 300.0,
        log_requests: bool = True,
    ) -> Run:
        """The run that is described by ``told``; made when it is first asked for."""
        key = told, resolution_s
        if key not in self._runs:
            self.note(told)
            problem, policy = scenario()
            sampled = Sampled(policy)
            made = run_episode(problem, sampled, seed=self.setting.seed, resolution_s=resolution_s, log_requests=log_requests)
            self._runs[key] = summarised(made, sampled.outs)
            gc.collect()
        return self._runs[key]

    def run(
        self,
        policy: str,
        *,
        workload: str = DAY,
        world: str = "published",
        load: float = 1.0,
        change: str = "",
        instances: int | None = None,
        resolution_s: float = 300.0,
        log_requests: bool = True,
        theta: str = SATURATION,
        emergency: float | None = None,
        **options: Any,
    ) -> Run:
        """A policy by the paper's rules on a workload; an equal call gives the same run again.

        Args:
            policy: Name.
            workload: Name in the catalogue; runs of a day are cut to the setting's hours.
            world: Name of a preset.
            load: Factor on requests, on top of the setting's.
            change: A name in ``CHANGES``: what else is done to the workload.
            instances: Instances of each endpoint at the start; None: as the world says, 8 for long-term strategies.
            resolution_s: Seconds between two points of the time series.
            log_requests: Keep quantiles of latencies; on a week that takes more than a gigabyte.
            theta: Of the long-term strategies: ``SATURATION`` or ``LEVEL``.
            emergency: Utilization above which an endpoint may go past its cap; None: never.
            options: Of the policy.

        Raises:
            InputError: Something does not exist, or a package is missing.
        """
        is_planned = policy in LONG_TERM
        words = [
            f"{policy} on {workload}, {world}",
            f"x{load:g}" * (load != 1),
            change,
            f"from {instances}" if instances is not None else "",
            f"theta={theta}" * is_planned,
            f"emergency={emergency}" if emergency is not None else "",
            *map("{0[0]}={0[1]}".format, sorted(options.items())),
        ]

        def scenario() -> tuple[Scenario, Policy]:
            start = LT_INSTANCES if is_planned and instances is None else instances
            chosen = load_world(world)
            made = dict(options)
            if is_planned:
                made |= {"throughput": capacity.load_capacity(chosen, SEARCHES[theta]), "forecaster": self.forecaster()}
            if emergency is not None:
                chosen = replace(chosen, scaling=replace(chosen.scaling, emergency_utilization=emergency))
            chosen = chosen if start is None else starting_at(chosen, start)
            return Scenario(workload, chosen, self.workload(workload, load, change)), load_policy(policy, **made)

        return self.once(" ".join(filter(None, words)), scenario, resolution_s=resolution_s, log_requests=log_requests)

    def forecaster(self) -> Any:
        """The forecaster of the paper's long-term strategies, which remembers its answers."""
        name = self.setting.forecaster or ("seasonal-naive" if self.setting.quick else "arima")
        if name not in self._forecasters:
            self._forecasters[name] = Remembered(load_forecaster(name))
        return self._forecasters[name]

    def workload(self, name: str, load: float = 1.0, change: str = "", gaps_cv: float = GAPS_CV) -> Composable:
        """A workload under the setting, a load and a change; the day at the authors' volume."""
        chosen = load_workload(name, **({"cv": gaps_cv} if name.startswith("o365") else {}))
        hours = self.setting.hours
        if hours < DAY_H and chosen.duration_s == DAY_H * HOUR_S:
            chosen = chosen.slice((DAY_H - hours) / 2 * HOUR_S, hours * HOUR_S)
        factor = self.setting.scale * load * (DAY_VOLUME if name == DAY else 1.0)
        chosen = chosen if factor == 1 else chosen.scale(factor)
        return CHANGES[change](chosen) if change else chosen


def mixed(workload: Composable, interactive: float) -> Composable:
    """A share of interactive requests, IW-F and IW-N as 44 to 28."""
    return workload.tier_mix({"IW-F": interactive * 44 / 72, "IW-N": interactive * 28 / 72, "NIW": 1 - interactive})


CHANGES: dict[str, Change] = {
    "mix 9:1": partial(mixed, interactive=0.9),
    "mix 1:1": partial(mixed, interactive=0.5),
    "burst": lambda workload: workload.burst(8),
}
"""What may be done to a workload, by name."""


def summarised(result: Result, outs: NDArray[np.int64]) -> Run:
    """A run without its requests; only quantiles of them are kept."""
    models = [model.name for model in result.world.models]
    sampled = {name: int(count) for name, count in zip(models, outs, strict=True)}
    requests = result.requests
    if requests is None:
        return Run(result, quantiles(np.zeros(0)), quantiles(np.zeros(0)), sampled)
    chosen = requests[
        (requests["rejected"] == 0) & np.isin(requests["tier"], INTERACTIVE_CODES) & (requests["model"] == models.index(MODEL))
    ]
    ttft_s, e2e_s = (quantiles(chosen[end] - chosen["arrival_s"]) for end in ("first_token_s", "completion_s"))
    return Run(replace(result, requests=None), ttft_s, e2e_s, sampled)


def quantiles(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """At ``SHARES``; NaN where nothing was served."""
    return np.quantile(seconds, SHARES) if seconds.size else np.full(SHARES.shape, np.nan)
