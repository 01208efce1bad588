"""A run over time: counters of the simulator sampled at instants, and what happened between them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim.readout.measure import RunningSums, ratio
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.sim.serving.latency import percentiles
from sageserve_env.world.schema import World

HOUR_S = 3600.0

Series = dict[str, NDArray[Any]]
"""Columns by name, each of shape (samples,). See :class:`Sampler`."""

SHARES = np.array([0.50, 0.95])


class Watched(Protocol):
    """What can be sampled: a simulator, or what has one in it."""

    def telemetry(self) -> Telemetry:
        """What it looks like now."""
        ...

    def running_sums(self) -> RunningSums:
        """Sums from the start up to now."""
        ...


class Sampler:
    """Collects one row for each interval of a run. Differences of running sums give means and rates over the interval.

    Columns, where names stand between slashes as the world spells them; what was not measured in an interval is NaN:

    - ``time_s``: end of the interval; ``interval_s``: its length.
    - ``active/<region>/<model>/<pool>``, ``provisioning/...``, ``draining/...``: mean instances of the endpoint, so that a
      column times ``interval_s`` adds up to its instance-seconds.
    - ``utilization/<region>/<model>/<pool>``: mean effective memory utilization, 0 to 1; NaN where no instance was active.
    - ``waiting/<region>/<model>/<pool>``: requests at the endpoint that are not admitted, at the end of the interval.
    - ``spot/<region>``: mean VMs that serve nobody.
    - ``requests_per_s/<model>/<tier>``, ``prompt_tokens_per_s/<model>/<tier>``: arrivals.
    - ``ttft_p50_s/<tier>``, ``ttft_p95_s/<tier>``: time to first token of the requests that completed in the interval.
    - ``tpot_p50_s/<tier>``, ``tpot_p95_s/<tier>``: their time for each output token after the first, where a tier has such a level.
    - ``slo_attainment/<tier>``: share within the service level, 0 to 1, of those and of the requests rejected in the interval.
    - ``queued_niw``: non-interactive requests in the central queue at the end of the interval; ``oldest_queued_s``: age of the
      oldest, 0 where none waits.
    - ``dollars_per_h``: active, provisioning and draining instances at list price.

    Args:
        world: The world that is simulated.
        sim: Its simulator, at the start of the first interval.
    """

    def __init__(self, world: World, sim: Watched) -> None:
        self._names = column_names(world)
        self._tpot_tiers = [index for index, tier in enumerate(world.tiers) if tier.tpot_s is not None]
        self._rows: list[NDArray[np.float64]] = []
        self._before, self._sums_before = sim.telemetry(), sim.running_sums()

    def sample(self, sim: Watched, now: Telemetry) -> None:
        """Add the row of the interval since the last call.

        Args:
            sim: The simulator.
            now: Its telemetry at this instant.
        """
        before, sums_before, sums = self._before, self._sums_before, sim.running_sums()
        self._before, self._sums_before = now, sums
        interval_s = now.now_s - before.now_s
        usd = sums.spending.vm_usd - sums_before.spending.vm_usd
        ttft_counts, tpot_counts = sums.ttft_counts - sums_before.ttft_counts, sums.tpot_counts - sums_before.tpot_counts
        vm_s = [getattr(now, name) - getattr(before, name) for name in ("active_s", "provisioning_s", "draining_s", "spot_s")]
        parts = (
            [now.now_s, interval_s],
            *(seconds.sum(axis=1) / interval_s for seconds in vm_s[:3]),
            ratio(sums.kv_used - sums_before.kv_used, sums.kv_capacity - sums_before.kv_capacity),
            now.waiting.sum(axis=1),
            vm_s[3].sum(axis=1) / interval_s,
            (now.arrived - before.arrived).sum(axis=0).ravel() / interval_s,
            (now.arrived_tokens - before.arrived_tokens).sum(axis=0).ravel() / interval_s,
            *percentiles(ttft_counts, SHARES).T,
            *percentiles(tpot_counts[self._tpot_tiers], SHARES).T,
            ratio((now.slo_met - before.slo_met).sum(axis=0), finished(now) - finished(before)),
            [now.queued.sum(), now.oldest_queued_s.max(), usd.sum() / (interval_s / HOUR_S)],
        )
        self._rows.append(np.concatenate(parts))

    def columns(self) -> Series:
        """The rows so far as columns."""
        table = np.array(self._rows).reshape(-1, len(self._names))
        columns: Series = dict(zip(self._names, table.T.copy(), strict=True))
        return {name: column.astype(np.int64) if is_count(name) else column for name, column in columns.items()}


def finished(seen: Telemetry) -> NDArray[np.int64]:
    """Requests completed or rejected so far by tier, shape (T,)."""
    return seen.completed.sum(axis=0) + seen.rejected.sum(axis=(0, 1))


COUNTS = ("waiting", "queued_niw")


def is_count(name: str) -> bool:
    """Whether a column holds whole numbers."""
    return name.split("/")[0] in COUNTS


def column_names(world: World) -> list[str]:
    """Names of a series' columns, in the order in which :meth:`Sampler.sample` writes them."""
    regions, models = [region.name for region in world.regions], [model.name for model in world.models]
    tiers = [tier.name for tier in world.tiers]
    endpoints = [f"{region}/{model}/{pool.name}" for region in regions for model in models for pool in world.pools]
    classes = [f"{model}/{tier}" for model in models for tier in tiers]
    by_endpoint = [
        f"{kind}/{name}" for kind in ("active", "provisioning", "draining", "utilization", "waiting") for name in endpoints
    ]
    by_class = [f"{kind}/{name}" for kind in ("requests_per_s", "prompt_tokens_per_s") for name in classes]
    tpot_tiers = [tier.name for tier in world.tiers if tier.tpot_s is not None]
    by_tier = [f"{kind}/{tier}" for kind in ("ttft_p50_s", "ttft_p95_s") for tier in tiers]
    by_tier += [f"{kind}/{tier}" for kind in ("tpot_p50_s", "tpot_p95_s") for tier in tpot_tiers]
    by_tier += [f"slo_attainment/{tier}" for tier in tiers]
    spot = [f"spot/{region}" for region in regions]
    return ["time_s", "interval_s", *by_endpoint, *spot, *by_class, *by_tier, "queued_niw", "oldest_queued_s", "dollars_per_h"]
