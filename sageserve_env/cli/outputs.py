"""The folder that ``sageserve simulate --out`` writes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.evaluation.runs.figures import plot_day
from sageserve_env.evaluation.runs.folder import FIGURE, refuse_others, result_folder
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.extras import need_arrow
from sageserve_env.files.writing import require_writable


def check_folder(folder: Path, force: bool) -> None:
    """Refuse, before anything runs, a folder that the run could not be written into.

    Raises:
        InputError: It holds other things than an earlier run (unless forced), or nothing can be written there.
        MissingExtra: pyarrow is not installed.
    """
    need_arrow(f"--out = '{folder}'")
    try:
        refuse_others(folder, force)
    except InputError as error:
        raise InputError(f"--out: {error}" + (", or add --force" if folder.is_dir() else "")) from None
    require_writable(folder)


def write_run(result: Result, folder: Path, force: bool) -> list[str]:
    """Write tables, time series and figure, all or none.

    Returns:
        Notes for the user.

    Raises:
        InputError: Something cannot be written.
    """
    with result_folder(folder, force) as fresh:
        result.write(fresh)
        if find_spec("matplotlib") is None:
            return [f"no figure: matplotlib is not installed; pip install 'sageserve-env[plots]' draws {FIGURE}"]
        plot_day(result, fresh / FIGURE)
    return []
