"""Chiron (paper section 7): interactive, mixed and batch pools; one rule adds interactive instances, another batch instances."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from baselines.capacity import load_capacity
from baselines.fleet import MOST_INSTANCES
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import require_count, require_within
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import Pool, World
from sageserve_env.world.vms import region_capacity

INTERACTIVE, BATCH, MIXED = range(3)
NIW = 2


@dataclass
class ChironPolicy:
    """Interactive instances follow the share of busy ones, batch instances the time that their backlog has left.

    At each decision an endpoint of the interactive pool gets one instance more where more than ``busy_share`` of its model's
    interactive and mixed instances in the region are busy, else one fewer. One of the batch pool gets one more where its backlog
    cannot be served before the oldest request is 24 h old, one fewer where one fewer would do. The mixed pool keeps its size;
    interactive requests spill to it above 70 % utilization. Assumptions: an instance is busy if it has a request, and requests
    spread over as many instances as they can; a batch instance serves the input tokens/s of ``baselines.capacity``.

    Attributes:
        interactive, mixed, batch: Instances of each endpoint at the start; the paper: 20, 10 and 10.
        busy_share: Share of busy instances above which the interactive pool grows, 0 to 1; the paper: 0.6.
        spill_utilization: Utilization above which interactive requests spill; the paper: 0.7.
        admission_order: FCFS, EDF, PF or DPA.
    """

    name: ClassVar[str] = "chiron"

    interactive: int = 20
    mixed: int = 10
    batch: int = 10
    busy_share: float = 0.6
    spill_utilization: float = 0.7
    admission_order: str = "FCFS"
    _knobs: Knobs = field(init=False, repr=False, compare=False)

    def prepare(self, world: World) -> World:
        """The world with three pools; a region with fewer VMs than they start with, and a quarter more, gets so many.

        Raises:
            InputError: A number of instances or a share is not valid.
        """
        for name in ("interactive", "mixed", "batch"):
            require_count(name, getattr(self, name), 0, MOST_INSTANCES)
        for name in ("busy_share", "spill_utilization"):
            require_within(name, getattr(self, name), 0, 1, "a share")
        models = [model.name for model in world.models]
        pools = (
            Pool(
                "interactive",
                ("IW-F", "IW-N"),
                dict.fromkeys(models, self.interactive),
                spill_to="mixed",
                spill_utilization=self.spill_utilization,
            ),
            Pool("batch", ("NIW",), dict.fromkeys(models, self.batch)),
            Pool("mixed", ("IW-F", "IW-N", "NIW"), dict.fromkeys(models, self.mixed)),
        )
        first = world.vm_types[0].name
        least = -(-5 * len(models) * (self.interactive + self.mixed + self.batch) // 4)
        regions = tuple(
            replace(region, vm_capacity={**region.vm_capacity, first: max(least, region.vm_capacity.get(first, 0))})
            for region in world.regions
        )
        return validate(replace(world, pools=pools, regions=regions))

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin with the starting fleet."""
        world = scenario.world
        self._knobs = Knobs.static(world, self.admission_order).validated(world)
        self._most = region_capacity(world)
        self._least = world.scaling.min_instances
        self._slo_s = world.tiers[NIW].slo_s
        self._throughput = load_capacity(world, workload=scenario.workload)

    def decide(self, telemetry: Telemetry) -> Knobs:
        """Move each endpoint of the interactive and batch pools by one instance, or leave it."""
        target = self._knobs.floor.copy()
        for endpoint in range(len(target)):
            pool = telemetry.pool[endpoint]
            if pool == INTERACTIVE:
                step = 1 if self._is_busy(telemetry, endpoint) else -1
            elif pool == BATCH:
                step = self._batch_step(telemetry, endpoint, target[endpoint])
            else:
                continue
            target[endpoint] = moved(target[endpoint], step, self._least, self._most[endpoint])
        self._knobs = replace(self._knobs, floor=target, cap=target)
        return self._knobs

    def _is_busy(self, telemetry: Telemetry, endpoint: int) -> bool:
        """Whether many of the interactive and mixed instances beside an interactive endpoint have a request."""
        here = (telemetry.region == telemetry.region[endpoint]) & (telemetry.model == telemetry.model[endpoint])
        here &= telemetry.pool != BATCH
        active = telemetry.active[here].sum(axis=1)
        requests = (telemetry.running + telemetry.waiting)[here].sum(axis=1)
        return bool(np.minimum(active, requests).sum() > self.busy_share * max(int(active.sum()), 1))

    def _batch_step(self, telemetry: Telemetry, endpoint: int, target: NDArray[np.int32]) -> int:
        """One more, none, or one fewer batch instances."""
        region, model = telemetry.region[endpoint], telemetry.model[endpoint]
        backlog = telemetry.queued_tokens[region, model] + telemetry.waiting_tokens[endpoint].sum()
        left_s = max(self._slo_s - telemetry.oldest_queued_s[region, model], 1.0)
        serves = float(target @ self._throughput[model]) * left_s
        spare = float(self._throughput[model].max()) * left_s
        if backlog > serves:
            return 1
        return -1 if backlog <= serves - spare else 0


def moved(target: NDArray[np.int32], step: int, least: int, most: NDArray[np.int32]) -> NDArray[np.int32]:
    """One endpoint's instances by VM type, shape (K,), with one more on the first type that has room, or one fewer on the last."""
    after = target.copy()
    places = np.flatnonzero(after < most) if step > 0 else np.flatnonzero(after > 0)[::-1]
    if places.size and (step >= 0 or int(after.sum()) > least):
        after[places[0]] += step
    return after
