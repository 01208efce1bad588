"""Reading the data files that come with the package."""

from __future__ import annotations

import csv
import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parents[1] / "data"


@lru_cache(maxsize=16)
def columns(name: str) -> dict[str, NDArray[Any]]:
    """Columns of a CSV file under ``workload/data``, plain or gzip, as arrays that are shared and read-only.

    Whole numbers are int64, others float64, and columns with anything else are Python strings.
    """
    opened = gzip.open if name.endswith(".gz") else open
    with opened(DATA / name, "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {column: _shared(_typed(values)) for column, values in zip(header, zip(*rows, strict=True), strict=True)}


@lru_cache(maxsize=4)
def arrays(name: str) -> dict[str, NDArray[Any]]:
    """Arrays of an ``.npz`` file under ``workload/data``, shared and read-only."""
    with np.load(DATA / name) as file:
        return {key: _shared(file[key]) for key in file.files}


def _typed(values: tuple[str, ...]) -> NDArray[Any]:
    for dtype in (np.int64, np.float64):
        try:
            return np.array(values, dtype=dtype)
        except ValueError:
            continue
    return np.array(values, dtype=object)


def _shared(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
