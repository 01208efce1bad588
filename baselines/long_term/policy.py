"""The paper's long-term control (section 6): once an hour, a forecast and an integer program set a target for every endpoint.

``LongTermPolicy`` does what LT-I, LT-U and LT-UA share; each of them says how the fleet follows its targets. ``Traffic`` keeps the
input tokens per second that the forecast starts from, ``plan_fleet`` states the program for a world.

Nothing here looks ahead: the history is what came before the scenario, where its workload has a ``past``, and what telemetry showed
since. The past is played with a seed from the policy's own random numbers, never with the scenario's.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from baselines.capacity import LEVEL, PLANNED, SATURATED, load_capacity
from baselines.fleet import equal_fleet, starting_at
from baselines.forecast import HOUR_S, WINDOW_S, Forecast, Forecaster
from baselines.forecast.base import checked_window
from baselines.program import Plan, PlanProblem, solve_plan
from sageserve_env.evaluation.ranges import Range
from sageserve_env.forecasters import as_forecaster
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.workload import Workload
from sageserve_env.workload.rates import INTERACTIVE, of_tiers, past_tokens
from sageserve_env.world.checks import require, require_count, require_within
from sageserve_env.world.costs.prices import list_prices
from sageserve_env.world.schema import TIERS, World
from sageserve_env.world.vms import region_capacity

Bounds = NDArray[np.int32]
Reals = NDArray[np.float64]

MOST_TOKENS_PER_S = 1e12

NIW = (TIERS.index("NIW"),)
EPSILON = 0.8
LEAST_HEAD_ROOM, MOST_HEAD_ROOM = 0.01, 100.0
NIW_SHARE = 0.1

CAPACITIES = {"planned": PLANNED, "saturated": SATURATED, "level": LEVEL}
"""What an instance is planned to carry, by the option ``capacity``: half of all that it can serve, as in the authors' program; all
of it; or what holds the level of IW-F at two instances."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedHour:
    """One forecast and one plan, for reports. R regions, M models, H windows in an hour, N endpoints, K VM types.

    Attributes:
        start_s: Start of the hour that was planned, seconds.
        forecast: Interactive input tokens/s by region and model, R x M series in that order.
        niw_tokens_per_s: Input tokens/s of NIW in the hour before, shape (R, M).
        plan: The program's answer.
        target: Instances of each endpoint and type, shape (N, K).
    """

    start_s: float
    forecast: Forecast
    niw_tokens_per_s: Reals
    plan: Plan
    target: Bounds


class Traffic:
    """Input tokens at the global router by region of origin and model: before the scenario, and as telemetry shows them.

    Args:
        workload: The scenario's workload, of which only ``past`` is played.
        world: Its regions (R) and models (M) give the shapes.
        window_s: Length of a window in seconds.
        seed: Seed of the past.
    """

    def __init__(self, workload: Workload, world: World, window_s: float, seed: int) -> None:
        self.window_s = window_s
        self._shape = len(world.regions), len(world.models)
        tokens = past_tokens(workload, world, seed, window_s)
        self._past = of_tiers(tokens, INTERACTIVE) / window_s
        niw = of_tiers(tokens, NIW)[:, :, -round(HOUR_S / window_s) :] / window_s
        self._past_niw = niw.mean(axis=2) if niw.shape[2] else np.zeros(self._shape)
        self._times = [0.0]
        self._totals = [np.zeros((2, *self._shape))]  # interactive and NIW, so far

    def see(self, telemetry: Telemetry) -> None:
        """Take note of what has arrived so far."""
        if telemetry.now_s > self._times[-1]:
            tokens = telemetry.arrived_tokens
            self._times.append(telemetry.now_s)
            self._totals.append(np.stack([tokens[:, :, :2].sum(axis=2), tokens[:, :, 2]]).astype(np.float64))

    def history(self, until_s: float) -> Reals:
        """Interactive tokens/s in every whole window up to a time, shape (R * M, n); n is 0 where nothing is known."""
        edges = self.window_s * np.arange(int(until_s / self.window_s + 1e-9) + 1, dtype=np.float64)
        seen = np.diff(self._totals_at(edges)[:, 0], axis=0) / self.window_s
        series = np.concatenate([self._past, np.moveaxis(seen, 0, -1)], axis=-1)
        return series.reshape(self._shape[0] * self._shape[1], series.shape[-1])

    def niw_rate(self, until_s: float) -> Reals:
        """NIW tokens/s in the hour up to a time, shape (R, M)."""
        return self._rates(until_s - HOUR_S, until_s)[1] if until_s >= HOUR_S else self._past_niw

    def interactive_rate(self, start_s: float, end_s: float) -> Reals:
        """Interactive tokens/s between two times, shape (R, M)."""
        return self._rates(start_s, end_s)[0]

    def _rates(self, start_s: float, end_s: float) -> Reals:
        first, last = self._totals_at(np.array([start_s, end_s]))
        rates: Reals = (last - first) / (end_s - start_s)
        return rates

    def _totals_at(self, times: Reals) -> Reals:
        """Tokens so far at each time, straight lines between two looks at the telemetry; shape (times, 2, R, M)."""
        first = max(bisect_right(self._times, times[0]) - 1, 0)
        totals = np.array(self._totals[first:]).reshape(len(self._times) - first, -1)
        columns = [np.interp(times, self._times[first:], column) for column in totals.T]
        return np.stack(columns, axis=1).reshape(len(times), 2, *self._shape)


