"""A window that shows the dashboard's frames, on matplotlib's interactive backend."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError

NO_DISPLAY = 'render_mode = "human": matplotlib has no display here (backend {}); use "rgb_array" or "ansi"'
DPI = 100


class Window:
    """One window, the size of its frames. The only user of pyplot in this package.

    Args:
        title: In the window's title bar.
        frame: The first frame, shape (height, width, 3).

    Raises:
        InputError: There is no display.
    """

    def __init__(self, title: str, frame: NDArray[np.uint8]) -> None:
        import matplotlib
        from matplotlib import pyplot
        from matplotlib.backends.registry import BackendFilter, backend_registry

        backend = str(matplotlib.get_backend())
        if backend.lower() in (name.lower() for name in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE)):
            raise InputError(NO_DISPLAY.format(backend))
        try:
            self._figure: Any = pyplot.figure(figsize=(frame.shape[1] / DPI, frame.shape[0] / DPI), dpi=DPI)
        except Exception as error:  # each toolkit has an exception type of its own
            raise InputError(NO_DISPLAY.format(backend)) from error
        self._pyplot = pyplot
        if self._figure.canvas.manager is not None:
            self._figure.canvas.manager.set_window_title(title)
        axis = self._figure.add_axes((0, 0, 1, 1))
        axis.set_axis_off()
        self._image = axis.imshow(frame, aspect="auto")
        pyplot.show(block=False)

    def update(self, frame: NDArray[np.uint8]) -> None:
        """Show a frame, unless the user has closed the window."""
        if self._pyplot.fignum_exists(self._figure.number):
            self._image.set_data(frame)
            self._figure.canvas.draw_idle()
            self._figure.canvas.flush_events()

    def close(self) -> None:
        """Close the window."""
        self._pyplot.close(self._figure)
