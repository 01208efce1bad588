"""What a dashboard draws: an episode's series, in slots of time fine enough for a screen, and its latest state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim.fleet import initial_instances
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.costs.prices import list_prices
from sageserve_env.world.measured.profiles import prefill_seconds
from sageserve_env.world.schema import TIERS, IterationModel, Profile, World

Reals = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_SLOTS = 600
"""About the width of a time axis in pixels: longer episodes merge control steps."""

LONG_PROMPT_TOKENS = 8192
HOUR_S = 3600.0
DAY_S = 86_400.0
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Fleet:
    """Instances by region and model, pools and VM types merged, shape (R, M); spot VMs by region, shape (R,).

    ``utilization`` is the mean over active instances, 0 to 1; NaN where none is active.
    """

    active: Counts
    provisioning: Counts
    draining: Counts
    utilization: Reals
    spot: Counts


@dataclass(frozen=True)
class Mark:
    """What has been counted up to an instant: arrivals and prompt tokens by model and tier, shape (M, T), and dollars."""

    now_s: float
    arrived: Counts
    tokens: Counts
    vm_usd: float
    breach_usd: float


class History:
    """Series of an episode. S slots of ``slot_s`` seconds, the first ``filled`` of them known; T = 3 tiers.

    Attributes:
        needed: Instances that the arriving prompts keep busy, if those did nothing but prefill, shape (S, T).
        active, provisioning, draining: Instances at the end of the slot, shape (S,).
        ttft_p95_s: The greatest of the slot's control steps, shape (S, T); NaN where no request completed.
        vm_usd, breach_usd: Dollars so far at the end of the slot, shape (S,).
        now_s: Simulated seconds.
        fleet: The latest state.
        spent_usd: Dollars so far: VMs, breaches.
        usd_per_h: The same over the last interval.
        requests_per_s, tokens_per_s: Arrivals and their prompt tokens over the last interval.
        queued, oldest_queued_s: NIW in the central queues now.
        attainment: Share of the completed and rejected requests within their service level so far, by tier, then overall; shape
            (T + 1,).
        initial_usd_per_h, initial_instances: Of the fleet that the world starts with.
    """

    def __init__(self, world: World, title: str, horizon_s: float, week_start_s: float, control_interval_s: float) -> None:
        self.world, self.title, self.horizon_s, self.week_start_s = world, title, horizon_s, week_start_s
        self.control_interval_s = control_interval_s
        steps_per_slot = math.ceil(math.ceil(horizon_s / control_interval_s) / MOST_SLOTS)
        self.slot_s = steps_per_slot * control_interval_s
        self.slots = math.ceil(horizon_s / self.slot_s)
        self.filled = 0
        self.needed, self.ttft_p95_s = np.zeros((self.slots, len(TIERS))), np.full((self.slots, len(TIERS)), np.nan)
        self.active, self.provisioning, self.draining = np.zeros((3, self.slots))
        self.vm_usd, self.breach_usd = np.zeros((2, self.slots))
        self._weight_s = np.zeros(self.slots)
        self._price = list_prices(world)
        self._prefill_rate = prefill_rates(world)
        nothing = np.zeros((len(world.models), len(TIERS)), np.int64)
        self._marks = [Mark(0.0, nothing, nothing, 0.0, 0.0)]
        self._set_start(world)

    def _set_start(self, world: World) -> None:
        """The state before any update: the world's initial fleet, nothing arrived, nothing spent."""
        shape = (len(world.regions), len(world.models), len(world.pools), len(world.vm_types))
        instances = initial_instances(world).reshape(shape).astype(np.int64)
        active = instances.sum(axis=(2, 3))
        vms = np.array([sum(region.vm_capacity.values()) for region in world.regions])
        idle = np.zeros_like(active)
        self.now_s = 0.0
        self.fleet = Fleet(active, idle, idle, np.where(active > 0, 0.0, np.nan), vms - active.sum(axis=1))
        self.latest_ttft_p95_s = np.full(len(TIERS), np.nan)
        self.spent_usd, self.usd_per_h = (0.0, 0.0), (0.0, 0.0)
        self.requests_per_s = self.tokens_per_s = self.oldest_queued_s = 0.0
        self.queued = 0
        self.attainment = np.full(len(TIERS) + 1, np.nan)
        self.initial_usd_per_h = float((instances.sum(axis=(1, 2)) * self._price).sum())
        self.initial_instances = int(instances.sum())

    def add(self, telemetry: Telemetry, reward_terms: dict[str, float], ttft_p95_s: Reals) -> None:
        """Take in a control step; see :meth:`sageserve_env.env.rendering.dashboard.Dashboard.update`."""
        self._cut(telemetry.now_s)
        self.now_s = telemetry.now_s
        self.fleet = read_fleet(telemetry, self.world)
        self.queued, self.oldest_queued_s = int(telemetry.queued.sum()), float(telemetry.oldest_queued_s.max())
        self.attainment = read_attainment(telemetry)
        before = self._marks[-1]
        if self.now_s <= before.now_s:
            return
        self.latest_ttft_p95_s = np.array(ttft_p95_s, dtype=np.float64)
        vm_usd, breach_usd = before.vm_usd + reward_terms["vm_usd"], before.breach_usd + reward_terms["breach_usd"]
        mark = Mark(self.now_s, telemetry.arrived.sum(axis=0), telemetry.arrived_tokens.sum(axis=0), vm_usd, breach_usd)
        self._fill(before, mark, self._instances_needed(before, mark, telemetry))
        self._add_mark(mark)

    def _instances_needed(self, before: Mark, now: Mark, telemetry: Telemetry) -> Reals:
        """Instances that the prompts between two marks keep busy, by tier, shape (T,)."""
        active = np.zeros_like(self._prefill_rate)
        np.add.at(active, telemetry.model, telemetry.active)
        total, rate = active.sum(axis=1), self._prefill_rate
        mean_rate = np.where(total > 0, (active * rate).sum(axis=1) / np.maximum(total, 1), rate.max(axis=1))
        tokens_per_s = (now.tokens - before.tokens) / (now.now_s - before.now_s)
        return np.asarray((tokens_per_s / mean_rate[:, None]).sum(axis=0))

    def _fill(self, before: Mark, now: Mark, needed: Reals) -> None:
        """Write an interval into the figures of the moment, into the slot of its end, and into those that it skipped."""
        interval_s = now.now_s - before.now_s
        usd = now.vm_usd - before.vm_usd, now.breach_usd - before.breach_usd
        self.spent_usd, self.usd_per_h = (now.vm_usd, now.breach_usd), (usd[0] * HOUR_S / interval_s, usd[1] * HOUR_S / interval_s)
        self.requests_per_s = float((now.arrived - before.arrived).sum() / interval_s)
        self.tokens_per_s = float((now.tokens - before.tokens).sum() / interval_s)
        last = self._slot_of(now.now_s)
        slots = slice(min(self.filled, last), last + 1)
        weight_s = self._weight_s[slots, None]
        self.needed[slots] = (self.needed[slots] * weight_s + needed * interval_s) / (weight_s + interval_s)
        self._weight_s[slots] += interval_s
        self.ttft_p95_s[slots] = np.fmax(self.ttft_p95_s[slots], self.latest_ttft_p95_s)
        for name in ("active", "provisioning", "draining"):
            getattr(self, name)[slots] = getattr(self.fleet, name).sum()
        self.vm_usd[slots], self.breach_usd[slots] = self.spent_usd
        self.filled = max(self.filled, last + 1)

    def _add_mark(self, mark: Mark) -> None:
        """Remember a mark in the place of an earlier one of the same slot."""
        if len(self._marks) > 1 and self._slot_of(self._marks[-1].now_s) == self._slot_of(mark.now_s):
            self._marks.pop()
        self._marks.append(mark)

    def _cut(self, now_s: float) -> None:
        """Forget what was known of a time and after it, if anything was."""
        if len(self._marks) == 1 or self._marks[-1].now_s < now_s:
            return
        while len(self._marks) > 1 and self._marks[-1].now_s >= now_s:
            self._marks.pop()
        self.filled = self._slot_of(self._marks[-1].now_s) + 1 if len(self._marks) > 1 else 0
        later = slice(self.filled, None)
        self._weight_s[later], self.needed[later], self.ttft_p95_s[later] = 0.0, 0.0, np.nan

    def _slot_of(self, now_s: float) -> int:
        """The slot that ends at a time, or in which it lies."""
        return min(max(math.ceil(now_s / self.slot_s - 1e-9) - 1, 0), self.slots - 1)

    def edges_s(self) -> Reals:
        """Edges of the known slots, shape (filled + 1,)."""
        return self.slot_s * np.arange(self.filled + 1.0)

    def clock(self) -> str:
        """The time now, with seconds where control steps are shorter than a minute."""
        text = clock_text(self.week_start_s + self.now_s)
        return text if self.control_interval_s >= 60 else f"{text}:{int(self.week_start_s + self.now_s) % 60:02d}"


