"""Rendering an episode: one dashboard, as an RGB frame, in a window, or as text for terminals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.rendering.ansi import draw_text
from sageserve_env.env.rendering.history import History
from sageserve_env.env.rendering.window import Window
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.schema import World


class Dashboard:
    """The fleet, its traffic, its latency and its money, from the start of an episode up to now.

    One dashboard draws one episode. Axes are fixed over the episode: time spans the horizon, latency six decades, instances and
    money what the initial fleet suggests, and they grow in round steps where the episode goes beyond. matplotlib is imported with
    the first frame; text needs none. Pickling keeps the history and leaves canvas and window behind.

    Args:
        world: The world of the episode.
        title: Shown at the top, e.g. the id of the environment.
        horizon_s: End of the episode, in the simulator's seconds.
        week_start_s: Time zero of the simulator, in seconds from Monday 00:00.
        control_interval_s: Seconds between two updates.
    """

    def __init__(self, world: World, title: str, horizon_s: float, week_start_s: float, control_interval_s: float) -> None:
        self._title, self._horizon_s, self._control_interval_s = title, horizon_s, control_interval_s
        self._canvas: Any = None
        self._window: Window | None = None
        self.restart(world, week_start_s)

    def restart(self, world: World, week_start_s: float) -> None:
        """Begin another episode: forget the history, keep the window open."""
        self._history = History(world, self._title, self._horizon_s, week_start_s, self._control_interval_s)
        self._canvas = None

    def update(self, telemetry: Telemetry, reward_terms: dict[str, float], ttft_p95_s: NDArray[np.float64]) -> None:
        """Take in one control step; optionally also the start of the episode, before any step.

        A telemetry that is not later than the last one, as after a restored snapshot, cuts the history back to its time.

        Args:
            telemetry: The fleet now.
            reward_terms: Dollars of the last interval, at least ``vm_usd`` and ``breach_usd``, both >= 0.
            ttft_p95_s: 95th percentile of the time to first token by tier over the last interval, shape (3,); NaN where no
                request completed.
        """
        self._history.add(telemetry, reward_terms, ttft_p95_s)

    def frame(self) -> NDArray[np.uint8]:
        """The dashboard as an image of its own, shape (720, 1280, 3).

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        if self._canvas is None:
            from sageserve_env.env.rendering.frame import FrameCanvas

            self._canvas = FrameCanvas(self._history)
        frame: NDArray[np.uint8] = self._canvas.draw(self._history)
        return frame

    def ansi(self) -> str:
        """The dashboard as plain text, at most 100 columns by 30 lines."""
        return draw_text(self._history)

    def show(self) -> None:
        """Open a window with the dashboard, or bring the open one up to date; one that the user has closed stays closed.

        Raises:
            MissingExtra: matplotlib is not installed.
            InputError: There is no display.
        """
        frame = self.frame()
        if self._window is None:
            self._window = Window(self._title, frame)
        self._window.update(frame)

    def close(self) -> None:
        """Close the window, if one is open, and free the canvas; the dashboard can still be used."""
        if self._window is not None:
            self._window.close()
        self._window = self._canvas = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_canvas": None, "_window": None}
