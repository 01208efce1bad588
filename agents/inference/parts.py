"""Checks of what a saved agent is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError, quoted, shown
from sageserve_env.evaluation.locked.entrant import VIEW

MOST_FRAMES = 1000


def require_arrays(arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse weights that are not those of a network.

    Args:
        arrays: What is there.
        shapes: What must be there, float32 or float64, all of it finite.

    Raises:
        InputError: A name is missing or too many, or an array has another shape, another type, or a value that is not finite.
    """
    for names, problem in ((set(shapes) - set(arrays), "are missing"), (set(arrays) - set(shapes), "belong to no part of it")):
        if names:
            raise InputError(f"weights {quoted(sorted(names))[:80]} {problem}; save the agent anew")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape:
            raise InputError(f"weights '{name}' have shape {array.shape}, and not {shape}; save the agent anew")
        if array.dtype not in (np.float32, np.float64) or not np.isfinite(array).all():
            raise InputError(f"weights '{name}' ({array.dtype}) are not all finite floats of 32 or 64 bits; save the agent anew")


def require_settings(settings: Mapping[str, Any], names: set[str]) -> None:
    """Refuse settings of other names.

    Raises:
        InputError: One is missing or too many.
    """
    wrong = sorted(names ^ set(settings))
    if wrong:
        kind = "missing" if wrong[0] in names else "not known"
        raise InputError(f"setting '{wrong[0]!s:.40}' is {kind}; the settings are {', '.join(sorted(names))}")


def require_view(view: Any) -> None:
    """Refuse a view that the protocol does not know.

    Raises:
        InputError: It is no dict, or names something else.
    """
    if not isinstance(view, dict):
        raise InputError(f"view = {shown(view)} is no dict; give {', '.join(VIEW)}")
    for name, value in view.items():
        if type(value) is not VIEW.get(name):
            raise InputError(f"view has {shown(name)} = {shown(value)}; it may choose {', '.join(VIEW)}")


def require_frames(frames: Any) -> None:
    """Refuse what is no number of frames.

    Raises:
        InputError: It is no whole number from 1 to ``MOST_FRAMES``.
    """
    if type(frames) is not int or not 1 <= frames <= MOST_FRAMES:
        raise InputError(f"frames = {shown(frames)}; give a whole number from 1 to {MOST_FRAMES}")
