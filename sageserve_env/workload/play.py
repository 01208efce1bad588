"""A workload as others play it: whatever its kind, each chunk is checked before anything reads it, and so are positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sageserve_env.compile import entry_point
from sageserve_env.errors import InputError
from sageserve_env.identity import digest
from sageserve_env.workload.checks import check_seed, check_workload
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, Stream, Workload, preference_orders
from sageserve_env.world.schema import TIERS, World

NO_REQUESTS: Chunk = np.zeros(0, REQUEST_DTYPE)


@dataclass(frozen=True)
class Mark:
    """A position in a stream, and the identity of the stream that it is a position in."""

    identity: str
    place: Any


def place_of(mark: Any, identity: str) -> Any:
    """The place of a mark, if it was made in a stream of this identity.

    Raises:
        InputError: It was not, or is no mark.
    """
    if not isinstance(mark, Mark):
        raise InputError(f"snapshot of a stream = {type(mark).__name__} object; give what its snapshot() returned")
    if mark.identity != identity:
        raise InputError("snapshot of a stream: it was taken with another workload, world or seed; restore it into an equal stream")
    return mark.place


def identity_of(workload: Workload, stream: Stream, seed: int) -> str:
    """What a stream plays. Streams of this package say so themselves, by the numbers that define them.

    A workload of the user's own is known by its attribute ``identity`` where it has one (any value that
    :func:`sageserve_env.identity.digest` takes), else by its fields where it is a frozen dataclass of such values, else by its
    class, name and length.
    """
    own = getattr(stream, "identity", None)
    if own is not None:
        return str(own)
    kind = f"{type(workload).__module__}.{type(workload).__qualname__}"
    given = getattr(workload, "identity", None)
    if given is not None:
        return digest(kind, given, seed)
    if getattr(getattr(workload, "__dataclass_params__", None), "frozen", False):
        try:
            return digest(kind, workload, seed)
        except TypeError:  # a field of another kind
            pass
    return digest(kind, workload.name, workload.duration_s, seed)


def play(workload: Workload, world: World, seed: int) -> PlayedStream:
    """Start playing a workload, every chunk of which is checked.

    Raises:
        InputError: It is no workload, or does not fit the world.
    """
    check_workload(workload)
    stream = workload.stream(world, check_seed(seed))
    return PlayedStream(workload, stream, world, seed)


class PlayedStream:
    """The stream that :func:`play` returns."""

    def __init__(self, workload: Workload, stream: Stream, world: World, seed: int) -> None:
        self._workload, self._stream, self._seed = workload, stream, seed
        self._require("next_chunk")
        self._end_s = float(workload.duration_s)
        n_regions = len(world.regions)
        self._sizes = len(world.models), n_regions, preference_orders(n_regions).shape[1]
        self._rows, self._last_s = 0, 0.0
        self._chunk = NO_REQUESTS

    @cached_property
    def identity(self) -> str:
        """What is played: see :func:`identity_of`."""
        return identity_of(self._workload, self._stream, self._seed)

    def next_chunk(self) -> Chunk:
        """The stream's next chunk, contiguous and writeable; empty at the end.

        Raises:
            InputError: It is no array of requests, or a request has a value out of its range.
        """
        chunk = self._stream.next_chunk()
        if not isinstance(chunk, np.ndarray) or chunk.dtype != REQUEST_DTYPE or chunk.ndim != 1:
            raise InputError(f"{self._where}: next_chunk() gave {_kind(chunk)}; give an array of dtype REQUEST_DTYPE, shape (n,)")
        if np.may_share_memory(chunk, self._chunk):
            raise InputError(f"{self._where}: next_chunk() gave the memory of the chunk before; give a new array each time")
        self._chunk = np.require(chunk, REQUEST_DTYPE, ["C", "A", "W", "E"])  # one type for the kernels
        bad = first_bad(self._chunk, self._last_s, self._end_s, *self._sizes)
        if bad < len(chunk):
            raise InputError(f"{self._where} request {self._rows + bad + 1}: {self._problem(bad)}")
        if len(chunk):
            self._rows, self._last_s = self._rows + len(chunk), float(self._chunk["arrival_s"][-1])
        return self._chunk

    def snapshot(self) -> Mark:
        """The position of the stream.

        Raises:
            InputError: The stream does not tell it.
        """
        self._require("snapshot")
        return Mark(self.identity, (self._rows, self._last_s, self._stream.snapshot()))

    def restore(self, snapshot: Mark) -> None:
        """Go to a position in a stream of the same workload, world and seed.

        Raises:
            InputError: It is of another, or the stream cannot go back; nothing is changed then.
        """
        self._require("restore")
        rows, last_s, inner = place_of(snapshot, self.identity)
        self._stream.restore(inner)
        self._rows, self._last_s, self._chunk = rows, last_s, NO_REQUESTS

    def _require(self, method: str) -> None:
        """Check that the stream has a method: those that never take snapshots need only ``next_chunk``."""
        if not hasattr(self._stream, method):
            what = f"stream(world, seed) gave a {type(self._stream).__name__} without {method}"
            raise InputError(f"{self._where}: {what}; see sageserve_env.workload.Stream")

    @property
    def _where(self) -> str:
        return f"workload '{self._workload.name}'"

    def _problem(self, row: int) -> str:
        """What is wrong with a row of the chunk."""
        request = self._chunk[row]
        arrival_s, before_s = request["arrival_s"], self._chunk["arrival_s"][row - 1] if row else self._last_s
        if not 0 <= arrival_s < self._end_s:
            return f"arrival_s = {arrival_s} is outside of the workload; give 0 or more, less than its duration_s = {self._end_s:g}"
        if arrival_s < before_s:
            return f"arrival_s = {arrival_s} is before the {before_s} of the one before it; sort the requests by time"
        for name in ("prompt_tokens", "output_tokens"):
            if request[name] < 1:
                return f"{name} = {request[name]} cannot be served; give 1 or more"
        for name, size in zip(("model", "origin", "preference", "tier"), (*self._sizes, len(TIERS)), strict=True):
            if request[name] >= size:
                return f"{name} = {request[name]} does not exist in the world; give 0 to {size - 1}"
        raise AssertionError(f"row {row} is sound")


def _kind(chunk: Any) -> str:
    """What was given in place of a chunk."""
    if not isinstance(chunk, np.ndarray):
        return f"{chunk!r:.40}"
    return f"an array of shape {chunk.shape}" if chunk.dtype == REQUEST_DTYPE else f"an array of dtype {chunk.dtype!s:.80}"


@entry_point
def first_bad(chunk: Any, last_s: float, end_s: float, n_models: int, n_regions: int, n_orders: int) -> int:
    """The first row that cannot be simulated; the number of rows where all can."""
    for row in range(chunk.shape[0]):
        request = chunk[row]
        if not (last_s <= request.arrival_s < end_s) or request.prompt_tokens < 1 or request.output_tokens < 1:
            return row
        if request.model >= n_models or request.origin >= n_regions or request.preference >= n_orders or request.tier >= 3:
            return row
        last_s = request.arrival_s
    return chunk.shape[0]
