"""What a run achieved: service by model, region and tier, the fleet's hours and dollars, and what was donated to spot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from sageserve_env.errors import InputError

Row = TypeVar("Row", "ServiceRow", "FleetRow", "SpotRow")

ALL = "all"
"""Stands in a row for a model, region or tier over which the row is merged."""


@dataclass(frozen=True)
class ServiceRow:
    """How requests fared. What was never measured is NaN.

    A region is the one that served, save in ``arrived``, ``arrived_prompt_tokens``, ``rejected``, ``queued``, ``promoted``,
    ``retried``, ``oldest_queued_s``: there it is the region of origin. Rows that merge regions balance: arrived = rejected +
    completed + travelling + waiting + running + queued. The rejected count as missed and unattainable in their region of origin.

    Attributes:
        scope: What tells the row from others: ``"total"``, ``"tier"``, ``"model"``, ``"model-tier"``, ``"region"`` or
            ``"model-region-tier"``. Percentiles of merged rows are those of the merged requests.
        model, region, tier: Names; ``"all"`` where merged.
        arrived, rejected, completed: Requests; the rejected fit into no instance.
        travelling, waiting, running: In flight now: on the way to a region, at an endpoint, admitted to an instance.
        queued: Non-interactive requests in the central queue now.
        promoted: Non-interactive requests that grew so old there that they were routed as interactive.
        retried: Times that a request was lost to a fault and went back to the global router, to be served from the start.
        arrived_prompt_tokens: Prompt tokens of the arrived.
        prompt_tokens, output_tokens: Tokens of the completed.
        slo_met: Requests completed within their service level: time to first token for IW-F and IW-N, completion for NIW, and
            for a tier with a ``tpot_s`` also the time for each output token after the first.
        slo_missed: Completed outside it, overdue, or rejected.
        overdue: Unfinished now, their service level already missed; of the region of origin until they are sent to another.
        unattainable: Of the missed, those that no fleet could have met: the rejected, and those of which prefill (for NIW, the
            whole output) on an idle instance and the network alone take longer.
        slo_attainment: slo_met / (slo_met + slo_missed).
        slo_attainment_of_attainable: The same without the unattainable.
        ttft_mean_s, ttft_p50_s, ...: Time to first token of the completed, from arrival at the global router; of one that was
            lost to a fault, the first token of the answer that it got in the end.
        tpot_mean_s, tpot_p50_s, ...: Time for each output token after the first, of the completed that have two tokens or more.
        e2e_mean_s, e2e_p50_s, ...: Time from arrival to completion; for NIW, the age at completion.
        oldest_queued_s, oldest_unfinished_s: Greatest age now in the central queue, and of all unfinished requests; 0 if none.
    """

    scope: str
    model: str
    region: str
    tier: str
    arrived: int
    rejected: int
    completed: int
    travelling: int
    waiting: int
    running: int
    queued: int
    promoted: int
    retried: int
    arrived_prompt_tokens: int
    prompt_tokens: int
    output_tokens: int
    slo_met: int
    slo_missed: int
    overdue: int
    unattainable: int
    slo_attainment: float
    slo_attainment_of_attainable: float
    ttft_mean_s: float
    ttft_p50_s: float
    ttft_p75_s: float
    ttft_p90_s: float
    ttft_p95_s: float
    ttft_p99_s: float
    tpot_mean_s: float
    tpot_p50_s: float
    tpot_p75_s: float
    tpot_p90_s: float
    tpot_p95_s: float
    tpot_p99_s: float
    e2e_mean_s: float
    e2e_p50_s: float
    e2e_p75_s: float
    e2e_p90_s: float
    e2e_p95_s: float
    e2e_p99_s: float
    oldest_queued_s: float
    oldest_unfinished_s: float


@dataclass(frozen=True)
class FleetRow:
    """The instances of a model in a region, all pools together.

    Attributes:
        scope: ``"total"``, ``"model"``, ``"region"`` or ``"model-region-vm_type"``.
        model, region, vm_type: Names; ``"all"`` where merged.
        active, provisioning, draining: Instances now.
        active_h, provisioning_h, draining_h: Instance-hours so far, up to now: what is paid for. Provisioning serves nobody: it is
            waste.
        peak_15min_h: Active instance-hours as the authors of the paper count them: of every quarter of an hour the most instances
            that were active at once, times a quarter of an hour. Never less than ``active_h``; merged rows add them up.
        scale_outs, scale_ins: Instances added and released so far.
        waste_by_moves_h: Waste as they count it: ``scale_outs`` times the world's time to redeploy a VM, whatever each took.
        mean_utilization: Effective memory utilization, 0 to 1: byte-seconds of KV memory in use over byte-seconds that active
            instances had; over all VM types of the model and region, whichever type the row names. NaN if none was active.
        dollars: Active, provisioning and draining hours at the list price of region and hour.
        energy_kwh: Energy of all instances, the data centre's share included; 0 in worlds without power.
        carbon_kg: Carbon of that energy, by region and hour; 0 in worlds without carbon.
    """

    scope: str
    model: str
    region: str
    vm_type: str
    active: int
    provisioning: int
    draining: int
    active_h: float
    provisioning_h: float
    draining_h: float
    peak_15min_h: float
    scale_outs: int
    scale_ins: int
    waste_by_moves_h: float
    mean_utilization: float
    dollars: float
    energy_kwh: float
    carbon_kg: float


@dataclass(frozen=True)
class SpotRow:
    """VMs of a region and type that served nobody: ``vms`` now, and the hours donated to spot customers so far.

    ``failed`` are not there now, be it by a failure, an eviction or an outage of the region, and ``failed_h`` their hours so far.
    """

    region: str
    vm_type: str
    vms: int
    donated_h: float
    failed: int
    failed_h: float


@dataclass(frozen=True)
class Metrics:
    """Results of one simulation from its start to ``now_s``.

    Attributes:
        now_s: Simulated seconds.
        events: Events simulated.
        preempted: Requests that gave up their memory before decoding, to be prefilled anew.
        blocked_scale_outs: Attempts to add an instance that found no spot VM.
        failures, evictions: Of VMs, so far, also of such as were down for another reason.
        outages: Of regions, so far.
        outage_s: Seconds that regions were out so far, summed over regions.
        service: Rows of every scope, ``"total"`` first.
        fleet: Rows of every scope, ``"total"`` first.
        spot: One row for each region and VM type.
        egress_usd: Dollars for prompts sent to other regions and outputs sent back; 0 in worlds without egress.
    """

    now_s: float
    events: int
    preempted: int
    blocked_scale_outs: int
    failures: int
    evictions: int
    outages: int
    outage_s: float
    service: tuple[ServiceRow, ...]
    fleet: tuple[FleetRow, ...]
    spot: tuple[SpotRow, ...]
    egress_usd: float

    @property
    def total(self) -> ServiceRow:
        """All requests."""
        return self.service[0]

    @property
    def fleet_total(self) -> FleetRow:
        """All instances."""
        return self.fleet[0]

    @property
    def spot_donated_h(self) -> float:
        """VM-hours donated to spot customers, all regions and types."""
        return sum(row.donated_h for row in self.spot)

    @property
    def failed_h(self) -> float:
        """VM-hours that VMs were not there, all regions and types."""
        return sum(row.failed_h for row in self.spot)

    def service_by(self, scope: str) -> tuple[ServiceRow, ...]:
        """The service rows of one scope.

        Raises:
            InputError: No row has that scope.
        """
        return _of_scope(self.service, scope)

    def fleet_by(self, scope: str) -> tuple[FleetRow, ...]:
        """The fleet rows of one scope.

        Raises:
            InputError: No row has that scope.
        """
        return _of_scope(self.fleet, scope)

    def to_frame(self) -> Any:
        """The service rows as a pandas DataFrame, one column for each field.

        Raises:
            InputError: pandas is not installed.
        """
        return rows_frame(self.service)

    def fleet_frame(self) -> Any:
        """The fleet rows as a pandas DataFrame, one column for each field.

        Raises:
            InputError: pandas is not installed.
        """
        return rows_frame(self.fleet)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries, lists and scalars that JSON can hold: None stands for NaN."""
        rows = {name: plain_rows(getattr(self, name)) for name in ("service", "fleet", "spot")}
        return {field.name: rows.get(field.name, getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Metrics:
        """The metrics that :meth:`to_dict` described."""
        sections = {"service": ServiceRow, "fleet": FleetRow, "spot": SpotRow}
        rows = {name: tuple(_row(kind, row) for row in values[name]) for name, kind in sections.items()}
        return cls(**{**values, **rows})


def rows_frame(rows: Iterable[Any]) -> Any:
    """Rows as a pandas DataFrame.

    Raises:
        InputError: pandas is not installed.
    """
    return import_pandas().DataFrame([asdict(row) for row in rows])


def plain_rows(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows as dictionaries; None stands for NaN."""
    return [{name: _none_if_nan(value) for name, value in asdict(row).items()} for row in rows]


def import_pandas() -> Any:
    """The pandas module.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise InputError("pandas = None is not installed; run: pip install 'sageserve-env[data]'") from None
    return pandas


def _of_scope(rows: Sequence[Row], scope: str) -> tuple[Row, ...]:
    chosen = tuple(row for row in rows if getattr(row, "scope", None) == scope)
    if not chosen:
        known = dict.fromkeys(getattr(row, "scope", "") for row in rows)
        raise InputError(f"scope = {scope!r} is not known; choose one of {', '.join(known)}")
    return chosen


def _none_if_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _row(kind: type, values: dict[str, Any]) -> Any:
    return kind(**{field.name: math.nan if values[field.name] is None else values[field.name] for field in fields(kind)})
