"""Short texts as pixels, drawn once each: most of a frame's cells say what they said before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CACHED = 4096


class Labels:
    """One line of text on a plain ground, as an image.

    Args:
        width, height: Of the image, in pixels.
        dpi: Pixels per inch.
        ground: Colour behind the text.
        style: Of the text, as matplotlib's ``Text`` takes it.
    """

    def __init__(self, width: int, height: int, dpi: int, ground: str, style: dict[str, Any]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure: Any = Figure(figsize=((width + 0.25) / dpi, (height + 0.25) / dpi), dpi=dpi, facecolor=ground)
        self._canvas: Any = FigureCanvasAgg(self._figure)
        self._text: Any = self._figure.text(0, 0.5, "", **style)
        self._cache: dict[str, NDArray[np.uint8]] = {}

    def image(self, text: str) -> NDArray[np.uint8]:
        """A text as an image, shape (height, width, 3); do not write to it."""
        if text not in self._cache:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            self._text.set_text(text)
            self._canvas.draw()
            self._cache[text] = np.array(np.asarray(self._canvas.buffer_rgba())[:, :, :3])
        return self._cache[text]