def plan_fleet(world: World, throughput: ArrayLike, instances: NDArray[np.int64], demand: Reals, epsilon: float = EPSILON) -> Plan:
    """Solve the paper's program for a world of one pool.

    An instance costs its VM's list price in its region for the hour, and a start the same price for the time to redeploy a spot VM.

    Args:
        world: Prices, lead times, VMs and the least instances of an endpoint.
        throughput: Sustainable input tokens/s of one instance, shape (M, K).
        instances: Instances that there are or that are on their way, shape (N, K).
        demand: Input tokens/s by region, model and window, shape (R, M, W).
        epsilon: Share of its own load that a region must serve.

    Raises:
        InputError: A shape or value is not valid.
    """
    shape = len(world.regions), len(world.models), len(world.vm_types)
    price = list_prices(world)
    start = price * world.lead_times.redeploy_s / HOUR_S
    problem = PlanProblem(
        instances=instances.reshape(shape).swapaxes(0, 1),
        demand=demand.swapaxes(0, 1),
        throughput=np.asarray(throughput),
        acquisition_cost=price,
        startup_cost=np.broadcast_to(start, (shape[1], shape[0], shape[2])),
        capacity=np.array([[region.vm_capacity.get(kind.name, 0) for kind in world.vm_types] for region in world.regions]),
        minimum=world.scaling.min_instances,
        epsilon=epsilon,
    )
    plan = solve_plan(problem)
    if not plan.feasible:
        LOG.warning("%s", plan.summary())
    return plan


def endpoint_bounds(plan: Plan) -> Bounds:
    """A plan's instances of each endpoint, shape (N, K)."""
    by_region = plan.instances.swapaxes(0, 1)
    return by_region.reshape(-1, by_region.shape[2]).astype(np.int32)


def throughput_of(world: World, throughput: ArrayLike | None, capacity: str, workload: Workload) -> Reals:
    """A policy's throughput: the one given, or by the name of a capacity for the requests of a workload; shape (M, K).

    Raises:
        InputError: There is no such capacity, it is not known of one of the world's models, or what is given is no throughput.
    """
    is_known = isinstance(capacity, str) and capacity in CAPACITIES
    require(is_known, "capacity", f"'{capacity}'", f"is not known; choose one of {', '.join(CAPACITIES)}")
    if throughput is None:
        return load_capacity(world, CAPACITIES[capacity], workload)
    shape = len(world.models), len(world.vm_types)
    try:
        given = np.asarray(throughput, np.float64)
    except (TypeError, ValueError):
        given = np.full(shape, np.nan)
    valid = given.shape == shape and bool(np.all((given >= 0) & (given <= MOST_TOKENS_PER_S)))
    require(valid, "throughput", f"{throughput!r:.60}", f"is not valid; give tokens/s, 0 to {MOST_TOKENS_PER_S:g}, shape {shape}")
    return given


def check_demand(epsilon: float, niw_share: float, window_s: float, head_room: float = 1.0) -> None:
    """The options by which a policy states its demand.

    Raises:
        InputError: One is out of its range.
    """
    require_within("epsilon", epsilon, 0, 1, "a share")
    require_within("niw_share", niw_share, 0, 1, "a share")
    require_within("head_room", head_room, LEAST_HEAD_ROOM, MOST_HEAD_ROOM, "a factor")
    checked_window(window_s)


def one_pool(world: World, policy: str) -> World:
    """The world, if it has one pool.

    Raises:
        InputError: It has several.
    """
    pools = ", ".join(pool.name for pool in world.pools)
    require(len(world.pools) == 1, "pools", f"'{pools}'", f"are several; {policy} plans one pool: take the world 'published'")
    return world


def own_start(world: World, instances: int | None) -> World:
    """The world with a policy's starting fleet; None leaves it alone."""
    if instances is None:
        return world
    require_count("initial_instances", instances, least=0)
    return starting_at(world, instances)


