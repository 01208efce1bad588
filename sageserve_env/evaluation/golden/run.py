"""Running a validation case: the world that its settings describe, and this simulator on its requests."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sageserve_env.evaluation.golden.files import OUTCOME, TIMESTAMPS, Case
from sageserve_env.sim import Knobs, Simulator
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk
from sageserve_env.world import World, golden_world
from sageserve_env.world.presets.published import FIXED_FLEET, LEAD_TIMES_AUTHORS, NIW_AUTHORS, NIW_UNMANAGED, SCALING_AUTHORS

SAMPLE_S = 10.0
"""Time between two counts of active instances."""

GIVE_UP_S = 7 * 86_400.0
"""A request still in the system this long after the last completion is taken for lost (and counts as a disagreement)."""


@dataclass(frozen=True)
class Recorded:
    """Requests in memory, as a workload."""

    name: str
    requests: Chunk

    @property
    def duration_s(self) -> float:
        """The whole second after the last arrival."""
        return math.floor(float(self.requests["arrival_s"][-1])) + 1.0

    def stream(self, world: World, seed: int) -> RecordedStream:
        """All requests as one chunk, whatever the seed."""
        return RecordedStream(self.requests)


class RecordedStream:
    """One chunk, then nothing."""

    def __init__(self, requests: Chunk) -> None:
        self._requests = requests
        self._is_over = False

    def next_chunk(self) -> Chunk:
        """The chunk, once."""
        chunk = np.zeros(0, REQUEST_DTYPE) if self._is_over else self._requests
        self._is_over = True
        return chunk

    def snapshot(self) -> bool:
        """Whether the chunk has been given."""
        return self._is_over

    def restore(self, snapshot: bool) -> None:
        """Go back to a snapshot."""
        self._is_over = snapshot


@dataclass(frozen=True)
class Run:
    """What this simulator made of a case.

    Attributes:
        outcomes: Of each request, in order; shape (n,), dtype ``OUTCOME``.
        active: Active instances of each model every ``SAMPLE_S`` from 0 to the end, shape (n_samples, n_models).
        moves: Instances added and released.
    """

    outcomes: NDArray[np.void]
    active: NDArray[np.int64]
    moves: int


def world_of(case: Case, niw_slo_s: float | None = None) -> World:
    """The world that a case describes.

    Args:
        case: The case.
        niw_slo_s: Service level of its non-interactive requests, None where it has none.
    """
    reactive = case.scaling == "reactive"
    world = golden_world(
        case.instances_per_region,
        niw=NIW_AUTHORS if case.niw_release == "on_completion" else NIW_UNMANAGED,
        scaling=SCALING_AUTHORS if reactive else FIXED_FLEET,
        lead_times=LEAD_TIMES_AUTHORS if reactive else None,
    )
    if niw_slo_s is not None:
        offset_s = float(math.floor(4 * niw_slo_s / 5))
        world = replace(world, tiers=(*world.tiers[:2], replace(world.tiers[2], slo_s=niw_slo_s, fcfs_offset_s=offset_s)))
    routing = replace(world.routing, utilization_threshold=case.utilization_threshold, delay_s=case.delay_s)
    serving = replace(world.serving, max_batch=case.max_batch, iteration_overhead_s=case.overhead_s, mixed_factor=case.mixed_factor)
    return replace(world, name=case.name, routing=routing, serving=serving)


def simulate(world: World, requests: Chunk) -> Run:
    """Serve requests until all are finished (or nothing moves any more).

    The fleet scales between the world's least number of instances and all VMs of a region; worlds with ``FIXED_FLEET`` stay as
    they start, because no utilization is beyond their thresholds.

    Args:
        world: The world.
        requests: Shape (n,), dtype ``REQUEST_DTYPE``.
    """
    sim = Simulator(world, Recorded(world.name, requests), log_requests=True)
    if world.scaling != FIXED_FLEET:
        sim.apply(_free(Knobs.static(world), world))
    active, finished, give_up_s = [_active(sim)], 0, float(requests["arrival_s"][-1]) + GIVE_UP_S
    while finished < len(requests) and sim.now_s < give_up_s:
        sim.advance(SAMPLE_S * len(active))
        active.append(_active(sim))
        seen = sim.telemetry()
        if finished < (now_finished := int(seen.completed.sum() + seen.rejected.sum())):
            finished, give_up_s = now_finished, max(give_up_s, sim.now_s + GIVE_UP_S)
    fleet = sim.metrics().fleet_total
    return Run(_outcomes(sim, len(requests)), np.array(active), fleet.scale_outs + fleet.scale_ins)


def _free(knobs: Knobs, world: World) -> Knobs:
    """Bounds from the world's least number (or the starting one, if smaller) to all VMs of the endpoint's region."""
    vms = [[region.vm_capacity.get(vm_type.name, 0) for vm_type in world.vm_types] for region in world.regions]
    knobs.floor = np.minimum(knobs.floor, np.int32(world.scaling.min_instances))
    knobs.cap[...] = np.repeat(np.array(vms, np.int32), len(world.models) * len(world.pools), axis=0)
    return knobs


def _active(sim: Simulator) -> NDArray[np.int64]:
    seen = sim.telemetry()
    return np.bincount(seen.model, weights=seen.active.sum(axis=1), minlength=len(sim.world.models)).astype(np.int64)


def _outcomes(sim: Simulator, n: int) -> NDArray[np.void]:
    """The request log by request; requests that it does not hold, or holds as rejected, were not served."""
    outcomes = np.zeros(n, OUTCOME)
    for name in TIMESTAMPS:
        outcomes[name] = math.nan
    outcomes["region"] = outcomes["instance"] = -1
    log = sim.request_log()
    log = log[log["rejected"] == 0]
    for name in OUTCOME.names or ():
        outcomes[name][log["request"]] = log[name]
    return outcomes
