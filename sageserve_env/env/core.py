"""Many environments in one set of arrays: begin episodes, step them on all cores, save and restore them.

The single and the vector environment, the adapters and the multi-agent environment are faces of this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.compile import announce
from sageserve_env.env import kernel
from sageserve_env.env.observation.encode import rate_scales
from sageserve_env.env.rewards import TERMS
from sageserve_env.env.state import DONE, READY, ROW, RUNNING
from sageserve_env.env.tables import Settings, codec, empty_rows, prices, vms_by_type
from sageserve_env.errors import InputError
from sageserve_env.identity import require_same
from sageserve_env.sim.build import initial_state, world_tables
from sageserve_env.sim.faults.events import begin_faults
from sageserve_env.sim.faults.redraw import redraw_faults
from sageserve_env.sim.knobs import ADMISSION_ORDERS, Knobs
from sageserve_env.sim.readout.spending import Spending, read_spending
from sageserve_env.sim.readout.telemetry import Places, Source, Telemetry, read_telemetry, write_telemetry
from sageserve_env.sim.start import NO_LOG, NO_REQUESTS, copy_bytes, duplicate, start_state, write_knobs
from sageserve_env.workload.drawn.generated import IntensityWorkload, Tables
from sageserve_env.workload.play import play
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, Workload
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import World

FIRST_FLIGHT_SLOTS = 1024
PARTS_PER_THREAD = 2


@dataclass(frozen=True)
class RowSnapshot:
    """One environment at a control instant. Opaque; immutable by convention.

    Attributes:
        state: The simulator's arrays, the pool of requests as far as it is used.
        rows: What an episode changes of ``Rows``, and the buffer of generated requests.
        source: What the requests come from; shared, not copied.
        identity: Of the engine that it was taken of.
    """

    state: dict[str, NDArray[Any]]
    rows: dict[str, NDArray[Any]]
    source: Tables | Chunk | None
    identity: Mapping[str, str]


class Engine:
    """E environments with one world, one action mode and one reward.

    Attributes:
        rows: Arrays by the names of ``Rows``; observations, masks and terms are read from here.
        state: The simulators' arrays by the names in ``STATE_FIELDS``, the environment on the first axis.
        terms: Views of the terms of the last interval by the names of ``TERMS``, each of shape (E,).
    """

    def __init__(self, settings: Settings, n_envs: int, n_threads: int = 1) -> None:
        announce("env")
        self.settings = settings
        self.n_envs = n_envs
        self._tables = world_tables(settings.world)
        self._codec = codec(settings)
        self._prices = prices(settings)
        self._rate_scale = rate_scales(settings.world)
        self._vms = vms_by_type(settings.world)
        self._starts: dict[tuple[tuple[str, int], ...], dict[str, NDArray[Any]]] = {}
        self._sources: list[Tables | Chunk | None] = [None] * n_envs
        self.state = initial_state(settings.world, n_envs=n_envs, max_in_flight=min(FIRST_FLIGHT_SLOTS, settings.max_in_flight))
        self.rows = empty_rows(settings, n_envs)
        self.rows["row"]["phase"] = DONE
        self.terms = self._term_views()
        self._n_threads = max(1, min(n_threads, n_envs))
        self._threads: ThreadPoolExecutor | None = None
        self._threads_pid = 0

    @cached_property
    def identity(self) -> dict[str, str]:
        """What a snapshot must have in common with the rows that take it, by name."""
        return self.settings.identity()

    def begin(self, e: int, workload: Workload, seed: int, week_start_s: float, instances: dict[str, int] | None = None) -> None:
        """Start an episode in row ``e``; its observation is in ``rows`` then.

        Args:
            e: Row.
            workload: What arrives; its time 0 is the start of the episode.
            seed: Seed of the workload, and of what goes wrong.
            week_start_s: Seconds from Monday 00:00 to the start.
            instances: Instances of each endpoint at the start by model, in every pool that has any; None keeps the world's.
        """
        start = self._start(instances)
        for name, array in start.items():
            if name != "flight":
                copy_bytes(self.state[name][e], array)
        self.state["clock"]["week_start_s"][e] = week_start_s
        begin_faults(np.uint64(seed), *(array[e] for array in self.state.values()), *self._tables.values(), NO_REQUESTS, NO_LOG)
        rows = self.rows
        for name in ("history", "terms", "totals"):
            rows[name][e] = 0
        rows["target"][e] = start["fleet"]["floor"]
        row = np.zeros((), ROW)
        row["interval_s"], row["week_start_s"], row["phase"] = self.settings.control_interval_s, week_start_s, DONE
        rows["row"][e] = row
        if isinstance(workload, IntensityWorkload):
            tables = workload.tables(self.settings.world, seed)
            self._load(e, tables)
            self.rows["series"][e][: len(tables.bins)] = tables.start(seed)
        else:
            self._load(e, all_requests(workload, self.settings.world, seed))
        kernel.observe_rows(e, e + 1, *self._arguments())

    def step(self, actions: Any, is_active: NDArray[np.bool_] | None = None) -> None:
        """Take rows to their next control instant; what came of it is in ``rows``.

        A row whose pool of requests in flight is full, and may not grow, stops before: its ``is_overfull`` is 1 then.

        Args:
            actions: Decoded by the mode of the engine, shape (E, A).
            is_active: Rows to step, shape (E,); None steps all.
        """
        self.rows["action"][...] = actions
        self.rows["row"]["phase"] = READY if is_active is None else np.where(is_active, READY, DONE)
        self.run()

    def follow(self, knobs: Sequence[Knobs | None]) -> None:
        """Take rows to their next control instant under the knobs of reference policies, in place of actions.

        Floors and caps are brought within what actions can reach.

        Args:
            knobs: Of each row; None leaves a row where it is.

        Raises:
            InputError: Knobs do not fit the world; no row has moved then.
        """
        for each in knobs:
            if each is not None:
                each.validated(self.settings.world)
        for e, each in enumerate(knobs):
            if each is not None:
                self.adopt(e, each)
        self.run()

    def act(self, e: int, action: NDArray[Any]) -> None:
        """Let row ``e`` do at the next :meth:`run` what :meth:`step` does.

        Args:
            e: Row, at rest.
            action: One of the action space, shape (A,).
        """
        self.rows["action"][e] = action
        self.rows["row"]["phase"][e] = READY

    def adopt(self, e: int, knobs: Knobs) -> None:
        """Put knobs into force in row ``e``, which :meth:`run` then takes to its next control instant.

        Args:
            e: Row, at rest.
            knobs: They were checked.
        """
        state, row = self._row_state(e), self.rows["row"]
        write_knobs(state, knobs)
        order = ADMISSION_ORDERS.index(knobs.admission_order)
        arrays = (*state.values(), *self._tables.values(), self.rows["requests"][e], NO_LOG)
        kernel.adopt(order, self._codec, self.rows["target"][e], *arrays)
        row["phase"][e] = RUNNING
        row["until_s"][e] += row["interval_s"][e]

    def run(self) -> None:
        """Simulate the rows that are not at rest to their next control instants."""
        while self._step_rows() > 0:
            self._grow_flight()

    def snapshot(self, e: int) -> RowSnapshot:
        """Everything that decides the future of row ``e``."""
        used = int(self.state["clock"][e, 0]["flight_used"])
        state = {name: duplicate(array[e][:used] if name == "flight" else array[e]) for name, array in self.state.items()}
        rows = {name: duplicate(self.rows[name][e : e + 1]) for name in ROW_STATE}
        source = self._sources[e]
        if isinstance(source, Tables):
            rows["series"] = duplicate(self.rows["series"][e : e + 1, : self.rows["row"][e]["series"]])
            rows["requests"] = duplicate(self.rows["requests"][e : e + 1, : self.rows["row"][e]["rows"]])
        return RowSnapshot(state, rows, source, self.identity)

    def restore(self, e: int, snapshot: RowSnapshot) -> None:
        """Put row ``e`` where a snapshot of any row of an engine with the same settings was.

        Raises:
            InputError: It is no snapshot, or one of an engine with other settings; nothing is changed then.
        """
        require_own(snapshot, RowSnapshot, self.identity)
        used = len(snapshot.state["flight"])
        while used > self.state["flight"].shape[1]:
            self._grow_flight()
        for name, array in snapshot.state.items():
            copy_bytes(self.state[name][e][:used] if name == "flight" else self.state[name][e], array)
        if snapshot.source is not None and self._sources[e] is not snapshot.source:
            self._load(e, snapshot.source)
        for name, array in snapshot.rows.items():
            target = self.rows[name][e : e + 1]
            copy_bytes(target[:, : array.shape[1]] if name in ("series", "requests") else target, array)

    def fork(self, e: int, tables: Tables, seed: int) -> RowSnapshot:
        """Row ``e`` as it is now, with other requests and faults to come; the row itself stays as it is.

        Args:
            e: Row.
            tables: What is to come; their first edge is now.
            seed: Of the requests, and of what goes wrong.
        """
        snapshot = self.snapshot(e)
        redraw_faults(np.uint64(seed), *snapshot.state.values(), *self._tables.values(), NO_REQUESTS, NO_LOG)
        snapshot.state["clock"]["cursor"] = 0
        series, bins = tables.bins.shape
        for name, value in {"series": series, "bins": bins, "rows": 0, "is_last_chunk": 0}.items():
            snapshot.rows["row"][name] = value
        snapshot.rows["series"] = tables.start(seed)[None]
        snapshot.rows["requests"] = self.rows["requests"][e : e + 1, :0].copy()
        return replace(snapshot, source=tables)

    def telemetry(self, e: int) -> Telemetry:
        """What the fleet of row ``e`` looks like now."""
        return read_telemetry(self.settings.world, self._telemetry_source(e))

    def write_telemetry(self, e: int, places: Places) -> None:
        """Write what :meth:`telemetry` gives into arrays that are there."""
        write_telemetry(places, self._telemetry_source(e))

    def _telemetry_source(self, e: int) -> dict[str, NDArray[Any]]:
        """What telemetry of row ``e`` is read from: views of its state."""
        return {name: self.state[name][e] for name in Source._fields}

    def spending(self, e: int) -> Spending:
        """What the fleet of row ``e`` has spent since the start of its episode."""
        return read_spending(self.settings.world, self._row_state(e), self._tables)

    def _row_state(self, e: int) -> dict[str, NDArray[Any]]:
        """The state of one row: views."""
        return {name: array[e] for name, array in self.state.items()}

    def close(self) -> None:
        """Stop the threads."""
        if self._threads is not None and self._threads_pid == os.getpid():
            self._threads.shutdown()
        self._threads = None

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the threads, which start again when needed, the world's tables and the views."""
        return {**self.__dict__, "_threads": None, "_tables": {}, "terms": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the tables and views anew; pickling would make the tables writable, for which the kernels would compile again."""
        self.__dict__.update(state)
        self._tables = world_tables(self.settings.world)
        self.terms = self._term_views()

    def _term_views(self) -> dict[str, NDArray[np.float64]]:
        return {name: self.rows["terms"][:, k] for k, name in enumerate(TERMS)}

    def _start(self, instances: dict[str, int] | None) -> dict[str, NDArray[Any]]:
        """The state at time zero with a fleet in place, made once for each fleet."""
        key = tuple(sorted((instances or {}).items()))
        if key not in self._starts:
            world = with_instances(self.settings.world, instances or {})
            knobs = Knobs.static(world, self.settings.admission_order)
            self._starts[key] = start_state(world, self._tables, knobs, 1)
        return self._starts[key]

    def _load(self, e: int, source: Tables | Chunk) -> None:
        """Put what a row's requests come from into its arrays, which grow as needed."""
        self._sources[e] = source
        if isinstance(source, Tables):
            series, bins = source.bins.shape
            self._fit("series", (series,))
            for name, array in zip(("bins", "edges", "sizes", "labels"), source.arrays, strict=True):
                self._fit(name, array.shape)
                self.rows[name][e][tuple(slice(n) for n in array.shape)] = array
            loaded = {"series": series, "bins": bins, "rows": 0, "is_last_chunk": 0}
        else:
            self._fit("requests", source.shape)
            self.rows["requests"][e][: len(source)] = source
            loaded = {"series": 0, "bins": 0, "rows": len(source), "is_last_chunk": 1}
        for name, value in loaded.items():
            self.rows["row"][name][e] = value

    def _fit(self, name: str, shape: tuple[int, ...]) -> None:
        """Make a row array at least as large as ``shape`` for every row."""
        old = self.rows[name]
        new_shape = (self.n_envs, *np.maximum(old.shape[1:], shape))
        if new_shape != old.shape:
            self.rows[name] = np.zeros(new_shape, old.dtype)
            self.rows[name][tuple(slice(n) for n in old.shape)] = old

    def _arguments(self) -> tuple[Any, ...]:
        """Arguments of the kernels after the range of rows."""
        constants = (self._codec, self._prices, self._rate_scale, self._vms)
        return (*constants, *self.rows.values(), *self.state.values(), *self._tables.values(), NO_LOG)

    def _step_rows(self) -> int:
        """Step all rows, on as many threads as the engine has; returns the number of rows that need a larger pool."""
        arguments = self._arguments()
        if self._n_threads == 1:
            return kernel.step_rows(0, self.n_envs, *arguments)
        threads = self._pool()
        # More parts than threads: rows differ in traffic, and a thread that is done takes the next part.
        parts = min(self.n_envs, PARTS_PER_THREAD * self._n_threads)
        edges = [self.n_envs * part // parts for part in range(parts + 1)]
        spans = iter(list(pairwise(edges)))
        lock = Lock()

        def work() -> int:
            unfinished = 0
            while True:
                with lock:
                    span = next(spans, None)
                if span is None:
                    return unfinished
                unfinished += kernel.step_rows(*span, *arguments)

        others = [threads.submit(work) for _ in range(self._n_threads - 1)]
        return work() + sum(other.result() for other in others)

    def _pool(self) -> ThreadPoolExecutor:
        """The threads beside the caller's own, made when first needed: anew in a forked process, which has none of them."""
        if self._threads is None or self._threads_pid != os.getpid():
            self._threads, self._threads_pid = ThreadPoolExecutor(self._n_threads - 1), os.getpid()
        return self._threads

    def _grow_flight(self) -> None:
        """Double the pools of requests in flight."""
        old = self.state["flight"]
        slots = old.shape[1]
        self.state["flight"] = np.zeros((self.n_envs, min(2 * slots, self.settings.max_in_flight)), old.dtype)
        copy_bytes(self.state["flight"][:, :slots], old)


ROW_STATE = ("row", "target", "history", "seen", "served", "observation", "mask", "terms", "totals")
"""Arrays of ``Rows`` that an episode changes, but for what generates requests and the buffer of those generated."""


def require_own(snapshot: Any, kind: type[Any], identity: Mapping[str, str]) -> None:
    """Raise InputError unless a snapshot is one, of something with the same identity."""
    if not isinstance(snapshot, kind):
        raise InputError(f"restore(): a {type(snapshot).__name__} is no snapshot; give what snapshot() returned")
    if snapshot.identity is not identity:
        require_same(snapshot.identity, identity, "restore()", "restore it where the arguments are the same")


def with_instances(world: World, instances: dict[str, int]) -> World:
    """The world with other numbers of instances at the start, by model, in every pool that has any of the model."""
    pools = [
        replace(pool, instances={model: instances.get(model, count) if count else 0 for model, count in pool.instances.items()})
        for pool in world.pools
    ]
    return validate(replace(world, pools=tuple(pools)))


def all_requests(workload: Workload, world: World, seed: int) -> Chunk:
    """Every request of a workload in one array."""
    stream = play(workload, world, seed)
    chunks = []
    while len(chunk := stream.next_chunk()):
        chunks.append(chunk)
    return np.concatenate(chunks) if chunks else np.zeros(0, REQUEST_DTYPE)
