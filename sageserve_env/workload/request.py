"""What arrives: the record of one request, and the two interfaces that every workload offers."""

from __future__ import annotations

from itertools import permutations
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sageserve_env.world.schema import World

REQUEST_DTYPE = np.dtype(
    [
        ("arrival_s", np.float64),  # at the global router, seconds from the start of the workload
        ("prompt_tokens", np.int32),  # >= 1
        ("output_tokens", np.int32),  # >= 1, the first token included
        ("model", np.uint8),  # index into World.models
        ("origin", np.uint8),  # index into World.regions
        ("tier", np.uint8),  # index into world.schema.TIERS
        ("preference", np.uint8),  # row of preference_orders(len(regions))[origin]
    ],
    align=True,
)
"""One request. A chunk of a workload is an array of these, non-decreasing in ``arrival_s``."""

Chunk = NDArray[np.void]


class Stream(Protocol):
    """A workload being played: chunks of requests in order of arrival."""

    def next_chunk(self) -> Chunk:
        """The next chunk, dtype ``REQUEST_DTYPE``, shape (n,), n >= 1; or n = 0 when no request is left.

        Arrivals never go back in time, within a chunk or between chunks. A chunk is never written to after it is returned.
        """
        ...

    def snapshot(self) -> Any:
        """The position in the stream, random state included; cheap and immutable."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Go back (or on) to a position that ``snapshot`` returned; the stream continues bit for bit."""
        ...


class Workload(Protocol):
    """Requests over a span of time, as many times as wanted.

    Attributes:
        name: Shown in reports.
        duration_s: Length in seconds; every arrival lies in [0, duration_s).
    """

    @property
    def name(self) -> str:
        """Shown in reports."""
        ...

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        ...

    def stream(self, world: World, seed: int) -> Stream:
        """Start playing. The same world, workload and seed give the same requests, bit for bit.

        Raises:
            InputError: A model or region of the workload is not in ``world``.
        """
        ...


def preference_orders(n_regions: int) -> NDArray[np.int32]:
    """Region preference orders that a request can name: the origin first, the others after it.

    Up to four regions, every permutation of the others in lexicographic order; beyond, their rotations.

    Args:
        n_regions: Number of regions, 1 to 15.

    Returns:
        Array of shape (n_regions, n_orders, n_regions), int32: ``[origin, preference]`` is a row of region indices.

    Example:
        >>> preference_orders(3)[1].tolist()
        [[1, 0, 2], [1, 2, 0]]
    """
    rows = []
    for origin in range(n_regions):
        others = [region for region in range(n_regions) if region != origin]
        if n_regions <= 4:
            tails = [list(tail) for tail in permutations(others)]
        else:
            tails = [others[k:] + others[:k] for k in range(len(others))]
        rows.append([[origin, *tail] for tail in tails])
    return np.array(rows, dtype=np.int32)
