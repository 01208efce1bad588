"""Simulated against measured times of every replayed run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.evaluation.silicon.replay import Replay
from sageserve_env.pictures import new_figure, save_figure

SEEN, HELD_OUT = "#56B4E9", "#D55E00"
BAND = 0.2
"""Relative error of the shaded band."""


def plot_replays(replays: list[Replay], path: str | Path) -> Path:
    """Draw TPOT and TTFT of every run, ours against measured.

    Args:
        replays: At least one.
        path: Picture file; its suffix gives the format (``.png``, ``.svg``, ``.pdf``).

    Returns:
        The path.

    Raises:
        InputError: matplotlib is not installed, or it does not know the suffix.
    """
    path = Path(path)
    figure = new_figure(path, (10.0, 5.4))
    for axis, name, time in zip(
        figure.subplots(1, 2), ("time per output token", "time to first token"), ("tpot_s", "ttft_s"), strict=True
    ):
        _draw(axis, replays, time)
        axis.set(title=name, xscale="log", yscale="log", xlabel="measured, s", ylabel="simulated, s")
        axis.grid(True, lw=0.4, color="0.85")
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return save_figure(figure, path)


def _draw(axis: Any, replays: list[Replay], time: str) -> None:
    measured = np.concatenate([getattr(replay.runs, time) for replay in replays])
    ours = np.concatenate([getattr(replay, time) for replay in replays])
    held_out = np.concatenate([replay.runs.held_out for replay in replays])
    span = np.array([min(measured.min(), ours.min()) / 1.3, max(measured.max(), ours.max()) * 1.3])
    axis.fill_between(span, span * (1 - BAND), span * (1 + BAND), color="0.9", lw=0, label=f"within {BAND:.0%}")
    axis.plot(span, span, color="0.3", lw=0.8, label="equal")
    for chosen, colour, name in ((~held_out, SEEN, "seen by the fit"), (held_out, HELD_OUT, "held out")):
        axis.plot(measured[chosen], ours[chosen], ".", ms=4, alpha=0.6, mew=0, color=colour, label=f"{name}, {chosen.sum():,} runs")
    axis.set(xlim=span, ylim=span)