def prefill_rates(world: World) -> Reals:
    """Prompt tokens/s of one instance that prefills long prompts and nothing else, shape (M, K); 0 where it cannot serve."""
    rates = np.zeros((len(world.models), len(world.vm_types)))
    for m, model in enumerate(world.models):
        for k, vm_type in enumerate(world.vm_types):
            if vm_type.name in model.profiles:
                rates[m, k] = prefill_rate(model.profiles[vm_type.name])
    return rates


def prefill_rate(profile: Profile | IterationModel) -> float:
    """Prompt tokens/s at the last point of the table, or at the longest prompt that such tables usually know."""
    if isinstance(profile, Profile):
        return profile.prefill.tokens[-1] / profile.prefill.seconds[-1]
    return LONG_PROMPT_TOKENS / float(prefill_seconds(profile, LONG_PROMPT_TOKENS))


def read_fleet(telemetry: Telemetry, world: World) -> Fleet:
    """The fleet by region and model."""
    shape = (len(world.regions), len(world.models), len(world.pools))
    active = telemetry.active.sum(axis=1).reshape(shape)
    total = active.sum(axis=2)
    used = (active * telemetry.utilization.reshape(shape)).sum(axis=2)
    return Fleet(
        active=total,
        provisioning=telemetry.provisioning.sum(axis=1).reshape(shape).sum(axis=2),
        draining=telemetry.draining.sum(axis=1).reshape(shape).sum(axis=2),
        utilization=np.where(total > 0, used / np.maximum(total, 1), np.nan),
        spot=telemetry.spot.sum(axis=1),
    )


