"""An empty figure for a picture file, without touching pyplot; matplotlib is an extra and loads here, when first drawn with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.extras import need


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
