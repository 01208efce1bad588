"""The folder that ``sageserve simulate --out`` writes."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.evaluation.figures import plot_day
from sageserve_env.evaluation.folder import refuse_others
from sageserve_env.evaluation.result import Result
from sageserve_env.extras import need_arrow

FIGURE = "day.png"


def check_folder(folder: Path, force: bool) -> None:
    """Refuse, before anything runs, a folder that the run could not be written into.

    Raises:
        InputError: It holds other things than an earlier run (unless forced), or nothing can be written there.
        MissingExtra: pyarrow is not installed.
    """
    need_arrow(f"--out = '{folder}'")
    try:
        refuse_others(folder, folder.resolve())
    except InputError as error:
        if not force or not folder.is_dir():
            raise InputError(f"--out: {error}" + (", or add --force" if folder.is_dir() else "")) from None
    parent = folder.resolve()
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"--out = '{folder}' cannot be written ({parent} is no folder that you may write in); choose another")


def write_run(result: Result, folder: Path, force: bool) -> list[str]:
    """Write tables, time series and figure; all are complete before the first of them stands in the folder.

    Returns:
        Notes for the user.

    Raises:
        InputError: Something cannot be written.
    """
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        figure = plot_day(result, Path(scratch) / FIGURE) if find_spec("matplotlib") is not None else None
        if force and target.exists():
            for file in result.save(Path(scratch) / "run").iterdir():
                file.replace(target / file.name)
        else:
            result.save(target)
        if figure is None:
            return [f"no figure: matplotlib is not installed; pip install 'sageserve-env[plots]' draws {FIGURE}"]
        figure.replace(target / FIGURE)
    return []
