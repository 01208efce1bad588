"""Power of serving GPUs against the batch: ``base_w + span_w * n / (n + half_batch)`` watts with n requests in the batch.

Power rises with the batch and levels off where the GPUs are busy; ``half_batch`` is where it is half-way.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from sageserve_env.errors import InputError
from sageserve_env.files.csv_rows import Row, read_rows
from sageserve_env.world.silicon.fit import median_error, rounded
from sageserve_env.world.silicon.least_squares import robust_fit
from sageserve_env.world.silicon.runs import HELD_OUT_EVERY, HELD_OUT_FROM, Floats

DATA = Path(__file__).parents[1] / "data"
SHIPPED_POWER_RUNS = DATA / "power_runs.csv.gz"
"""Measured power that comes with the package; source and licence in ``world/data/README.md``."""

SHIPPED_POWER_FITS = DATA / "power_fits.csv"
"""Fits of ``SHIPPED_POWER_RUNS``; ``sageserve world power --table`` writes it anew, byte for byte."""

LABELS = ("model", "task", "precision", "gpu", "gpus", "tensor_parallel", "expert_parallel", "data_parallel")
HALVES = tuple(2.0**power for power in range(11))
"""Values of ``half_batch`` that are tried: the sum is linear in the other two."""

LEAST_BATCHES = 6
"""A series with fewer batch sizes is not fitted."""


@dataclass(frozen=True)
class PowerFit:
    """Power of all GPUs of an instance.

    Attributes:
        labels: What was measured, in the order of ``LABELS``; ``gpus`` is how many GPUs draw the power.
        base_w: Watts of an almost empty batch, extrapolated.
        span_w: What a full batch adds.
        half_batch: Requests in the batch that add half of it.
        rows: Batch sizes that the fit saw.
        held_out_rows: Batch sizes that it did not see.
        error: Median relative error, of what the fit saw.
        error_held_out: The same, of the rest.
        least_batch: Smallest batch measured.
        most_batch: Largest.
    """

    labels: tuple[str, ...]
    base_w: float
    span_w: float
    half_batch: float
    rows: int
    held_out_rows: int
    error: float
    error_held_out: float
    least_batch: float
    most_batch: float

    @property
    def label(self) -> str:
        """On one line, e.g. ``Llama-3.1-70B-Instruct lm-arena-chat bfloat16 4 x H100``."""
        model, task, precision, gpu, gpus, *_ = self.labels
        return f"{model.rsplit('/')[-1]} {task} {precision} {gpus} x {gpu}"

    def watts(self, batch: ArrayLike) -> Floats:
        """Watts with so many requests in the batch, any shape; 0 requests are outside of what was measured."""
        n = np.asarray(batch, float)
        return np.asarray(self.base_w + self.span_w * n / (n + self.half_batch))


NUMBERS = tuple(field.name for field in fields(PowerFit)[1:])


def fit_power(path: Path = SHIPPED_POWER_RUNS) -> list[PowerFit]:
    """Fit the series of a file of measured power, sorted by what was measured.

    Args:
        path: A CSV file with the columns ``LABELS``, ``batch`` (requests) and ``power_w`` (watts of all GPUs), plain or gzip.

    Raises:
        InputError: It cannot be read, a column is missing, a value is out of range, or no series has ``LEAST_BATCHES`` rows.

    Example:
        >>> fits = {fit.label: fit for fit in read_power_fits()}
        >>> fits["Llama-3.1-70B-Instruct lm-arena-chat bfloat16 4 x H100"].watts([8, 512]).round(-2).tolist()
        [1700.0, 2500.0]
    """
    series: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in read_rows(path, (*LABELS, "batch", "power_w")):
        numbers = (_positive(row, "batch", "requests"), _positive(row, "power_w", "watts"))
        series.setdefault(tuple(row.fields[label] for label in LABELS), []).append(numbers)
    enough = {labels: rows for labels, rows in series.items() if len(rows) >= LEAST_BATCHES}
    if not enough:
        raise InputError(f"{path}: no series has the {LEAST_BATCHES} batch sizes that a fit needs; measure more")
    return [_fit(labels, np.array(sorted(rows))) for labels, rows in sorted(enough.items())]


def _positive(row: Row, column: str, unit: str) -> float:
    return row.number(column, lambda value: 0 < value < 1e9, f"{unit}, more than 0")


def _fit(labels: tuple[str, ...], rows: Floats) -> PowerFit:
    batch, power_w = rows.T
    held_out = np.arange(len(rows)) % HELD_OUT_EVERY == HELD_OUT_FROM
    base_w, span_w, half_batch = _parameters(batch[~held_out], power_w[~held_out])
    found = base_w + span_w * batch / (batch + half_batch)
    return PowerFit(
        labels,
        base_w=base_w,
        span_w=span_w,
        half_batch=half_batch,
        rows=int((~held_out).sum()),
        held_out_rows=int(held_out.sum()),
        error=median_error(found[~held_out], power_w[~held_out]),
        error_held_out=median_error(found[held_out], power_w[held_out]),
        least_batch=float(batch.min()),
        most_batch=float(batch.max()),
    )


def _parameters(batch: Floats, power_w: Floats) -> tuple[float, float, float]:
    """Base, span and half batch of the least absolute relative errors."""
    best, least = (0.0, 0.0, 1.0), np.inf
    for half in HALVES:
        columns = np.stack([np.ones(len(batch)), batch / (batch + half)], axis=1)
        found = rounded(robust_fit(columns, power_w, np.ones(len(batch))))
        error = float(np.abs(columns @ found / power_w - 1).sum())
        if error < least:
            best, least = (float(found[0]), float(found[1]), half), error
    return best


def dump_power_fits(fits: Iterable[PowerFit]) -> str:
    """Fits as the text of a CSV file."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*LABELS, *NUMBERS])
    for fit in fits:
        writer.writerow([*fit.labels, *(f"{value:.6g}" for value in astuple(fit)[1:])])
    return file.getvalue()


def read_power_fits(path: Path = SHIPPED_POWER_FITS) -> list[PowerFit]:
    """Fits from a file that ``dump_power_fits`` made.

    Raises:
        InputError: The file cannot be read, or a value is none that it can hold.
    """
    made = []
    for row in read_rows(path, (*LABELS, *NUMBERS)):
        numbers = {name: row.number(name, lambda value: 0 <= value < 1e9, "a number, 0 or more") for name in NUMBERS}
        counts = {name: int(numbers.pop(name)) for name in ("rows", "held_out_rows")}
        made.append(PowerFit(tuple(row.fields[label] for label in LABELS), **numbers, **counts))  # type: ignore[arg-type]
    return made
