"""Measured prefill and decode times of real GPUs, read from ``data/`` (sources and licences in ``data/README.md``)."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError

Floats = NDArray[np.float64]

A100 = "a100-80gb-x8"
H100 = "h100-80gb-x8"

MEASURED_MODELS = ("llama-2-70b", "bloom-176b", "llama-3.1-8b", "llama-3.2-3b")
"""Models with measurements, by the names that the presets use."""

_MODEL_IN_FILE = {
    "llama-2-70b": "llama2-70b",
    "bloom-176b": "bloom-176b",
    "llama-3.1-8b": "Llama-3.1-8B",
    "llama-3.2-3b": "Llama-3.2-3B",
}
_GPU_IN_FILE = {A100: "a100-80gb", H100: "h100-80gb"}

DECODE_PROMPT_TOKENS = 512
"""The only prompt size at which the batch size was varied."""


@dataclass(frozen=True)
class Points:
    """Measured times against tokens, one point for each distinct abscissa.

    Attributes:
        tokens: Strictly increasing. Shape (n,).
        seconds: Median of the rows at each abscissa. Shape (n,).
        rows: Number of rows behind each median. Shape (n,).
    """

    tokens: Floats
    seconds: Floats
    rows: Floats


@dataclass(frozen=True)
class _Row:
    prompt_tokens: int
    batch_size: int
    prefill_s: float
    decode_s: float
    quality_note: str


def prefill_points(model: str, vm_type: str) -> Points:
    """Prefill seconds against the prompt tokens of the whole batch.

    Rows whose note says that the time is not that of the batch's prefill are left out. Llama-3.1-8B lacks lengths under 128
    tokens; they come from a second file, which agrees with the first there. (Above 2,000 tokens that file is up to a quarter
    faster. It does not state its GPU, so it is not used where the first file has rows.)

    Args:
        model: One of ``MEASURED_MODELS``.
        vm_type: ``A100`` or ``H100``.

    Raises:
        InputError: That pair was not measured.
    """
    rows = [row for row in _rows(model, vm_type) if _is_valid(row, "not full-batch prefill")]
    tokens = [float(row.prompt_tokens * row.batch_size) for row in rows]
    seconds = [row.prefill_s for row in rows]
    if model == "llama-3.1-8b":
        shortest = min(tokens)
        for length, time_s in _prefill_by_length():
            if length < shortest:
                tokens.append(length)
                seconds.append(time_s)
    return _medians(tokens, seconds)


def decode_points(model: str, vm_type: str) -> Points:
    """Seconds of one decode iteration against the number of requests in it, at ``DECODE_PROMPT_TOKENS``.

    Args:
        model: One of ``MEASURED_MODELS``.
        vm_type: ``A100`` or ``H100``.

    Raises:
        InputError: That pair was not measured.
    """
    rows = [row for row in _rows(model, vm_type) if row.prompt_tokens == DECODE_PROMPT_TOKENS and _is_valid(row)]
    return _medians([float(row.batch_size) for row in rows], [row.decode_s for row in rows])


def raw_points(model: str, vm_type: str) -> tuple[Points, Points]:
    """Prefill and decode times as the authors' simulator reads them: both against prompt size x batch size, every row kept.

    Raises:
        InputError: That pair was not measured.
    """
    rows = _rows(model, vm_type)
    tokens = [float(row.prompt_tokens * row.batch_size) for row in rows]
    return _medians(tokens, [row.prefill_s for row in rows]), _medians(tokens, [row.decode_s for row in rows])


def prefill_by_length_points() -> Points:
    """Llama-3.1-8B's second set of prefill times, single prompts of 16 to 8,160 tokens; for comparison in figures."""
    tokens, seconds = zip(*_prefill_by_length(), strict=True)
    return _medians(list(tokens), list(seconds))


def is_measured(model: str, vm_type: str) -> bool:
    """Whether ``data/`` has rows of this pair."""
    return bool(_rows_by_pair().get((_MODEL_IN_FILE.get(model, ""), _GPU_IN_FILE.get(vm_type, ""))))


def _is_valid(row: _Row, *notes: str) -> bool:
    # "e2e inconsistent" does not disqualify a row: it concerns the end-to-end column, which nothing here reads.
    return not any(note in row.quality_note for note in ("invalid", *notes))


def _medians(tokens: list[float], seconds: list[float]) -> Points:
    x, y = np.array(tokens), np.array(seconds)
    distinct, counts = np.unique(x, return_counts=True)
    return Points(distinct, np.array([np.median(y[x == value]) for value in distinct]), counts.astype(np.float64))


def _rows(model: str, vm_type: str) -> list[_Row]:
    if not is_measured(model, vm_type):
        raise InputError(f"profile of model '{model}' on VM type '{vm_type}' was not measured; give its tables inline")
    return _rows_by_pair()[_MODEL_IN_FILE[model], _GPU_IN_FILE[vm_type]]


@lru_cache(maxsize=1)
def _rows_by_pair() -> dict[tuple[str, str], list[_Row]]:
    pairs: dict[tuple[str, str], list[_Row]] = {}
    for line in _read("perf_profiles.csv.gz"):
        row = _Row(
            prompt_tokens=int(line["prompt_size"]),
            batch_size=int(line["batch_size"]),
            prefill_s=float(line["prompt_time_ms"]) / 1000,
            decode_s=float(line["decode_time_per_token_ms"]) / 1000,
            quality_note=line["quality_note"],
        )
        pairs.setdefault((line["model"], line["hardware"]), []).append(row)
    return pairs


@lru_cache(maxsize=1)
def _prefill_by_length() -> list[tuple[float, float]]:
    lines = _read("llama31_8b_prefill_by_length.csv.gz")
    return [(float(line["prompt_tokens"]), float(line["prefill_time_ms"]) / 1000) for line in lines]


def _read(name: str) -> Iterator[dict[str, str]]:
    packed = (files("sageserve_env.world") / "data" / name).read_bytes()
    return csv.DictReader(gzip.decompress(packed).decode().splitlines())
