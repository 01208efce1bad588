"""The log of a training: a row of JSON for each update, whole on disk."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from sageserve_env.files.writing import write_text

LOG = "log.jsonl"
"""A row for each update, or for each ``checkpoint_every`` steps, with ``validation`` in those where the agent was evaluated."""

NOTHING = {"wall_s": 0.0, "cpu_s": 0.0}
"""Seconds of what has not begun."""


class Clock:
    """Seconds of a training on the wall and of the processor, those of earlier runs included."""

    def __init__(self, spent: dict[str, float]) -> None:
        self._before, self._wall_s, self._cpu_s = spent, time.perf_counter(), time.process_time()

    def spent(self) -> dict[str, float]:
        """So far."""
        wall_s, cpu_s = time.perf_counter() - self._wall_s, time.process_time() - self._cpu_s
        return {"wall_s": self._before["wall_s"] + wall_s, "cpu_s": self._before["cpu_s"] + cpu_s}


class Log:
    """Rows of a training, kept whole on disk.

    Args:
        path: The file.
        until: Steps up to which the rows of an earlier run count.
    """

    def __init__(self, path: Path, until: float = math.inf) -> None:
        self._path = path
        self.rows = [row for row in read_log(path) if row["steps"] <= until] if until > 0 else []

    def add(self, row: dict[str, Any]) -> None:
        """Write a row more, or more into the last one where it is of the same steps."""
        last = self.rows.pop() if self.rows and self.rows[-1]["steps"] == row["steps"] else {}
        self.rows.append(last | row)
        write_text(self._path, "".join(json.dumps(each) + "\n" for each in self.rows))

    def curve(self) -> list[dict[str, Any]]:
        """Steps and scores of the evaluations."""
        return curve_of(self.rows)


def folder_of(out: Path, seed: int) -> Path:
    """The folder of a seed's training, in that of several."""
    return out / f"seed-{seed}"


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; none where there is no file."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [json.loads(line) for line in text.splitlines()]


def curve_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps and validation scores of the rows that have them."""
    return [{"steps": row["steps"], **row["validation"]} for row in rows if "validation" in row]
