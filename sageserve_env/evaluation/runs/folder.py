"""The folder of a result: what lies in it, and how it is written."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.files.writing import SCRATCH, whole_folder

SEAL = "scenario.json"
"""Without it the rest is no result."""

RESULT_FILES = (SEAL, "metrics.json", "metrics.parquet", "fleet.parquet", "series.parquet", "requests.parquet")
FIGURE = "day.png"
PICTURES = (".png", ".svg", ".pdf")
"""Suffixes of pictures that may lie beside a result."""


def result_folder(folder: Path, force: bool = False) -> AbstractContextManager[Path]:
    """Write a result: gives an empty folder, whose files replace those of an earlier result at the end, all of them or none.

    Args:
        folder: The folder.
        force: Write beside other things, too.

    Raises:
        InputError: The folder is a file, holds other things and ``force`` is not set, or cannot be written.
    """
    refuse_others(folder, force)
    return whole_folder(folder, SEAL, stale=(*RESULT_FILES, FIGURE))


def refuse_others(folder: Path, force: bool = False) -> None:
    """Raise unless a folder is absent, empty or an earlier result, or it is forced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"folder = '{folder}' is a file; choose another")
    for item in [] if force else sorted(folder.iterdir()):
        if item.name.startswith(SCRATCH):
            continue
        if item.is_dir() or not (item.name in RESULT_FILES or item.suffix in PICTURES):
            raise InputError(f"folder = '{folder}' holds '{item.name}', which is no part of a result; choose another")
