"""The iteration times of a world, drawn: measured points against the tables that the simulator reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.pictures import label, new_figure, save_figure
from sageserve_env.world.measured.measurements import (
    DECODE_PROMPT_TOKENS,
    Floats,
    Points,
    decode_points,
    is_measured,
    prefill_points,
)
from sageserve_env.world.measured.profiles import decode_seconds, prefill_seconds
from sageserve_env.world.schema import IterationModel, Profile, World

PREFILL_TOKENS: Floats = np.geomspace(16, 100_000, 400)
DECODE_REQUESTS: Floats = np.geomspace(1, 512, 200)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""One for each VM type; the Okabe-Ito palette, distinct to colour-blind readers."""
BEYOND = (0, (3, 2))
NOT_MEASURED = (0, (1, 1.2))


def plot_profiles(world: World, path: str | Path) -> Path:
    """Draw every model's prefill and decode times: lines are the world's, points the medians of the measurements behind tables.

    Decode times of an iteration model are those at ``DECODE_PROMPT_TOKENS`` of context.

    Args:
        world: The world.
        path: Picture file; its suffix gives the format (``.png``, ``.svg``, ``.pdf``).

    Returns:
        The path.

    Raises:
        InputError: matplotlib is not installed, or it does not know the suffix.
    """
    path = Path(path)
    figure = new_figure(path, (max(3.6 * len(world.models), 7.0), 7.2))
    axes = figure.subplots(2, len(world.models), sharex="row", sharey="row", squeeze=False)
    colour_of = {vm_type.name: colour for vm_type, colour in zip(world.vm_types, COLOURS, strict=False)}
    for column, model in enumerate(world.models):
        prefill, decode = axes[:, column]
        for vm_type, profile in model.profiles.items():
            colour = colour_of[vm_type]
            points = [_points(measured, model.name, vm_type, profile) for measured in (prefill_points, decode_points)]
            _draw(prefill, partial(prefill_seconds, profile), PREFILL_TOKENS, points[0], colour)
            decode_s = partial(decode_seconds, profile, context_tokens=DECODE_PROMPT_TOKENS)
            _draw(decode, decode_s, DECODE_REQUESTS, points[1], colour)
        prefill.set(title=label(model.name), xscale="log", yscale="log", xlabel="prompt tokens in the iteration")
        decode.set(xscale="log", yscale="log", xlabel="decoding requests in the iteration")
    axes[0, 0].set_ylabel("prefill iteration, s")
    axes[1, 0].set_ylabel("decode iteration, s")
    for axis in axes.flat:
        axis.grid(True, lw=0.4, color="0.85")
    figure.suptitle(label(f"Iteration times, world '{world.name}'"))
    figure.legend(handles=_legend(colour_of), loc="outside lower center", ncols=max(2, len(world.models)), frameon=False)
    return save_figure(figure, path)


def _points(measured: Callable[[str, str], Points], model: str, vm_type: str, profile: Profile | IterationModel) -> Points | None:
    return measured(model, vm_type) if is_measured(model, vm_type) and isinstance(profile, Profile) else None


def _draw(axis: Any, seconds: Callable[[Floats], Floats], x: Floats, points: Points | None, colour: str) -> None:
    if points is None:
        axis.plot(x, seconds(x), color=colour, ls=NOT_MEASURED)
        return
    last = points.tokens[-1]
    inside, beyond = np.append(x[x < last], last), np.append(last, x[x > last])
    axis.plot(inside, seconds(inside), color=colour)
    axis.plot(beyond, seconds(beyond), color=colour, ls=BEYOND)
    axis.plot(points.tokens, points.seconds, "o", ms=4.5, mfc="white", color=colour)


def _legend(colour_of: dict[str, str]) -> list[Any]:
    from matplotlib.lines import Line2D

    vm_types = [Line2D([], [], color=colour, label=label(name)) for name, colour in colour_of.items()]
    return [
        *vm_types,
        Line2D([], [], color="0.3", ls="", marker="o", mfc="white", label="median of measurements"),
        Line2D([], [], color="0.3", ls=BEYOND, label="beyond the measurements"),
        Line2D([], [], color="0.3", ls=NOT_MEASURED, label="not measured: scaled or given"),
    ]
