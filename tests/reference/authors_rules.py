"""The rules of the authors' simulator for interactive requests, in plain Python: slow, small and independent.

Written from the published description of those rules, without looking at the package's kernels, so that a misreading in one of the
two shows as a disagreement. It reads the measurements itself and shares no code with ``sageserve_env``.

A heap of (time, sequence number, action) is the whole machinery: equal times are first in, first out, and a trace arrival goes
before a queued event of the same time.
"""

from __future__ import annotations

import bisect
import csv
import gzip
import heapq
import itertools
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

MEASUREMENTS = Path(__file__).resolve().parents[2] / "sageserve_env" / "world" / "data" / "perf_profiles.csv.gz"
GPU_BYTES = 8 * 85_899_345_920
NAME_IN_FILE = {"llama-2-70b": "llama2-70b", "bloom-176b": "bloom-176b"}
WEIGHTS = {"llama-2-70b": 135e9, "bloom-176b": 329e9}
KV_BYTES = {"llama-2-70b": 2_621_440, "bloom-176b": 4_014_080}
REGIONS = ("westus", "centralus", "eastus")
OVERHEAD_S, MIXED_FACTOR, ROUTER_S, THRESHOLD, MAX_BATCH = 0.010, 1.1, 1.0, 0.7, 512
OUT_ABOVE, IN_BELOW, PAUSE_OWN_S, PAUSE_OTHER_S = 0.5, 0.25, 65.0, 155.0


class StuckError(Exception):
    """Requests block each other for ever, as they do in the authors' simulator: such a trace compares nothing."""


@dataclass
class Request:
    """One request and what became of it."""

    request_id: int
    arrival_s: float
    model: str
    order: tuple[str, ...]
    prompt: int
    output: int
    routed_s: float = math.nan
    prefill_start_s: float = math.nan
    first_token_s: float = math.nan
    decode_start_s: float = math.nan
    completion_s: float = math.nan
    region: str = ""
    instance: int = -1


@dataclass(order=True)
class Piece:
    """The prefill or the decode of a request, ordered as waiting work is."""

    arrival_s: float
    sequence: int
    request: Request = field(compare=False)
    is_prefill: bool = field(compare=False)
    left: int = field(compare=False)  # tokens still to produce


class Table:
    """Piecewise linear, first and last segments extended both ways."""

    def __init__(self, points: dict[int, list[float]]) -> None:
        self.x = sorted(points)
        self.y = [statistics.median(points[x]) for x in self.x]

    def __call__(self, x: float) -> float:
        k = min(max(bisect.bisect_right(self.x, x) - 1, 0), len(self.x) - 2)
        x0, x1, y0, y1 = self.x[k], self.x[k + 1], self.y[k], self.y[k + 1]
        return y0 + (y1 - y0) / (x1 - x0) * (x - x0)


def tables(model: str) -> tuple[Table, Table]:
    """Prefill and decode tables of a model on 8xA100 at tensor parallelism 8."""
    prefill: dict[int, list[float]] = {}
    decode: dict[int, list[float]] = {}
    with gzip.open(MEASUREMENTS, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["model"], row["hardware"], row["tensor_parallel"]) == (NAME_IN_FILE[model], "a100-80gb", "8"):
                x = int(row["prompt_size"]) * int(row["batch_size"])
                prefill.setdefault(x, []).append(float(row["prompt_time_ms"]) / 1e3)
                decode.setdefault(x, []).append(float(row["decode_time_per_token_ms"]) / 1e3)
    return Table(prefill), Table(decode)


