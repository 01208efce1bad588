"""Capacity theta of the paper's section 6: the input tokens/s that an instance sustains, found by simulation.

One endpoint of one region, whose ``Search.instances`` instances never scale, serves Poisson arrivals of interactive requests with
the token sizes of the Office 365 week. A rate is sustained if, in the second half of a long run, at least ``Search.attainment`` of
the requests of tier ``Search.tier`` meet their service level, those apart that no fleet could have met. A queue that grows fails by
itself: in two hours an overload of 2 % delays the last requests by more than the 60 s of IW-N. Theta is ``Search.share`` of the
largest such rate, found by bisection, times the mean prompt, per instance.

``PLANNED`` is what fleets are planned with by default; docs/capacity.md says why, and has the values.

``python -m baselines.capacity --write`` searches all pairs of the preset worlds and writes ``data/capacity.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.files.writing import write_text
from sageserve_env.sim import Simulator
from sageserve_env.sim.readout.metrics import ServiceRow
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.drawn.sizes import table_mean
from sageserve_env.workload.request import Workload
from sageserve_env.workload.sources.o365 import IW_FAST_SHARE
from sageserve_env.workload.sources.o365_data import LABELS, MODELS, prompt_table, size_tables, week
from sageserve_env.world import PRESETS, Faults, Model, Pool, Region, VMType, World, load_world
from sageserve_env.world.checks import require, require_count, require_positive

FILE = Path(__file__).parent / "data" / "capacity.json"
COMMAND = "python -m baselines.capacity --write"
TIERS = ("IW-F", "IW-N")
COARSE_REQUESTS, COARSE_TOLERANCE = 10_000, 0.04
"""Of the search for a workload with sizes of its own, which every process makes anew."""

LOWEST_RATE, HIGHEST_RATE = 2.0**-12, 2.0**10
"""Requests/s of one endpoint between which a bracket is sought."""


@dataclass(frozen=True)
class Search:
    """How theta is found.

    Attributes:
        tier: The tier whose service level counts: ``"IW-F"`` or ``"IW-N"``.
        attainment: Share of that tier's attainable requests that must meet it, in (0, 1].
        instances: Instances of the endpoint; theta is per instance. Larger endpoints sustain more for each; 2 is the paper's least.
        requests: Expected requests of a run.
        least_s: A run lasts at least so many seconds.
        tolerance: Relative width of the last bracket.
        seed: Of the arrivals.
        share: Theta is this part of what is sustained, in (0, 1].

    Raises:
        InputError: A value is unknown or out of its range.
    """

    tier: str = "IW-F"
    attainment: float = 0.95
    instances: int = 2
    requests: int = 100_000
    least_s: float = 7200.0
    tolerance: float = 0.01
    seed: int = 0
    share: float = 1.0

    def __post_init__(self) -> None:
        """Check."""
        require(self.tier in TIERS, "tier", repr(self.tier), f"is not interactive; choose one of {', '.join(TIERS)}")
        require(0 < self.attainment <= 1, "attainment", self.attainment, "is not a share; give more than 0, at most 1")
        require(0 < self.share <= 1, "share", self.share, "is not usable; give more than 0, at most 1")
        require_count("instances", self.instances, least=1)
        require_count("requests", self.requests, least=1)
        require_count("seed", self.seed, least=0)
        require_positive("least_s", self.least_s, "give seconds, more than 0")
        require(0 < self.tolerance < 1, "tolerance", self.tolerance, "is not usable; give more than 0, less than 1")


LEVEL = Search()
"""What holds the service level of IW-F even at the smallest endpoint that the paper allows."""

SATURATED = Search(tier="IW-N", instances=1)
"""All that an instance can serve: prompts may wait a minute, so that only a queue that grows fails."""

PLANNED = replace(SATURATED, share=0.5)
"""Half of it, as in the authors' program: its theta is 30 s of an instance's tokens/s beside demand by the minute."""


@cache
def week_sizes(model: str) -> Series:
    """Interactive requests of a model with the sizes of the whole Office 365 week.

    Raises:
        InputError: The week does not have the model.
    """
    if model not in LABELS:
        raise InputError(f"model = {model!r} is not in the O365 week ({', '.join(LABELS)}); search with sizes=")
    label = LABELS[model]
    measured = MODELS[label]  # the week's model, also of a successor
    prompt = prompt_table(measured, week()[label, "prod"].mean_prompt)
    return Series(model, (IW_FAST_SHARE, 1 - IW_FAST_SHARE, 0.0), None, prompt, size_tables()[measured, "output_tokens"])


def sizes_in(workload: Workload, model: str) -> Series | None:
    """What the interactive requests of a model in a workload are like; all of its requests where none is interactive.

    Returns:
        A mixture over the workload's series. None where its law is not known (a recorded trace), where it has none of the model,
        or where it has the sizes of the Office 365 week, whose capacities are known.
    """
    if not isinstance(workload, IntensityWorkload):
        return None
    intensity = workload.intensity
    mine = [k for k, series in enumerate(intensity.series) if series.model == model]
    expected = intensity.expected()
    interactive = {k: float(expected[k]) * sum(intensity.series[k].tiers[:2]) / sum(intensity.series[k].tiers) for k in mine}
    weights = interactive if sum(interactive.values()) > 0 else {k: float(expected[k]) for k in mine}
    total = sum(weights.values())
    if total <= 0 or all(_is_of_the_week(intensity.series[k]) for k in mine):
        return None
    kept = {k: weight / total for k, weight in weights.items() if weight > 0}
    factors = intensity.prompt_factor * intensity.rate * np.diff(intensity.edges)
    prompts = [intensity.series[k].prompt * (factors[k].sum() / expected[k]) for k in kept]
    outputs = [intensity.series[k].output for k in kept]
    shares = list(kept.values())
    tiers = (IW_FAST_SHARE, 1 - IW_FAST_SHARE, 0.0)
    return Series(model, tiers, None, mixture(prompts, shares), mixture(outputs, shares))


def _is_of_the_week(series: Series) -> bool:
    """Whether a series has the output sizes that the Office 365 week gives its model."""
    return series.model in LABELS and np.array_equal(series.output, week_sizes(series.model).output)


def mixture(tables: Sequence[NDArray[np.float64]], shares: Sequence[float]) -> NDArray[np.float64]:
    """The size table of a mixture of size tables; the shares sum to 1."""
    if len(tables) == 1:
        return tables[0]
    sizes = np.concatenate([(table[1:] + table[:-1]) / 2 for table in tables])
    weights = np.repeat(shares, [table.size - 1 for table in tables])
    order = np.argsort(sizes, kind="stable")
    below = np.cumsum(weights[order]) - weights[order] / 2
    found: NDArray[np.float64] = np.interp(np.linspace(0.0, below[-1], tables[0].size), below, sizes[order])
    return found


def one_endpoint(world: World, model: str, vm_type: str, instances: int = 1) -> World:
    """The world reduced to one endpoint: one region, model, VM type and pool, no network latency, nothing spare, no faults.

    Raises:
        InputError: The world has no such model or VM type, or the model does not run on it.
    """
    chosen, kind = find_pair(world, model, vm_type)
    return replace(
        world,
        name=f"{world.name}: {model} on {vm_type}",
        regions=(Region("here", {vm_type: instances}),),
        latency_s=((0.0,),),
        vm_types=(kind,),
        models=(replace(chosen, profiles={vm_type: chosen.profiles[vm_type]}, power={}),),
        pools=(Pool("all", tuple(tier.name for tier in world.tiers), {model: instances}),),
        egress_usd_per_gb=None,
        faults=Faults(),
    )


def find_pair(world: World, model: str, vm_type: str) -> tuple[Model, VMType]:
    """The model and the VM type of these names.

    Raises:
        InputError: The world has no such model or VM type, or the model does not run on it.
    """
    models, kinds = {each.name: each for each in world.models}, {each.name: each for each in world.vm_types}
    require(model in models, "model", repr(model), f"is not in world {world.name!r}; choose one of {', '.join(models)}")
    require(vm_type in kinds, "vm_type", repr(vm_type), f"is not in world {world.name!r}; choose one of {', '.join(kinds)}")
    runs_on = models[model].profiles
    require(vm_type in runs_on, "vm_type", repr(vm_type), f"does not run {model}; choose one of {', '.join(runs_on)}")
    return models[model], kinds[vm_type]


def attainment_at(endpoint: World, sizes: Series, rate: float, search: Search) -> float:
    """Share of the attainable requests that met their level in the second half of a run; NaN if there was none.

    Args:
        endpoint: A world of one endpoint.
        sizes: The arrivals' model, tiers and sizes.
        rate: Requests/s of the endpoint.
        search: The tier, the length and the seed.
    """
    duration_s = max(search.least_s, search.requests / rate)
    intensity = Intensity.renewal((sizes,), np.array([0.0, duration_s]), np.array([[rate]]), cv=1.0)
    sim = Simulator(endpoint, IntensityWorkload(f"{sizes.model} at {rate:g}/s", intensity), seed=search.seed)
    rows = []
    for until_s in (duration_s / 2, duration_s):
        sim.advance(until_s)
        rows.append(next(row for row in sim.metrics().service_by("tier") if row.tier == search.tier))
    met, attainable = (after - before for before, after in zip(decided(rows[0]), decided(rows[1]), strict=True))
    return met / attainable if attainable else float("nan")


def decided(row: ServiceRow) -> tuple[int, int]:
    """Requests so far that met their level, and those that met it or missed it although it was attainable."""
    return row.slo_met, row.slo_met + row.slo_missed - row.unattainable


def largest(is_sustained: Callable[[float], bool], tolerance: float) -> float:
    """The largest sustained rate: a bracket by powers of two around 1, then bisection of its logarithm.

    Returns:
        The lower end of the last bracket, which is sustained.

    Raises:
        InputError: No rate down to ``LOWEST_RATE`` is sustained, or every rate up to ``HIGHEST_RATE`` is.
    """
    low = high = 1.0
    while not is_sustained(low):
        low, high = low / 2, low
        require(low >= LOWEST_RATE, "rate", f"{high:g}/s", "is not sustained; lower the attainment, or take tier IW-N")
    while high == low or is_sustained(high):
        low, high = (low, 2 * high) if high == low else (high, 2 * high)
        require(high <= HIGHEST_RATE, "rate", f"{low:g}/s", "is still sustained; check the model's iteration times")
    while high / low > 1 + tolerance:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if is_sustained(middle) else (low, middle)
    return low


def saturation(world: World, model: str, vm_type: str, search: Search = PLANNED, sizes: Series | None = None) -> float:
    """Theta of a model on a VM type: sustained input tokens/s of one instance. The same arguments give the same value.

    Args:
        world: Gives the model, the VM type, how instances serve, and the service levels.
        model: Name.
        vm_type: Name.
        search: How to find it.
        sizes: Another mix of requests; None takes the model's in the Office 365 week.

    Raises:
        InputError: The pair is not in the world, the week lacks the model, or no rate brackets the level.
    """
    endpoint = one_endpoint(world, model, vm_type, search.instances)
    sizes = sizes or week_sizes(model)
    rate = largest(lambda rate: attainment_at(endpoint, sizes, rate, search) >= search.attainment, search.tolerance)
    return search.share * rate * table_mean(sizes.prompt) / search.instances


def fingerprint(world: World, model: str, vm_type: str, search: Search, sizes: Series | None = None) -> str:
    """A digest of all that theta at share 1 depends on: serving, levels, iteration times, memory, token sizes and the search.

    Numbers enter with nine digits, so that the last bits of another machine do not matter.

    Raises:
        InputError: The pair is not in the world, or the week lacks the model.
    """
    chosen, kind = find_pair(world, model, vm_type)
    sizes = sizes or week_sizes(model)
    facts = {
        "search": asdict(replace(search, share=1.0)),
        "serving": asdict(world.serving),
        "routing": asdict(world.routing),
        "levels": [asdict(tier) for tier in world.tiers],
        "times": asdict(chosen.profiles[vm_type]),
        "memory": [kind.gpu_memory_bytes, chosen.weights_bytes, chosen.kv_bytes_per_token],
        "sizes": [sizes.tiers, sizes.prompt.tolist(), sizes.output.tolist()],
    }
    return sha256(json.dumps(_rounded(facts)).encode()).hexdigest()[:16]


def _rounded(facts: Any) -> Any:
    """Plain lists and dictionaries with every number as text of nine digits; what a world does not set is left out."""
    if isinstance(facts, dict):
        return {name: _rounded(value) for name, value in facts.items() if value is not None}
    if isinstance(facts, list | tuple):
        return [_rounded(value) for value in facts]
    return f"{facts:.9g}" if isinstance(facts, int | float) else facts


@cache
def known() -> dict[str, float]:
    """Theta at share 1 by fingerprint, from the file and, once found, of this process."""
    return {row["fingerprint"]: row["theta"] for row in json.loads(FILE.read_text())["capacities"]}


def load_capacity(world: World, search: Search = PLANNED, workload: Workload | None = None) -> NDArray[np.float64]:
    """Theta of every model on every VM type of a world.

    Pairs that differ from those of the preset worlds in anything that matters are searched, which takes seconds each and is
    said on standard error, once in a process. For a workload with token sizes of its own the search is coarse, and a pair takes a
    fraction of a second.

    Args:
        world: Any world whose models are in the workload or in the Office 365 week.
        search: How theta is found.
        workload: What the fleet will serve; where its sizes are its own, theta is that of its requests.

    Returns:
        Input tokens/s of one instance, shape (M, K); 0 where the model does not run on the type.

    Raises:
        InputError: The week lacks a model, or no rate brackets its level.
    """
    theta = np.zeros((len(world.models), len(world.vm_types)))
    for i, model in enumerate(world.models):
        sizes = None if workload is None else sizes_in(workload, model.name)
        for k, kind in enumerate(world.vm_types):
            if kind.name in model.profiles:
                theta[i, k] = _theta(world, model.name, kind.name, search, sizes)
    return theta


def _theta(world: World, model: str, vm_type: str, search: Search, sizes: Series | None) -> float:
    if sizes is not None:
        search = replace(search, requests=COARSE_REQUESTS, tolerance=COARSE_TOLERANCE)
    key = fingerprint(world, model, vm_type, search, sizes)
    if key not in known():
        if sizes is None:
            sys.stderr.write(f"baselines: searching for the capacity of {model} on {vm_type}, which capacity.json does not hold\n")
        known()[key] = saturation(world, model, vm_type, replace(search, share=1.0), sizes)
    return search.share * known()[key]


def search_presets(searches: tuple[Search, ...]) -> list[dict[str, Any]]:
    """A row for each pair of the preset worlds that differs from the others, and each search."""
    rows: dict[str, dict[str, Any]] = {}
    for name in PRESETS:
        world = load_world(name)
        pairs = ((model.name, kind.name) for model in world.models for kind in world.vm_types if kind.name in model.profiles)
        for (model, kind), search in product(pairs, searches):
            key = fingerprint(world, model, kind, search)
            if key not in rows:
                theta = round(saturation(world, model, kind, search), 1)
                row = {"worlds": [], "model": model, "vm_type": kind, "search": asdict(search), "theta": theta}
                rows[key] = {**row, "fingerprint": key}
            rows[key]["worlds"].append(name)
    return list(rows.values())


def main(arguments: list[str] | None = None) -> int:
    """The command: search the presets, print the table, and write it where asked to; returns the exit status."""
    parser = argparse.ArgumentParser("python -m baselines.capacity", description="Theta of the preset worlds, by simulation.")
    parser.add_argument("--write", action="store_true", help=f"replace {FILE.name}, which load_capacity reads")
    given = parser.parse_args(arguments)
    rows = search_presets((LEVEL, SATURATED))
    for row in rows:
        print(f"{row['worlds'][0]:16}{row['model']:14}{row['vm_type']:16}{row['search']['tier']:6}{row['theta']:10,.0f} tokens/s")
    if given.write:
        versions = {package: version(package) for package in ("sageserve-env", "numpy", "numba")}
        write_text(FILE, json.dumps({"command": COMMAND, "versions": versions, "capacities": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
