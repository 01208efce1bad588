"""Reading a validation case: ``case.yaml``, ``trace.csv`` and ``requests.csv`` of the authors' simulator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from sageserve_env.errors import InputError, quoted
from sageserve_env.files.csv_rows import Row, read_rows, reason
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, preference_orders
from sageserve_env.world.measured.measurements import A100
from sageserve_env.world.presets.regions import REGIONS

MODELS = ("llama-2-70b", "bloom-176b")
TIER_CODES = {"interactive": 0, "non_interactive": 2}
TIMESTAMPS = ("routed_s", "prefill_start_s", "first_token_s", "decode_start_s", "completion_s")
TRACE_COLUMNS = ("request_id", "arrival_s", "model", "region_order", "tier", "sla_s", "prompt_tokens", "output_tokens")
MAX_TOKENS = 2**30

OUTCOME = np.dtype([(name, np.float64) for name in TIMESTAMPS] + [("region", np.int64), ("instance", np.int64)])
"""What became of one request. A time that did not happen is NaN; region and instance are -1 where it was not served."""

FIXED, SCALING = 0.05, 0.02
"""Shares within which figures agree in cases of a fixed fleet, and of one that scales."""

CHOICES = {
    "vm_type": (A100,),
    "scaling": ("none", "reactive"),
    "niw_release": ("none", "on_completion"),
    "compare": ("exact", "distribution"),
}
"""Fields of case.yaml that name one of a few things."""


@dataclass(frozen=True)
class Case:
    """The fleet and the settings that a ``case.yaml`` states."""

    folder: Path
    instances_per_region: dict[str, int]
    compare: str
    vm_type: str = A100
    scaling: str = "none"
    niw_release: str = "none"
    max_batch: int = 512
    utilization_threshold: float = 0.7
    delay_s: float = 1.0
    overhead_s: float = 0.010
    mixed_factor: float = 1.1

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def tolerance(self) -> float | None:
        """Share within which latency, and mean instances where the fleet scales, agree; None where central queues' rules differ."""
        if self.niw_release != "none":
            return None
        return FIXED if self.scaling == "none" else SCALING


@dataclass(frozen=True)
class Trace:
    """Requests of a ``trace.csv``, in order.

    Attributes:
        ids: Their names in the files. Length n.
        requests: Shape (n,), dtype ``REQUEST_DTYPE``.
        niw_slo_s: Service level of the non-interactive ones, None where there are none.
    """

    ids: tuple[str, ...]
    requests: Chunk
    niw_slo_s: float | None


def read_case(folder: Path) -> Case:
    """The settings of a case; fields that ``case.yaml`` leaves out are the authors' own.

    Args:
        folder: Folder with a ``case.yaml``.

    Raises:
        InputError: The file cannot be read, or a field or value in it is not known.
    """
    path = folder / "case.yaml"
    data = _mapping(_yaml(path), f"{path}:")
    known = ("instances_per_region", "routing", "iteration", "max_batch", *CHOICES)
    _check_keys(data, known, f"{path}:")
    for field in ("instances_per_region", "compare"):
        if field not in data:
            raise InputError(f"{path}: {field} is missing; give it")
    settings: dict[str, Any] = {}
    for field, choices in CHOICES.items():
        if field in data and data[field] not in choices:
            raise InputError(f"{path}: {field} = {data[field]!r} is not known; give one of {quoted(choices)}")
        settings |= {field: data[field]} if field in data else {}
    if "max_batch" in data:
        settings["max_batch"] = _count(data["max_batch"], f"{path}: max_batch", 512)
    for section, fields in (("routing", ("utilization_threshold", "delay_s")), ("iteration", ("overhead_s", "mixed_factor"))):
        values = _mapping(data.get(section, {}), f"{path}: {section}")
        _check_keys(values, fields, f"{path}: {section}.")
        settings |= {field: _real(value, f"{path}: {section}.{field}") for field, value in values.items()}
    return Case(folder, _fleet(data["instances_per_region"], f"{path}: instances_per_region"), **settings)


def read_trace(case: Case) -> Trace:
    """The requests of a case.

    Raises:
        InputError: The file cannot be read, or a row cannot be used.
    """
    path = case.folder / "trace.csv"
    rows = read_rows(path, TRACE_COLUMNS)
    models, orders = list(case.instances_per_region), preference_orders(len(REGIONS)).tolist()
    requests = np.zeros(len(rows), REQUEST_DTYPE)
    slo_s: dict[float, None] = {}
    before_s = 0.0
    for k, row in enumerate(rows):
        arrival_s = row.number("arrival_s", lambda value: 0 <= value < math.inf, "seconds from 0")
        if arrival_s < before_s:
            raise row.error("arrival_s", f"is earlier than {before_s:g} before it; sort the trace by time")
        before_s = arrival_s
        origin, preference = _order(row, orders)
        prompt, output = (int(row.number(name, _is_token_count, "a whole number, 1 or more")) for name in TRACE_COLUMNS[-2:])
        tier = TIER_CODES[row.choice("tier", list(TIER_CODES))]
        requests[k] = (arrival_s, prompt, output, models.index(row.choice("model", models)), origin, tier, preference)
        if tier == TIER_CODES["non_interactive"]:
            slo_s[row.number("sla_s", lambda value: 0 < value < math.inf, "seconds above 0")] = None
            if len(slo_s) > 1:
                raise row.error(
                    "sla_s", "is not that of the non-interactive requests before; this simulator has one for all of them"
                )
    ids = tuple(row.fields["request_id"] for row in rows)
    _check_distinct(ids, rows)
    return Trace(ids, requests, next(iter(slo_s), None))


