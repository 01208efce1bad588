"""What an environment adds to the simulator's state, the environment on the first axis."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

HISTORY = 3
"""Intervals of arrivals that an observation holds."""

READY, RUNNING, DONE = 0, 1, 2
"""Where a row is within a step: about to act, simulating, at the next control instant. A row at rest is DONE."""

ROW = np.dtype(
    [
        ("until_s", "f8"),  # next control instant
        ("interval_s", "f8"),
        ("week_start_s", "f8"),  # seconds from Monday 00:00 to the episode's start
        ("vm_usd", "f8"),  # sums since the start of the episode
        ("waste_usd", "f8"),
        ("vm_hours", "f8"),
        ("spot_hours", "f8"),
        ("energy_kwh", "f8"),
        ("carbon_kg", "f8"),
        ("egress_usd", "f8"),
        ("arrived", "i8"),
        ("completed", "i8"),
        ("rows", "i8"),  # requests in the buffer
        ("series", "i8"),  # of the intensity; 0 when the buffer holds a whole trace
        ("bins", "i8"),
        ("step", "i4"),
        ("phase", "i4"),
        ("is_last_chunk", "i4"),
        ("is_overfull", "i4"),  # the pool of requests in flight was full, and the episode ended there
    ],
    align=True,
)

CODEC = np.dtype(
    [
        ("mode", "i4"),  # of the action
        ("max_delta", "i4"),
        ("min_instances", "i4"),
        ("is_hour", "i4"),  # steps in an hour, for modes that latch targets hourly
        ("max_in_flight", "i4"),  # slots that the pool of requests in flight may grow to
        ("n_steps", "i4"),  # of an episode
        ("grace_s", "f8"),  # NIW that is younger at the horizon may be unfinished there
    ],
    align=True,
)


class Rows(NamedTuple):
    """Arrays of E environments beside their simulators'. A actions, O observations, S series, W bins, L labels, C buffer rows."""

    row: Any  # (E,)
    target: Any  # (E, N * K) instances wanted
    history: Any  # (E, HISTORY, R * M * T) arrival tokens/s, the last interval first
    seen: Any  # (E, R * M * T, 3) prompt tokens, breaches and attainable requests up to the last control instant
    served: Any  # (E, N * T, 3) completed, met and unattainable at the last control instant
    action: Any  # (E, A)
    observation: Any  # (E, O) float32
    mask: Any  # (E, choices) bool
    terms: Any  # (E, len(TERMS))
    totals: Any  # (E, len(TERMS)) sums of the terms over the episode
    requests: Any  # (E, C)
    series: Any  # (E, S)
    bins: Any  # (E, S, W)
    edges: Any  # (E, W + 1)
    sizes: Any  # (E, S, 2, CELLS + 1)
    labels: Any  # (E, S, L)