@dataclass
class LongTermPolicy(ABC):
    """Targets from a forecast and the integer program, at time 0 and every full hour after it.

    Demand is the forecast of interactive input tokens/s in each window of the coming hour, and a tenth of the last hour's NIW
    load. Where nothing is known of the time before the scenario, the starting fleet is held until the first hour has been seen.
    A plan that cannot be met is applied as near as the VMs allow, and logged.

    Attributes:
        forecaster: A name of an entry point of the group ``sageserve.forecasters``, or a forecaster.
        initial_instances: Instances of each endpoint at the start, by :meth:`prepare`; the paper: 8. None: the world's.
        admission_order: FCFS, EDF, PF or DPA.
        epsilon: Share of its own load that a region must serve; assumption: 0.8.
        niw_share: Share of the last hour's NIW load that is planned for; the paper: 0.1.
        capacity: A name in ``CAPACITIES``: sustainable input tokens/s of an instance by ``baselines.capacity``.
        throughput: Sustainable input tokens/s of one instance of each model and VM type, shape (M, K), instead.
        window_s: Windows of the forecast in seconds; divides an hour.
        head_room: Factor on the demand that is planned for, 0.01 to 100; the paper has none.
        plans: What was forecast and planned in this episode, for reports.
    """

    TUNABLE: ClassVar[dict[str, Range]] = {
        "head_room": Range(0.25, 4.0, is_log=True),
        "epsilon": Range(0.0, 1.0),
        "niw_share": Range(0.0, 1.0),
    }

    forecaster: str | Forecaster = "arima"
    initial_instances: int | None = None
    admission_order: str = "FCFS"
    epsilon: float = EPSILON
    niw_share: float = NIW_SHARE
    capacity: str = "planned"
    throughput: Any = None
    window_s: float = WINDOW_S
    head_room: float = 1.0
    plans: list[PlannedHour] = field(init=False, repr=False, compare=False, default_factory=list)

    def prepare(self, world: World) -> World:
        """The world with the policy's starting fleet."""
        return own_start(world, self.initial_instances)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin an episode: read the past, no plan yet.

        Raises:
            InputError: The world has several pools, or an option is not valid.
        """
        check_demand(self.epsilon, self.niw_share, self.window_s, self.head_room)
        self._world = one_pool(scenario.world, getattr(self, "name", type(self).__name__))
        self._forecaster: Any = as_forecaster(self.forecaster)  # its forecasts have intervals, too
        self._throughput = throughput_of(self._world, self.throughput, self.capacity, scenario.workload)
        self._traffic = Traffic(scenario.workload, self._world, self.window_s, int(rng.integers(2**32)))
        self._knobs = Knobs.static(self._world, self.admission_order).validated(self._world)
        self._least = equal_fleet(self._world, self._world.scaling.min_instances)
        self._most = region_capacity(self._world)
        self._next_hour = 0
        self.plans = []

    def decide(self, telemetry: Telemetry) -> Knobs:
        """Plan where an hour begins."""
        self._traffic.see(telemetry)
        hour = int(telemetry.now_s // HOUR_S)
        if hour >= self._next_hour:
            self._next_hour = hour + 1
            self._plan(hour * HOUR_S, telemetry)
        return self.knobs_now(telemetry)

    def knobs_now(self, telemetry: Telemetry) -> Knobs:
        """The bounds by which the fleet follows the last plan; before the first one, the fleet as it starts."""
        if not self.plans:
            return self._knobs
        floor, cap = self.bounds(telemetry, self.plans[-1].target)
        return replace(self._knobs, floor=floor, cap=cap)

    @abstractmethod
    def bounds(self, telemetry: Telemetry, target: Bounds) -> tuple[Bounds, Bounds]:
        """Floor and cap of each endpoint and type on the way to a target; all of shape (N, K)."""

    def _plan(self, start_s: float, telemetry: Telemetry, windows: int | None = None) -> None:
        """Forecast from an instant on, and solve the program for the first windows, or for the whole hour."""
        history = self._traffic.history(start_s)
        if history.shape[1] == 0:
            return
        forecast = self._forecaster.forecast(history, self.window_s)
        niw = self._traffic.niw_rate(start_s)
        demand = forecast.point.reshape(*niw.shape, -1)[:, :, :windows] + self.niw_share * niw[:, :, None]
        fleet = telemetry.active + telemetry.provisioning
        plan = plan_fleet(self._world, self._throughput, fleet, self.head_room * demand, self.epsilon)
        self.plans.append(PlannedHour(start_s, forecast, niw, plan, endpoint_bounds(plan)))


def toward(target: Bounds, telemetry: Telemetry, least: Bounds) -> tuple[Bounds, Bounds]:
    """Floor and cap that leave the way from the present count to the target to the autoscaling tick, and nothing beyond.

    An endpoint below the least number of instances goes there at once.
    """
    now = (telemetry.active + telemetry.provisioning).astype(np.int32)
    return np.minimum(target, np.maximum(now, least)), np.maximum(now, target)
