"""An empty figure for a picture file, without touching pyplot; matplotlib is an extra and loads here, when first drawn with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError


def new_figure(path: Path, size_in: tuple[float, float]) -> Any:
    """A matplotlib ``Figure`` that lays itself out.

    Args:
        path: Where it will be saved; its suffix gives the format.
        size_in: Width and height in inches.

    Raises:
        InputError: matplotlib is not installed, or it does not know the suffix.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("matplotlib = None is not installed; run: pip install 'sageserve-env[plots]'") from None
    figure = Figure(figsize=size_in, layout="constrained")
    if path.suffix.lstrip(".").lower() not in figure.canvas.get_supported_filetypes():
        raise InputError(f"'{path}' is no picture format that matplotlib knows: suffix {path.suffix!r}; use .png, .svg or .pdf")
    return figure
