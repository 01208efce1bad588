"""The plan in hindsight: what the paper's program makes of the traffic that will really come."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from baselines.forecast import INTERACTIVE, WINDOW_S
from baselines.long_term.policy import (
    EPSILON,
    NIW,
    NIW_SHARE,
    Reals,
    check_demand,
    endpoint_bounds,
    one_pool,
    own_start,
    plan_fleet,
    throughput_of,
)
from sageserve_env.errors import InputError
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.workload import Workload
from sageserve_env.workload.rates import of_tiers, token_counts
from sageserve_env.world.checks import require_count
from sageserve_env.world.schema import World


@dataclass
class OraclePolicy:
    """Plans with the true traffic, at every decision and without a forecast; shows what a better forecast could still win.

    At each decision the program is solved for the traffic from now to the next decision and the lead time beyond (to redeploy a
    spot VM), so that an instance is ready when its traffic comes; its answer is applied at once. Demand counts as in LT-I: the
    interactive input tokens/s of each window and a tenth of the NIW. It shares the program's model of an instance, a constant
    throughput, and plans no further ahead than that: a strong reference, not a proof that nothing is better.

    Attributes:
        seed: Seed of the scenario's workload, if nobody calls :meth:`foresee`.
        initial_instances: Instances of each endpoint at the start; None: the world's.
        admission_order: FCFS, EDF, PF or DPA.
        epsilon: Share of its own load that a region must serve.
        niw_share: Share of the NIW load that is planned for.
        capacity: A name in ``baselines.long_term.policy.CAPACITIES``.
        throughput: Sustainable input tokens/s of one instance, shape (M, K), instead.
        window_s: Windows in seconds in which traffic is averaged.
        head_room: Factor on the demand that is planned for, 0.01 to 100.
    """

    name: ClassVar[str] = "oracle"

    seed: int | None = None
    initial_instances: int | None = None
    admission_order: str = "FCFS"
    epsilon: float = EPSILON
    niw_share: float = NIW_SHARE
    capacity: str = "planned"
    throughput: Any = None
    window_s: float = WINDOW_S
    head_room: float = 1.0
    _foreseen: tuple[Workload, int] | None = field(init=False, repr=False, compare=False, default=None)

    def prepare(self, world: World) -> World:
        """The world with the policy's starting fleet."""
        return own_start(world, self.initial_instances)

    def foresee(self, workload: Workload, seed: int) -> None:
        """Learn what will arrive, before :meth:`reset`."""
        self._foreseen = workload, seed

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Play the workload once.

        Raises:
            InputError: The seed is not known, the world has several pools, or an option is not valid.
        """
        world = self._world = one_pool(scenario.world, self.name)
        if self._foreseen is None and self.seed is None:
            raise InputError("seed = None: the oracle cannot know what arrives; give the seed of the workload")
        check_demand(self.epsilon, self.niw_share, self.window_s, self.head_room)
        if self.seed is not None:
            require_count("seed", self.seed, least=0)
        workload, seed = self._foreseen or (scenario.workload, int(self.seed or 0))
        self._throughput = throughput_of(world, self.throughput, self.capacity, workload)
        tokens, seconds = token_counts(workload, world, seed, self.window_s)
        interactive, niw = of_tiers(tokens, INTERACTIVE) / seconds, of_tiers(tokens, NIW) / seconds
        self._demand = self.head_room * (interactive + self.niw_share * niw)
        self._ahead_s = scenario.control_interval_s + world.lead_times.redeploy_s
        self._knobs = Knobs.static(world, self.admission_order).validated(world)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """Plan for the traffic up to where a start at the next decision could serve."""
        fleet = telemetry.active + telemetry.provisioning
        demand = self._demand_between(telemetry.now_s, telemetry.now_s + self._ahead_s)
        target = endpoint_bounds(plan_fleet(self._world, self._throughput, fleet, demand, self.epsilon))
        return replace(self._knobs, floor=target, cap=target)

    def _demand_between(self, start_s: float, end_s: float) -> Reals:
        """Tokens/s in the windows that a span touches, shape (R, M, W); nothing arrives after the last."""
        windows = self._demand[:, :, int(start_s / self.window_s) : int(np.ceil(end_s / self.window_s))]
        return windows if windows.shape[2] else np.zeros((*windows.shape[:2], 1))
