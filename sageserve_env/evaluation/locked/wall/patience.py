"""Waiting awake for a message: a core that sleeps takes longer to wake than a decision or a step of a small problem takes."""

from __future__ import annotations

import os
import select
import time
from multiprocessing.connection import Connection

PATIENCE_S = 0.005
"""Longer than a step of most problems; after it a wake-up weighs little."""


def patience_s(workers: int) -> float:
    """Seconds to wait awake: where each worker and its policy have cores of their own; elsewhere others want the core.

    Args:
        workers: Episodes at a time.
    """
    return PATIENCE_S if 2 * workers <= (os.cpu_count() or 1) else 0.0


class Patience:
    """Waits for messages of a connection.

    Args:
        connection: Whose.
        awake_s: Seconds before it sleeps.
    """

    def __init__(self, connection: Connection, awake_s: float) -> None:
        # Windows has neither, and sleeps at once
        self._awake_s = awake_s if hasattr(select, "poll") and hasattr(os, "sched_yield") else 0.0
        if self._awake_s:
            self._arrivals = select.poll()
            self._arrivals.register(connection.fileno(), select.POLLIN)

    def wait(self) -> None:
        """Come back when a message is there, or it is time to sleep."""
        if not self._awake_s:
            return
        until_s = time.perf_counter() + self._awake_s
        while not self._arrivals.poll(0) and time.perf_counter() < until_s:
            os.sched_yield()