class Instance:
    """One instance: its batch, its waiting work, its memory, and the run of iterations under way."""

    def __init__(self, fleet: Fleet, number: int, model: str, curves: tuple[Table, Table]) -> None:
        self.fleet, self.number, self.model = fleet, number, model
        self.prefill_s, self.decode_s = curves
        self.batch: list[Piece] = []
        self.waiting: list[Piece] = []
        self.scheduled = 0
        self.kv_tokens = 0
        self.run = 0  # number of the run under way; an event of an older run is void
        self.start_s = self.duration_s = 0.0
        self.iterations = 0
        self.was_cut = False

    @property
    def pending(self) -> int:
        """Tokens of the pieces that are not in the batch yet."""
        return sum(piece.request.prompt if piece.is_prefill else 1 for piece in self.waiting)

    @property
    def capacity(self) -> float:
        """Bytes for KV."""
        return GPU_BYTES - WEIGHTS[self.model]

    def fits(self, tokens: int) -> bool:
        """Whether that many more tokens fit."""
        return (self.kv_tokens + tokens) * KV_BYTES[self.model] <= self.capacity

    def assign(self, request: Request) -> None:
        """A request arrives as two pieces."""
        request.instance = self.number
        self.scheduled += request.prompt + 1
        for is_prefill, left in ((True, 1), (False, request.output - 1)):
            piece = Piece(request.arrival_s, next(self.fleet.sequence), request, is_prefill, left)
            bisect.insort(self.waiting, piece)
            if not self.batch:
                self.begin()
            elif not any(member.is_prefill for member in self.batch):
                self.cut()

    def begin(self) -> None:
        """An iteration boundary, after members have left: admit waiting work and start the next run."""
        self.admit()
        if not self.batch:
            return
        prefills = [piece for piece in self.batch if piece.is_prefill]
        tokens = sum(piece.request.prompt for piece in prefills) + len(self.batch) - len(prefills)
        if not prefills:
            seconds = self.decode_s(tokens)
        else:
            seconds = self.prefill_s(tokens) * (1.0 if len(prefills) == len(self.batch) else MIXED_FACTOR)
        self.duration_s = abs(seconds) + OVERHEAD_S
        self.start_s, self.was_cut = self.fleet.now_s, False
        self.iterations = 1 if prefills else min(piece.left for piece in self.batch)
        self.plan_end()

    def plan_end(self) -> None:
        """Queue the end of the run under way."""
        self.run += 1
        run = self.run
        self.fleet.at(self.start_s + self.iterations * self.duration_s, lambda: self.end(run))

    def cut(self) -> None:
        """End the run of decode iterations at the next iteration boundary; only the first arrival does."""
        if not self.was_cut:
            self.was_cut = True
            elapsed = self.fleet.now_s - self.start_s
            self.iterations = min(self.iterations, math.floor(elapsed / self.duration_s) + 1)
            self.plan_end()

    def admit(self) -> None:
        """Walk the waiting work in order until memory or the batch is full."""
        for piece in list(self.waiting):
            request = piece.request
            if not piece.is_prefill and math.isnan(request.first_token_s):
                continue  # its prefill runs, or joins in this walk
            tokens = request.prompt + 1 if piece.is_prefill else request.output - 1
            if len(self.batch) >= MAX_BATCH or not self.fits(tokens):
                return
            self.waiting.remove(piece)
            self.batch.append(piece)
            self.kv_tokens += tokens
            if piece.is_prefill:
                request.prefill_start_s = self.fleet.now_s
            else:
                request.decode_start_s = self.fleet.now_s

    def end(self, run: int) -> None:
        """The run is over: members gain its tokens, finished ones leave, the next run starts."""
        if run != self.run:
            return
        members, self.batch = self.batch, []
        for piece in members:
            request = piece.request
            piece.left -= self.iterations
            if piece.left > 0:
                self.batch.append(piece)
            elif piece.is_prefill:
                request.first_token_s = self.fleet.now_s
                self.scheduled -= request.prompt
            else:
                request.completion_s = self.fleet.now_s
                self.scheduled -= 1
                self.kv_tokens -= request.prompt + request.output
        self.begin()