def read_attainment(telemetry: Telemetry) -> Reals:
    """Share within the service level by tier and overall, shape (T + 1,); NaN where no request completed or was rejected."""
    met = telemetry.slo_met.sum(axis=0)
    finished = telemetry.completed.sum(axis=0) + telemetry.rejected.sum(axis=(0, 1))
    met, finished = np.append(met, met.sum()), np.append(finished, finished.sum())
    return np.where(finished > 0, met / np.maximum(finished, 1), np.nan)


def clock_text(week_s: float) -> str:
    """Seconds from Monday 00:00 as weekday and time of day.

    Example:
        >>> clock_text(2 * 86_400 + 52_500)
        'Wed 14:35'
    """
    minutes = int(week_s // 60)
    return f"{WEEKDAYS[minutes // 1440 % 7]} {minutes // 60 % 24:02d}:{minutes % 60:02d}"


def duration_text(seconds: float) -> str:
    """Seconds in the unit that reads best; a dash for NaN.

    Example:
        >>> [duration_text(s) for s in (0.25, 4.25, 95.0, 5400.0, float("nan"))]
        ['0.25 s', '4.2 s', '1.58 min', '1.5 h', '–']
    """
    if math.isnan(seconds):
        return "–"
    for unit, length in (("h", HOUR_S), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def percent_text(share: float) -> str:
    """A share in percent, rounded down so that only all is 100 %; a dash for NaN.

    Example:
        >>> percent_text(0.99996), percent_text(1.0), percent_text(float("nan"))
        ('99.9 %', '100 %', '–')
    """
    if math.isnan(share):
        return "–"
    return "100 %" if share >= 1 else f"{math.floor(1000 * share) / 10:.1f} %"


def shorten(text: str, width: int) -> str:
    """Text cut to a number of characters.

    Example:
        >>> shorten("llama-3.1-405b", 9)
        'llama-3.…'
    """
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
