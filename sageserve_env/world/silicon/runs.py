"""Measured runs of serving engines under a closed loop of users, grouped by what served them.

A row is one run: ``concurrency`` users, each of whom sends a prompt, reads the answer to its end and sends the next, with the mean
time to first token and time per output token after it. Columns of a file are ``LABELS`` (what served; all but the first three may
be left out or empty) and ``NUMBERS``; others are ignored.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sageserve_env.files.csv_rows import Row, read_rows

Floats = NDArray[np.float64]

LABELS = (
    "model",
    "system",
    "engine",
    "engine_version",
    "precision",
    "tensor_parallel",
    "attention_data_parallel",
    "moe_tensor_parallel",
    "moe_expert_parallel",
)
NEEDED_LABELS = LABELS[:3]
NUMBERS = ("prompt_tokens", "output_tokens", "concurrency", "ttft_ms", "tpot_ms")
MOST = 1e9

SHIPPED_RUNS = Path(__file__).parents[1] / "data" / "silicon_runs.csv.gz"
"""Runs that come with the package; source and licence in ``world/data/README.md``."""

HELD_OUT_EVERY, HELD_OUT_FROM = 4, 1
"""Of a group's distinct settings, sorted, the second of every four is held out: a quarter that no fit sees."""


@dataclass(frozen=True, order=True)
class Deployment:
    """What served: rows that agree in all of this make a group. Texts as the file gives them; empty where it does not say."""

    model: str
    system: str
    engine: str
    engine_version: str = ""
    precision: str = ""
    tensor_parallel: str = ""
    attention_data_parallel: str = ""
    moe_tensor_parallel: str = ""
    moe_expert_parallel: str = ""

    @property
    def label(self) -> str:
        """On one line, what is empty or 1 left out, e.g. ``Llama-3.1-70B h100_sxm vllm fp8 TP4``."""
        shown = [self.model.rsplit("/")[-1], self.system, self.engine, self.engine_version, self.precision]
        sizes = zip(("TP", "attention DP", "MoE TP", "MoE EP"), astuple(self)[5:], strict=True)
        return " ".join([text for text in shown if text] + [f"{name}{size}" for name, size in sizes if size not in ("", "1")])


@dataclass(frozen=True)
class Group:
    """The runs of one deployment, in order of (prompt tokens, output tokens, users).

    Attributes:
        deployment: What served.
        prompt_tokens: Of each request, >= 1. Shape (n,), like all below.
        output_tokens: Of each request, >= 2, the first token included.
        users: Requests in the system at once, >= 1.
        ttft_s: Mean time to first token.
        tpot_s: Mean time of each output token after the first.
        held_out: Whether no fit may see the run. Runs of the same setting are on the same side.
    """

    deployment: Deployment
    prompt_tokens: Floats
    output_tokens: Floats
    users: Floats
    ttft_s: Floats
    tpot_s: Floats
    held_out: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.users)

    def part(self, chosen: NDArray[np.bool_]) -> Group:
        """The runs where ``chosen``, shape (n,), is true."""
        return Group(
            self.deployment,
            self.prompt_tokens[chosen],
            self.output_tokens[chosen],
            self.users[chosen],
            self.ttft_s[chosen],
            self.tpot_s[chosen],
            self.held_out[chosen],
        )


def read_groups(path: Path = SHIPPED_RUNS) -> list[Group]:
    """Groups of a file of measured runs, sorted by deployment.

    Args:
        path: A CSV file with a header, plain or gzip.

    Raises:
        InputError: It cannot be read, a column is missing, or a value is out of range; the line names file, row, column and value.

    Example:
        >>> len(read_groups())
        271
    """
    rows_of: dict[Deployment, list[tuple[float, ...]]] = {}
    for row in read_rows(path, (*NEEDED_LABELS, *NUMBERS)):
        rows_of.setdefault(_deployment(row), []).append(_numbers(row))
    return [_group(deployment, rows) for deployment, rows in sorted(rows_of.items())]


def _deployment(row: Row) -> Deployment:
    labels = {label: row.fields.get(label, "").strip() for label in LABELS}
    for label in NEEDED_LABELS:
        if not labels[label]:
            raise row.error(label, "is empty; name it")
    for label, text in labels.items():
        if not text.isprintable():
            raise row.error(label, "is not a name; leave out control characters")
    return Deployment(**labels)


def _numbers(row: Row) -> tuple[float, ...]:
    least = {"output_tokens": 2.0, "prompt_tokens": 1.0, "concurrency": 1.0}
    made = []
    for column in NUMBERS:
        low = least.get(column, math.ulp(0.0))
        wanted = f"a number of {low:g} or more, at most {MOST:g}" if column in least else f"milliseconds above 0, at most {MOST:g}"
        made.append(row.number(column, lambda value, low=low: low <= value <= MOST, wanted))  # type: ignore[misc]
    return tuple(made)


def _group(deployment: Deployment, rows: list[tuple[float, ...]]) -> Group:
    prompt, output, users, ttft_ms, tpot_ms = np.array(sorted(rows)).T
    _, setting = np.unique(np.stack([prompt, output, users]), axis=1, return_inverse=True)
    held_out = setting.reshape(-1) % HELD_OUT_EVERY == HELD_OUT_FROM
    return Group(deployment, prompt, output, users, ttft_ms / 1000, tpot_ms / 1000, held_out)