class Fleet:
    """All instances, the global router and the heap of events."""

    def __init__(self, instances_per_region: dict[str, int], is_reactive: bool = False) -> None:
        self.now_s = 0.0
        self.is_reactive = is_reactive
        self.sequence = itertools.count()
        self.heap: list[tuple[float, int, Callable[[], None]]] = []
        curves = {model: tables(model) for model in instances_per_region}
        self.endpoints = {
            (region, model): groups([Instance(self, number, model, curves[model]) for number in range(count)])
            for region in REGIONS
            for model, count in instances_per_region.items()
        }
        self.curves = curves
        self.created = dict.fromkeys(self.endpoints, 0) | {(r, m): instances_per_region[m] for r, m in self.endpoints}
        self.spot: dict[tuple[str, str], list[Instance]] = {place: [] for place in self.endpoints}
        self.pause_until_s = dict.fromkeys(self.endpoints, 0.0)
        self.moves: list[tuple[float, str, str, int]] = []
        self.killed_at_work = 0
        self.everything = [instance for place in self.endpoints for instance in self.instances(*place)]

    def instances(self, region: str, model: str) -> list[Instance]:
        """The active instances of an endpoint, in order."""
        return [instance for group in self.endpoints[region, model] for instance in group]

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Queue an action."""
        heapq.heappush(self.heap, (time_s, next(self.sequence), action))

    def utilization(self, region: str, model: str) -> float:
        """KV memory in use over KV memory, of an endpoint."""
        instances = self.instances(region, model)
        used = sum(instance.kv_tokens for instance in instances) * KV_BYTES[model]
        return used / sum(instance.capacity for instance in instances)

    def route(self, request: Request) -> None:
        """The global router: first region of the order with room, else the least utilized; it takes a second."""
        use = {region: self.utilization(region, request.model) for region in request.order}
        roomy = [region for region in request.order if use[region] < THRESHOLD]
        request.routed_s = self.now_s
        request.region = roomy[0] if roomy else min(request.order, key=lambda region: use[region])
        self.at(self.now_s + ROUTER_S, lambda: self.deliver(request))

    def deliver(self, request: Request) -> None:
        """The endpoint: the group with the shortest queue in it, there the instance with the least scheduled tokens."""
        if self.is_reactive:
            self.scale(request.region, request.model)
        standing = self.endpoints[request.region, request.model]
        group = min(standing, key=lambda members: min(instance.pending for instance in members))
        min(group, key=lambda instance: instance.scheduled).assign(request)

    def scale(self, region: str, model: str) -> None:
        """One instance out or in at once, by the utilization of the endpoint, unless it pauses."""
        place = region, model
        if self.now_s < self.pause_until_s[place]:
            return
        use = self.utilization(region, model)
        before = len(self.instances(region, model))
        if use > OUT_ABOVE:
            donors = [other for other in self.curves if self.spot[region, other]]
            if self.spot[place]:
                join(self.endpoints[place], self.spot[place].pop(0))
                self.pause_until_s[place] = self.now_s + PAUSE_OWN_S
            elif donors:
                killed = self.spot[region, donors[0]].pop(0)
                self.killed_at_work += bool(killed.batch)
                new = Instance(self, self.created[place], model, self.curves[model])
                self.created[place] += 1
                self.everything.append(new)
                join(self.endpoints[place], new)
                self.pause_until_s[place] = self.now_s + PAUSE_OTHER_S
        elif use < IN_BELOW and before > 2:
            self.spot[place].append(leave(self.endpoints[place]))
        change = len(self.instances(region, model)) - before
        if change:
            self.moves.append((self.now_s, region, model, change))

    def serve(self, trace: Iterable[Request]) -> None:
        """Play a trace, in order of arrival, to the end.

        Raises:
            StuckError: Requests block each other for ever.
        """
        for request in trace:
            while self.heap and self.heap[0][0] < request.arrival_s:
                self.step()
            self.now_s = request.arrival_s
            self.route(request)
        while self.heap:
            self.step()
        if any(instance.waiting for instance in self.everything):
            raise StuckError("requests wait on an instance that has stopped")

    def step(self) -> None:
        """Set the clock to the next event and do it."""
        self.now_s, _, action = heapq.heappop(self.heap)
        action()


def groups(instances: list[Instance]) -> list[list[Instance]]:
    """Groups of three, the last one or two of two where three does not divide the number."""
    threes = (len(instances) - 2 * (-len(instances) % 3)) // 3 if len(instances) > 2 else 0
    head = [instances[3 * k : 3 * k + 3] for k in range(threes)]
    rest = instances[3 * threes :]
    return head + [rest[k : k + 2] for k in range(0, len(rest), 2)]


def join(standing: list[list[Instance]], new: Instance) -> None:
    """An instance joins: a last group of three gives its last instance to a new group, else the first group of two takes it."""
    if len(standing[-1]) == 3:
        standing.append([standing[-1].pop(), new])
    else:
        two_twos = len(standing) > 1 and len(standing[-2]) == 2
        standing[-2 if two_twos else -1].append(new)


def leave(standing: list[list[Instance]]) -> Instance:
    """The instance that leaves: the last of a last group of three, the very last of two groups of two, else of the group before."""
    if len(standing[-1]) == 3:
        return standing[-1].pop()
    if len(standing[-2]) == 2:
        left = standing[-1].pop()
        standing[-2].extend(standing.pop())
        return left
    return standing[-2].pop()


def serve(instances_per_region: dict[str, int], trace: list[Request], is_reactive: bool = False) -> Fleet:
    """Serve a trace, whose requests get their times; returns the fleet at the end.

    Raises:
        StuckError: Requests block each other for ever.
    """
    fleet = Fleet(instances_per_region, is_reactive)
    fleet.serve(trace)
    return fleet


def read_trace(path: Path) -> list[Request]:
    """Requests of a golden case's trace.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Request(
                int(row["request_id"]),
                float(row["arrival_s"]),
                row["model"],
                tuple(row["region_order"].split("|")),
                int(row["prompt_tokens"]),
                int(row["output_tokens"]),
            )
            for row in csv.DictReader(file)
        ]
