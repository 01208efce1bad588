"""Folders of results, written all at once."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from sageserve_env.errors import InputError

RESULT_FILES = ("scenario.json", "metrics.json", "metrics.parquet", "fleet.parquet", "series.parquet", "requests.parquet")
PICTURES = (".png", ".svg", ".pdf")
"""Suffixes of pictures that may lie beside a result; they go with it when it is replaced."""


def replace_folder(folder: Path, write: Callable[[Path], None]) -> Path:
    """Make a folder whose content ``write`` puts into the empty folder that it is given; readers see all of it or nothing.

    Args:
        folder: The folder; an earlier result there is replaced once the new one is complete.
        write: Writes the files.

    Returns:
        The folder.

    Raises:
        InputError: The folder holds anything that is not part of a result, or cannot be written.
    """
    target = folder.resolve()
    refuse_others(folder, target)
    fresh, old = (target.parent / f".{target.name}.{uuid.uuid4().hex}.{kind}" for kind in ("new", "old"))
    try:
        fresh.mkdir(parents=True)
        try:
            write(fresh)
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise InputError(f"folder = '{folder}' cannot be written ({error.strerror or error}); choose another") from None
    return folder


def refuse_others(folder: Path, target: Path) -> None:
    """Raise unless a folder is absent, empty or an earlier result, so that replacing it loses nothing else."""
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"folder = '{folder}' is a file; choose another")
    for item in sorted(target.iterdir()):
        if item.is_dir() or not (item.name in RESULT_FILES or item.suffix in PICTURES):
            raise InputError(f"folder = '{folder}' holds '{item.name}', which is no part of a result; choose another")
