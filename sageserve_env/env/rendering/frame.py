"""The dashboard as an image: a header of figures, the map of the fleet, and three panels over time.

What stays is drawn once and kept as a background; a frame copies it, draws the artists that change on top, and paints the map of
the fleet straight into the pixels. matplotlib's figure and Agg canvas are used without pyplot, so no global state is touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.rendering.fleet import STATE_COLOURS, Box, FleetMap
from sageserve_env.env.rendering.history import Fleet, History, duration_text, percent_text, shorten
from sageserve_env.env.rendering.labels import Labels
from sageserve_env.env.rendering.panels import LatencyPanel, MoneyPanel, Panel, TrafficPanel
from sageserve_env.extras import need

WIDTH, HEIGHT, DPI = 1280, 720, 100
INK, MUTED, CELL = "#1F2328", "#667080", "#F3F4F6"
TEXT = {"color": INK, "fontsize": 9, "va": "center", "parse_math": False}

FLEET_BOX: Box = (98, 138, 604, 672)
PANEL_LEFT, PANEL_RIGHT = 672, 1246
PANEL_TOPS = (124, 322, 520)
PANEL_HEIGHT = 158
LEAST_WIDTH_FOR_SHARE = 75
TILE_LEFT, TILE_WIDTH = 18, 208
TILES = ("Clock", "Spent so far", "Spending now", "SLO met so far", "Traffic now", "NIW queued")


class FrameCanvas:
    """Draws frames of one episode.

    Args:
        history: The episode; its world, title and horizon are fixed from here on.

    Raises:
        MissingExtra: matplotlib is not installed.
    """

    def __init__(self, history: History) -> None:
        need("matplotlib", "plots", "a frame of the dashboard")
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._style: Any = style
        with style.context("default"):
            self._figure: Any = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
            self._canvas: Any = FigureCanvasAgg(self._figure)
            self._map = FleetMap(history.world, FLEET_BOX, (HEIGHT, WIDTH))
            self._tiles = self._add_header(history)
            self._labels = self._add_fleet(history)
            kinds = (TrafficPanel, LatencyPanel, MoneyPanel)
            self._panels: list[Panel] = [kind(self._add_axis(top), history) for kind, top in zip(kinds, PANEL_TOPS, strict=True)]
            self._panels[-1].label_time(history)
        self._background: Any = None

    def draw(self, history: History) -> NDArray[np.uint8]:
        """A frame, shape (HEIGHT, WIDTH, 3)."""
        is_rescaled = [panel.update(history) for panel in self._panels]
        self._write_header(history)
        if self._background is None or any(is_rescaled):
            with self._style.context("default"):
                self._canvas.draw()
            self._background = self._canvas.copy_from_bbox(self._figure.bbox)
        self._canvas.restore_region(self._background)
        for artist in (*self._tiles, *(artist for panel in self._panels for artist in panel.artists)):
            self._figure.draw_artist(artist)
        frame = np.array(np.asarray(self._canvas.buffer_rgba())[:, :, :3], order="C")
        self._map.paint(frame, history.fleet)
        self._paint_labels(frame, history)
        return frame

    def _text(self, x: float, y: float, text: str = "", **style: Any) -> Any:
        """A text at pixels from the top left; one without words yet is redrawn with every frame."""
        return self._figure.text(x / WIDTH, 1 - y / HEIGHT, text, **{**TEXT, "animated": not text, **style})

    def _add_axis(self, top: int) -> Any:
        """Axes of a panel."""
        width, height = (PANEL_RIGHT - PANEL_LEFT) / WIDTH, PANEL_HEIGHT / HEIGHT
        return self._figure.add_axes((PANEL_LEFT / WIDTH, 1 - (top + PANEL_HEIGHT) / HEIGHT, width, height))

    def _box(self, box: Box, colour: str) -> None:
        """A filled rectangle of the background."""
        from matplotlib.patches import Rectangle
        from matplotlib.transforms import IdentityTransform

        left, top, right, bottom = box
        corner, width, height = (left, HEIGHT - bottom), right - left, bottom - top
        self._figure.add_artist(Rectangle(corner, width, height, color=colour, lw=0, transform=IdentityTransform()))

    def _add_header(self, history: History) -> list[Any]:
        """Title and tiles; returns each tile's value and note, which change."""
        self._text(TILE_LEFT, 20, shorten(f"{history.title}   ·   world {history.world.name}", 120), weight="bold")
        changing = []
        for index, name in enumerate(TILES):
            x = TILE_LEFT + index * TILE_WIDTH
            self._box((x - 6, 34, x + TILE_WIDTH - 16, 96), CELL)
            self._text(x, 42, name, color=MUTED, fontsize=7.5)
            changing.append(self._text(x, 61, fontsize=15, weight="bold"))
            changing.append(self._text(x, 84, color=MUTED, fontsize=7.5))
        return changing

    def _add_fleet(self, history: History) -> Labels:
        """Headings, cells and legend of the map; returns what writes into its cells."""
        cells = self._map.cells
        self._text(TILE_LEFT, 111, "Fleet by region and model", weight="bold")
        per = self._map.vms_per_square
        unit = "a square is one VM" if per == 1 else f"a square is up to {per} VMs"
        mark = f"bar: memory utilization, mark at {100 * history.world.scaling.scale_out_utilization:.0f} %"
        self._text(FLEET_BOX[2], 111, f"{unit}; {mark}", color=MUTED, fontsize=8, ha="right")
        width = cells[0][0][2] - cells[0][0][0]
        for box, name in zip(cells[0], [*(model.name for model in history.world.models), "spot VMs"], strict=True):
            self._text(box[0] + self._map.pad, 128, shorten(name, width // 7), fontsize=8.5)
        for row, region in zip(cells, history.world.regions, strict=True):
            middle = (row[0][1] + row[0][3]) / 2
            self._text(TILE_LEFT - 6, middle, shorten(region.name, 13), fontsize=8)
            for box in row:
                self._box(box, CELL)
        self._add_legend()
        size = 7.0 if self._map.text_height < 16 else 9.5
        return Labels(self._map.inner_width, self._map.text_height, DPI, CELL, {**TEXT, "fontsize": size})

    def _add_legend(self) -> None:
        """What the colours of the squares mean, beneath the map."""
        y = self._map.cells[-1][0][3] + 18
        names = ("active", "starting", "draining", "spot (donated)")
        for x, name, colour in zip((98, 190, 290, 392), names, STATE_COLOURS, strict=False):
            self._box((x, y - 6, x + 12, y + 6), colour)
            self._text(x + 18, y, name, fontsize=8)

    def _write_header(self, history: History) -> None:
        """Set the words of the tiles."""
        (vm_usd, breach_usd), (vm_rate, breach_rate) = history.spent_usd, history.usd_per_h
        *by_tier, overall = (percent_text(float(share)) for share in history.attainment)
        met = "  ".join(f"{tier.name} {share}" for tier, share in zip(history.world.tiers, by_tier, strict=True))
        words = (
            (history.clock(), f"{history.now_s / 3600:.1f} of {history.horizon_s / 3600:.1f} h"),
            (f"${vm_usd + breach_usd:,.0f}", f"VMs ${vm_usd:,.0f} + breaches ${breach_usd:,.0f}"),
            (f"${vm_rate + breach_rate:,.0f}/h", f"VMs ${vm_rate:,.0f} + breaches ${breach_rate:,.0f}"),
            (overall, met),
            (f"{history.requests_per_s:,.1f} req/s", f"{history.tokens_per_s:,.0f} prompt tokens/s"),
            (f"{history.queued:,}", f"oldest waits {duration_text(history.oldest_queued_s)}" if history.queued else "none waits"),
        )
        for text, word in zip(self._tiles, (word for pair in words for word in pair), strict=True):
            text.set_text(word)

    def _paint_labels(self, frame: NDArray[np.uint8], history: History) -> None:
        """Write into each cell how many instances or spot VMs it has."""
        fleet, pad, wide = history.fleet, self._map.pad, self._map.inner_width
        for r, row in enumerate(self._map.cells):
            words = [cell_text(fleet, r, m, wide) for m in range(len(row) - 1)]
            for (left, top, _, _), text in zip(row, [*words, str(fleet.spot[r])], strict=True):
                image = self._labels.image(text)
                frame[top + pad : top + pad + image.shape[0], left + pad : left + pad + image.shape[1]] = image


def cell_text(fleet: Fleet, region: int, model: int, width: int) -> str:
    """Instances and utilization of a cell, e.g. ``"12 +3 −1   54 %"``; as much as its width in pixels has room for."""
    words = str(fleet.active[region, model])
    for sign, count in (("+", fleet.provisioning[region, model]), ("−", fleet.draining[region, model])):
        words += f" {sign}{count}" if count else ""
    share = fleet.utilization[region, model]
    return words if width < LEAST_WIDTH_FOR_SHARE or np.isnan(share) else f"{words}   {100 * share:.0f} %"