def read_outcomes(case: Case, ids: tuple[str, ...]) -> NDArray[np.void]:
    """What became of the requests in the authors' simulator, in the order of ``ids``; shape (n,), dtype ``OUTCOME``.

    Raises:
        InputError: The file cannot be read, a row cannot be used, or its requests are not those of the trace.
    """
    path = case.folder / "requests.csv"
    rows = read_rows(path, ("request_id", *TIMESTAMPS, "region", "instance"))
    _check_distinct(tuple(row.fields["request_id"] for row in rows), rows)
    position = {request_id: k for k, request_id in enumerate(ids)}
    outcomes = np.zeros(len(ids), OUTCOME)
    for row in rows:
        if row.fields["request_id"] not in position:
            raise row.error("request_id", "is not in trace.csv; give the requests of the trace")
        times = [
            row.number(name, lambda value: not math.isinf(value), "seconds, or nothing", empty=math.nan) for name in TIMESTAMPS
        ]
        region = REGIONS.index(row.choice("region", REGIONS))
        instance = int(row.number("instance", lambda value: value >= 0 and value == int(value), "a whole number, 0 or more"))
        outcomes[position[row.fields["request_id"]]] = (*times, region, instance)
    if len(rows) < len(ids):
        missing = next(name for name in ids if name not in {row.fields["request_id"] for row in rows})
        raise InputError(f"{path}: request_id {missing!r} of trace.csv is missing; give one row for each request")
    return outcomes


def read_active(case: Case) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Active instances of each model over time in the authors' simulator, from ``scaling.csv``.

    Returns:
        Times of changes from 0 on, shape (n,), and instances of all regions from then on, shape (n, n_models).

    Raises:
        InputError: The file cannot be read, or a row cannot be used.
    """
    models = list(case.instances_per_region)
    active = {(region, model): count for region in REGIONS for model, count in case.instances_per_region.items()}
    times_s, counts = [0.0], [[len(REGIONS) * count for count in case.instances_per_region.values()]]
    for row in read_rows(case.folder / "scaling.csv", ("time_s", "region", "model", "active_after"), may_be_empty=True):
        time_s = row.number("time_s", lambda value: times_s[-1] <= value < math.inf, "seconds, in order")
        after = row.number("active_after", lambda value: value >= 0, "a whole number, or nothing", empty=math.nan)
        if not math.isnan(after):  # an event such as the end of another model's spot VM changes no active instance
            active[row.choice("region", REGIONS), row.choice("model", models)] = int(after)
            times_s.append(time_s)
            counts.append([sum(active[region, model] for region in REGIONS) for model in models])
    return np.array(times_s), np.array(counts)


def _order(row: Row, orders: list[list[list[int]]]) -> tuple[int, int]:
    """Origin and preference of a row's order of regions."""
    names = row.fields["region_order"].split("|")
    if sorted(names) != sorted(REGIONS):
        raise row.error("region_order", f"is not an order of {', '.join(REGIONS)}; name each once, divided by '|'")
    order = [REGIONS.index(name) for name in names]
    return order[0], orders[order[0]].index(order)


def _check_distinct(ids: tuple[str, ...], rows: list[Row]) -> None:
    seen: set[str] = set()
    for request_id, row in zip(ids, rows, strict=True):
        if request_id in seen:
            raise row.error("request_id", "appears twice; give each request once")
        seen.add(request_id)


def _is_token_count(value: float) -> bool:
    return 1 <= value <= MAX_TOKENS and value == int(value)


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({reason(error)}); give a validation case's settings as YAML") from None


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} {value!r} is not a mapping; give 'key: value' pairs")
    return value


def _check_keys(data: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    separator = "" if where.endswith(".") else " "
    for key in data:
        if key not in known:
            raise InputError(f"{where}{separator}{key} = {data[key]!r} is not a known field; known: {', '.join(known)}")


def _fleet(value: Any, where: str) -> dict[str, int]:
    fleet = _mapping(value, where)
    _check_keys(fleet, MODELS, f"{where}.")
    if not fleet:
        raise InputError(f"{where} = {{}} is empty; give at least one of {quoted(MODELS)}")
    return {model: _count(count, f"{where}.{model}", 1000) for model, count in fleet.items()}


def _count(value: Any, where: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InputError(f"{where} = {value!r} is not valid; give a whole number, 1 to {most}")
    return value


def _real(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise InputError(f"{where} = {value!r} is not valid; give a number, 0 or more")
    return float(value)
