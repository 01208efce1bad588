"""Figures for picture files, without touching pyplot; matplotlib is an extra and loads here, when first drawn with."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError, printable
from sageserve_env.extras import need
from sageserve_env.files.writing import whole_file


def new_figure(path: Path, size_in: tuple[float, float]) -> Any:
    """A matplotlib ``Figure`` that lays itself out.

    Args:
        path: Where it will be saved; its suffix gives the format.
        size_in: Width and height in inches.

    Raises:
        MissingExtra: matplotlib is not installed.
        InputError: matplotlib does not know the suffix.
    """
    figure = need("matplotlib.figure", "plots", "a figure").Figure(figsize=size_in, layout="constrained")
    if path.suffix.lstrip(".").lower() not in figure.canvas.get_supported_filetypes():
        raise InputError(f"'{path}' is no picture format that matplotlib knows: suffix {path.suffix!r}; use .png, .svg or .pdf")
    return figure


def save_figure(figure: Any, path: Path, dpi: int = 150) -> Path:
    """Write a figure, whole or not at all, and give its path.

    Raises:
        InputError: It cannot be written.
    """
    with whole_file(path) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name's characters that the font lacks are drawn as boxes
        figure.savefig(part, dpi=dpi)
    return path


def label(name: str) -> str:
    r"""A name for a figure: dollars are no mathematics, and an underscore in front does not hide it from a legend.

    Example:
        >>> label("_a$b$")
        ' _a\\$b\\$'
    """
    shown = printable(name).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
