"""Reading the data files that come with the package."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pyarrow import csv as arrow_csv

DATA = Path(__file__).parents[1] / "data"


@lru_cache(maxsize=16)
def columns(name: str) -> dict[str, Any]:
    """Columns of a CSV file under ``workload/data``, compressed or not, as NumPy arrays that are shared and read-only."""
    table = arrow_csv.read_csv(DATA / name)
    result = {column: table[column].to_numpy() for column in table.column_names}
    for array in result.values():
        array.flags.writeable = False
    return result
