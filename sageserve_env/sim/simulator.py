"""The simulator's face: build it from a world and a workload, advance it, set its knobs, read it, save it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.compile import announce
from sageserve_env.errors import InputError
from sageserve_env.identity import require_same
from sageserve_env.sim import kernel
from sageserve_env.sim import state as st
from sageserve_env.sim.build import world_tables
from sageserve_env.sim.checks import INVARIANTS, first_broken
from sageserve_env.sim.faults.events import begin_faults
from sageserve_env.sim.knobs import ADMISSION_ORDERS, Knobs
from sageserve_env.sim.readout.measure import RunningSums, read_metrics, read_running_sums
from sageserve_env.sim.readout.metrics import Metrics
from sageserve_env.sim.readout.spending import read_spending
from sageserve_env.sim.readout.telemetry import Telemetry, read_telemetry
from sageserve_env.sim.requests.breaches import count_overdue
from sageserve_env.sim.start import copy_bytes, duplicate, start_state, write_knobs
from sageserve_env.workload.play import Mark, place_of, play
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, Workload
from sageserve_env.world.checks import MOST_S, is_number, require_count
from sageserve_env.world.costs.carbon import world_identity
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import World

LOG_ROWS = 65_536
NO_LIMIT = 1 << 62
FIRST_FLIGHT_SLOTS = 1024
MAX_IN_FLIGHT = 1 << 24
"""Slots that the pool of requests in flight begins with, and the most that it grows to by default (about 2 GiB)."""

MOST_SLOTS = (1 << 31) - 1
"""The most that an index of the pool can count."""


@dataclass(frozen=True)
class Snapshot:
    """A simulator at one instant, random state of its workload included. Opaque.

    ``identity`` says, by name, what it belongs to: :meth:`Simulator.restore` takes it where all of that is equal.
    """

    identity: Mapping[str, str]
    arrays: dict[str, NDArray[Any]]
    stream: Mark
    chunk: Chunk
    is_last_chunk: bool
    log: tuple[NDArray[Any], ...]


class Simulator:
    """Serves a workload on a world, request by request (paper sections 3 to 5).

    The fleet starts with the world's initial instances, active at time zero and held there until :meth:`apply` says otherwise.

    Args:
        world: What exists.
        workload: What arrives.
        seed: Seed of the workload, and of what goes wrong where the world has faults; the rest of the simulator draws nothing.
        log_requests: Keep a row for each finished request (see :meth:`request_log`).
        check: Verify every invariant of docs/invariants.md after every event. Slow: for tests and debugging.
        max_in_flight: Most requests in the system at once. The pool starts small and grows up to here.

    Raises:
        InputError: The world is not valid, the workload is none or names a model or region that the world does not have, or
            another argument is out of range.

    Example:
        >>> from sageserve_env.world import load_world
        >>> from sageserve_env.workload import load_workload
        >>> sim = Simulator(load_world("published"), load_workload("o365-hour"))
        >>> sim.advance(60.0)
        >>> sim.now_s
        60.0
    """

    def __init__(
        self,
        world: World,
        workload: Workload,
        *,
        seed: int = 0,
        log_requests: bool = False,
        check: bool = False,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        require_count("max_in_flight", max_in_flight, 1, MOST_SLOTS)
        announce("sim")
        self.world = validate(world)
        self.workload = workload
        self.max_in_flight = int(max_in_flight)
        self._seed = seed
        self._stream = play(workload, world, seed)
        self._tables = world_tables(world)
        self._check = check
        self._state = start_state(world, self._tables, Knobs.static(world), min(FIRST_FLIGHT_SLOTS, max_in_flight))
        self._state["clock"]["week_start_s"] = getattr(workload, "week_start_s", None) or 0.0
        self._chunk: Chunk = np.zeros(0, REQUEST_DTYPE)
        self._is_last_chunk = False
        self._log_buffer: NDArray[Any] = np.zeros(LOG_ROWS if log_requests else 0, st.LOG)
        self._log: list[NDArray[Any]] = []
        begin_faults(np.uint64(seed), *self._arguments())

    @property
    def now_s(self) -> float:
        """Simulated seconds since the start of the workload."""
        return float(self._state["clock"][0]["now_s"])

    @property
    def events(self) -> int:
        """Events simulated so far."""
        return int(self._state["clock"][0]["events"])

    @property
    def in_flight(self) -> int:
        """Requests that have arrived and are neither completed nor rejected."""
        clock = self._state["clock"][0]
        return int(clock["arrived"] - clock["completed"] - clock["rejected"])

    def advance(self, until_s: float) -> None:
        """Simulate every event in [now_s, until_s).

        Args:
            until_s: Where to stop, in seconds since the start of the workload.

        Raises:
            InputError: ``until_s`` is before now, beyond ``MOST_S`` or no number, a chunk of the workload cannot be used, or more
                than ``max_in_flight`` requests are in the system.
        """
        if not is_number(until_s) or not self.now_s <= until_s <= MOST_S:
            raise InputError(f"advance(until_s={until_s!r:.40}): give seconds from now, {self.now_s}, to {MOST_S:.0f} (a year)")
        while True:
            why = kernel.advance(float(until_s), self._is_last_chunk, 1 if self._check else NO_LIMIT, *self._arguments())
            if why == kernel.REACHED:
                return
            if why == kernel.CHUNK_USED:
                self._next_chunk()
            elif why == kernel.FLIGHT_FULL:
                self._grow_flight()
            elif why == kernel.LOG_FULL:
                self._empty_log()
            else:
                self._verify()

    def apply(self, knobs: Knobs) -> None:
        """Put knobs into force now. Bounds move endpoints at once; everything else acts from the next event on.

        Raises:
            InputError: These are no knobs, or one has the wrong shape or a value out of its range; nothing is changed then.
        """
        if not isinstance(knobs, Knobs):
            raise InputError(f"knobs = {knobs!r:.40} is no Knobs; give Knobs, such as Knobs.static(world)")
        knobs.validated(self.world)
        write_knobs(self._state, knobs)
        kernel.settle(ADMISSION_ORDERS.index(knobs.admission_order), *self._arguments())

    def telemetry(self) -> Telemetry:
        """What a policy sees now; a copy that later events do not change."""
        seen = read_telemetry(self.world, self._state)
        count_overdue(seen.breached.reshape(-1), *self._arguments())
        return seen

    def metrics(self) -> Metrics:
        """What has been achieved so far, by model, region and tier; a copy that later events do not change."""
        return read_metrics(self.world, self._state, read_spending(self.world, self._state, self._tables))

    def running_sums(self) -> RunningSums:
        """Sums for time series: their differences give the percentiles, the mean utilization and the spending of an interval."""
        return read_running_sums(self._state, read_spending(self.world, self._state, self._tables))

    def request_log(self) -> NDArray[np.void]:
        """The requests finished so far in order of completion, dtype ``sim.state.LOG``; times that did not happen are infinite.

        Raises:
            InputError: The simulator was built without ``log_requests=True``.
        """
        if self._log_buffer.shape[0] == 0:
            raise InputError("request_log(): no log was kept; build the Simulator with log_requests=True")
        parts = [*self._log, self._log_buffer[: self._state["clock"][0]["log_rows"]]]
        return np.concatenate([part.view(np.uint8) for part in parts]).view(st.LOG)  # with the padding, which is zero

    def snapshot(self) -> Snapshot:
        """Everything that decides the future, and the log so far."""
        used = int(self._state["clock"][0]["flight_used"])
        arrays = {name: duplicate(array[:used] if name == "flight" else array) for name, array in self._state.items()}
        log = (*self._log, duplicate(self._log_buffer[: self._state["clock"][0]["log_rows"]]))
        return Snapshot(self._identity, arrays, self._stream.snapshot(), self._chunk, self._is_last_chunk, log)

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot; what follows is the same, bit for bit, as what followed it.

        It may come from another simulator, also of another process, that was built from an equal world and workload, the same
        seed and the same ``log_requests``.

        Raises:
            InputError: It is no snapshot, belongs to something else, or holds more requests in flight than ``max_in_flight``;
                nothing is changed then.
        """
        self._require_own(snapshot)
        used = len(snapshot.arrays["flight"])
        grown = np.zeros(used, st.FLIGHT) if used > len(self._state["flight"]) else self._state["flight"]
        self._stream.restore(snapshot.stream)
        self._state["flight"] = grown
        for name, array in snapshot.arrays.items():
            copy_bytes(self._state[name][:used] if name == "flight" else self._state[name], array)
        self._chunk, self._is_last_chunk = snapshot.chunk, snapshot.is_last_chunk
        *self._log, unfinished = snapshot.log
        copy_bytes(self._log_buffer[: len(unfinished)], unfinished)

    @cached_property
    def _identity(self) -> dict[str, str]:
        """What a snapshot belongs to, by name; made once, when one is first taken or restored."""
        rest = {"seed": str(int(self._seed)), "workload": self._stream.identity, "log_requests": str(len(self._log_buffer) > 0)}
        return {**world_identity(self.world), **rest}

    def _require_own(self, snapshot: Snapshot) -> None:
        """Check all of a snapshot before any of it is copied."""
        if not isinstance(snapshot, Snapshot):
            raise InputError(f"snapshot = {snapshot!r:.40} is none of a Simulator; give what snapshot() returned")
        require_same(snapshot.identity, self._identity, "snapshot", "restore it into a Simulator built from equal arguments")
        place_of(snapshot.stream, self._stream.identity)
        used = len(snapshot.arrays["flight"])
        if used > self.max_in_flight:
            raise InputError(f"max_in_flight = {self.max_in_flight} is less than the {used} slots of the snapshot; raise it")
        for name, own in self._state.items():
            kept = snapshot.arrays.get(name, own[:0])
            if kept.dtype != own.dtype or kept.shape[1:] != own.shape[1:] or (name != "flight" and len(kept) != len(own)):
                raise InputError(f"snapshot: its array '{name}' is of another version of the simulator; take a new one")

    def _arguments(self) -> tuple[Any, ...]:
        """The arrays of :class:`sim.state.Sim`."""
        return (*self._state.values(), *self._tables.values(), self._chunk, self._log_buffer)

    def _verify(self) -> None:
        number = first_broken(*self._arguments())
        if number:
            raise AssertionError(f"invariant {number} broken at {self.now_s} s: {INVARIANTS[number]}")

    def _next_chunk(self) -> None:
        self._chunk = self._stream.next_chunk()
        self._is_last_chunk = len(self._chunk) == 0
        self._state["clock"]["cursor"] = 0

    def _grow_flight(self) -> None:
        slots = len(self._state["flight"])
        if slots >= self.max_in_flight:
            raise InputError(
                f"max_in_flight = {self.max_in_flight}: more requests than that are in the system at {self.now_s:.0f} s; "
                "raise max_in_flight or give the fleet more instances"
            )
        grown = np.zeros(min(2 * slots, self.max_in_flight), st.FLIGHT)
        copy_bytes(grown[:slots], self._state["flight"])
        self._state["flight"] = grown

    def _empty_log(self) -> None:
        rows = int(self._state["clock"][0]["log_rows"])
        self._log.append(duplicate(self._log_buffer[:rows]))
        self._state["clock"]["log_rows"] = 0
