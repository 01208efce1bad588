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
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.result import Result
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.forecasters import load_forecaster
from sageserve_env.scenarios import Scenario
from sageserve_env.sim.metrics import FleetRow, ServiceRow
from sageserve_env.workload import Composable, load_workload
from sageserve_env.world import load_world
from sageserve_env.world.checks import require_count, require_within

HOUR_S, DAY_H, MONTH_H = 3600.0, 24.0, 720.0
MODEL = "llama-2-70b"
"""The model of the paper's main figures."""

PEAK_DAY = "o365-thursday"
FIRST_DAY = "o365-day"
WEEK = "o365-week"
LONG_TERM = ("lt-i", "lt-u", "lt-ua")
STRATEGIES = ("reactive", *LONG_TERM)
LT_INSTANCES = 8
"""Instances with which the long-term strategies start [C]."""

SATURATION, LEVEL = "saturation", "level"
"""Two readings of the program's theta, the input tokens/s that an instance sustains: so that its queue does not grow, or so that
95 % of IW-F meet their level. The paper does not say; its own TTFT P90 of 14 s and more is of a fleet planned for the first."""

SEARCHES = {SATURATION: capacity.SATURATED, LEVEL: capacity.LEVEL}

SHARES = np.linspace(0.0, 1.0, 1001)
"""Shares at which a run keeps quantiles of the time to first token."""

INTERACTIVE_CODES = (0, 1)

Change = Callable[[Composable], Composable]


@dataclass(frozen=True)
class Setting:
    """How much of the paper's experiments to run.

    Attributes:
        scale: Factor on all requests; 1 is the published volume.
        hours: Length of a run, from 1 to 24, taken from the middle of the day.
        quick: Fewer points in each sweep, and yesterday as the forecast: to see that all works, not to compare.
        forecaster: Of the long-term strategies; None: ``"seasonal-naive"`` if quick, else each policy's own.
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

    def sweep(self, values: tuple[float, ...]) -> tuple[float, ...]:
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
        ttft_s: Quantiles of the interactive time to first token at ``SHARES``, by model, where requests were logged; NaN where
            nothing was served.
    """

    result: Result
    ttft_s: dict[str, NDArray[np.float64]]

    def ttft(self, share: float, model: str = MODEL) -> float:
        """A quantile of the interactive time to first token, seconds."""
        return float(np.interp(share, SHARES, self.ttft_s[model]))

    def fleet(self, model: str = MODEL) -> FleetRow:
        """The fleet of a model in all regions; ``"all"``: of all models."""
        if model == "all":
            return self.result.metrics.fleet_total
        return next(row for row in self.result.metrics.fleet_by("model") if row.model == model)

    def instance_h(self, model: str = MODEL) -> float:
        """Instance-hours, provisioning and draining included."""
        row = self.fleet(model)
        return row.active_h + row.provisioning_h + row.draining_h

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


@dataclass
class Lab:
    """Runs episodes, each of them once.

    Attributes:
        setting: How much to run.
        note: Told about each run that begins.
    """

    setting: Setting
    note: Callable[[str], None] = print
    _runs: dict[tuple[Any, ...], Run] = field(default_factory=dict, repr=False)

    def run(
        self,
        policy: str,
        *,
        workload: str = PEAK_DAY,
        world: str = "published",
        load: float = 1.0,
        change: str = "",
        instances: int | None = None,
        resolution_s: float = 300.0,
        log_requests: bool = True,
        theta: str = SATURATION,
        **options: Any,
    ) -> Run:
        """A policy on a workload; an equal call gives the same run again.

        Args:
            policy: Name.
            workload: Name in the catalogue; runs of a day are cut to the setting's hours.
            world: Name of a preset.
            load: Factor on requests, on top of the setting's.
            change: A name in ``CHANGES``: what else is done to the workload.
            instances: Instances of each endpoint at the start; None: as the world says.
            resolution_s: Seconds between two points of the time series.
            log_requests: Keep quantiles of the time to first token; on a week that takes more than a gigabyte.
            theta: Of the long-term strategies: ``SATURATION`` or ``LEVEL``.
            options: Of the policy.

        Raises:
            InputError: Something does not exist, or a package is missing.
        """
        is_planned = policy in LONG_TERM
        if is_planned:
            instances = LT_INSTANCES if instances is None else instances
            if self.setting.forecaster or self.setting.quick:
                options["forecaster"] = self.setting.forecaster or "seasonal-naive"
        key = (policy, workload, world, load, change, instances, resolution_s, theta * is_planned, *sorted(options.items()))
        if key not in self._runs:
            told = [
                f"x{load:g}" * (load != 1),
                change,
                f"theta={theta}" * is_planned,
                *map("{0[0]}={0[1]}".format, options.items()),
            ]
            self.note(" ".join([f"{policy} on {workload}, {world}", *filter(None, told)]))
            chosen = load_world(world)
            if is_planned:
                options["throughput"] = capacity.load_capacity(chosen, SEARCHES[theta])
            chosen = chosen if instances is None else starting_at(chosen, instances)
            scenario, player = Scenario(workload, chosen, self.workload(workload, load, change)), load_policy(policy, **options)
            made = run_episode(scenario, player, seed=self.setting.seed, resolution_s=resolution_s, log_requests=log_requests)
            self._runs[key] = summarised(made)
            gc.collect()
        return self._runs[key]

    def workload(self, name: str, load: float = 1.0, change: str = "") -> Composable:
        """A workload under the setting, a load and a change."""
        chosen = load_workload(name)
        hours = self.setting.hours
        if hours < DAY_H and name != WEEK:
            chosen = chosen.slice((DAY_H - hours) / 2 * HOUR_S, hours * HOUR_S)
        factor = self.setting.scale * load
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


def summarised(result: Result) -> Run:
    """A run without its requests; only quantiles of them are kept."""
    requests = result.requests
    if requests is None:
        return Run(result, {})
    kept = requests[(requests["rejected"] == 0) & np.isin(requests["tier"], INTERACTIVE_CODES)]
    ttft_s = {}
    for code, model in enumerate(result.world.models):
        rows = kept[kept["model"] == code]
        waited = rows["first_token_s"] - rows["arrival_s"]
        ttft_s[model.name] = np.quantile(waited, SHARES) if waited.size else np.full(SHARES.shape, np.nan)
    return Run(replace(result, requests=None), ttft_s)
