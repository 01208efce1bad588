"""The fleet as pixels: a cell for each region and model, a square for each VM, a bar for the utilization."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.rendering.history import Fleet
from sageserve_env.world.schema import World

ACTIVE, PROVISIONING, DRAINING, SPOT, EMPTY = range(5)
STATE_COLOURS = ("#009E73", "#E69F00", "#56B4E9", "#B8BCC2", "#F3F4F6")
"""Of Okabe and Ito, distinct to colour-blind readers; empty is the colour of a cell."""
BAR_COLOURS = ("#DADDE2", "#4B5563", "#D55E00", "#1F2328")
"""Unused; used; used, where it is above the world's scale-out utilization; the mark at that utilization."""

MOST_PITCH = 20
LEAST_PITCH = 4
"""Pixels from square to square. In a crowded cell a square stands for several VMs rather than be smaller."""
MOST_CELL_HEIGHT = 180
COMPACT_BELOW = 60
"""Height in pixels under which a cell is set tighter."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels from the top left corner of the frame, right and bottom beyond it."""


class FleetMap:
    """Where every square and bar lies. R rows of regions, M columns of models and a last one of spot VMs.

    A cell holds a line of text, a bar, and squares, from top to bottom.

    Attributes:
        cells: Boxes by row and column, R lists of M + 1.
        vms_per_square: 1 wherever that fits.
        pad, text_height, inner_width: Of a cell, in pixels; the inner width is without pads.

    Args:
        world: What is drawn.
        box: Where.
        shape: Height and width of the frame.
    """

    def __init__(self, world: World, box: Box, shape: tuple[int, int]) -> None:
        self._width = shape[1]
        self._threshold = world.scaling.scale_out_utilization
        self.cells = grid(box, len(world.regions), len(world.models) + 1)
        left, top, right, bottom = self.cells[0][0]
        self.pad, self.text_height, self._bar_height = (2, 12, 3) if bottom - top < COMPACT_BELOW else (5, 18, 7)
        self.inner_width = max(right - left - 2 * self.pad, 1)
        self._squares_top = self.text_height + self._bar_height + 2 * self.pad
        vms = max(sum(region.vm_capacity.values()) for region in world.regions)
        self.vms_per_square, pitch = fit_squares(vms, self.inner_width, bottom - top - self._squares_top - self.pad)
        columns = max(self.inner_width // pitch, 1)
        self._slots = math.ceil(vms / self.vms_per_square) + 2  # rounding up three states may take two more
        self._slots = max(min(self._slots, columns * ((bottom - top - self._squares_top) // pitch)), 1)
        self._pixels, self._slot_of_pixel = self._place_squares(columns, pitch)
        self._bar_pixels, self._bar_shares = self._place_bars()
        self._palette, self._bar_palette = rgb(STATE_COLOURS), rgb(BAR_COLOURS)

    def _place_squares(self, columns: int, pitch: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Flat pixels of all squares, and the (cell, slot) that each belongs to."""
        size = pitch - max(1, pitch // 6)
        slot = np.arange(self._slots)
        inside_y, inside_x = np.divmod(np.arange(size * size), size)
        y = (slot // columns * pitch)[:, None] + inside_y
        x = (slot % columns * pitch)[:, None] + inside_x
        corners = [(top + self._squares_top) * self._width + left + self.pad for row in self.cells for left, top, _, _ in row]
        pixels = np.array(corners)[:, None, None] + y * self._width + x
        owner = np.broadcast_to(np.arange(len(corners) * self._slots).reshape(-1, self._slots, 1), pixels.shape)
        return pixels.ravel(), owner.ravel()

    def _place_bars(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Flat pixels of the bars by region and model, shape (R, M, height, width), and the share that each column ends at."""
        inside = np.arange(self._bar_height)[:, None] * self._width + np.arange(self.inner_width)
        down = self.pad + self.text_height
        corners = np.array([[(top + down) * self._width + left + self.pad for left, top, _, _ in row[:-1]] for row in self.cells])
        return corners[:, :, None, None] + inside, (np.arange(self.inner_width) + 0.5) / self.inner_width

    def paint(self, frame: NDArray[np.uint8], fleet: Fleet) -> None:
        """Paint squares and bars into a frame.

        Args:
            frame: Contiguous, shape (height, width, 3); changed.
            fleet: The state to paint.
        """
        flat = frame.reshape(-1, 3)
        states = self._states(fleet).ravel()
        flat[self._pixels] = self._palette[states][self._slot_of_pixel]
        utilization = np.nan_to_num(fleet.utilization)[:, :, None, None]
        used = np.where(utilization > self._threshold, 2, 1)
        kinds = np.where(self._bar_shares < utilization, used, 0)
        kinds[..., int(self._threshold * self.inner_width) : int(self._threshold * self.inner_width) + 1] = 3
        flat[self._bar_pixels] = self._bar_palette[kinds]

    def _states(self, fleet: Fleet) -> NDArray[np.intp]:
        """State of every slot, shape (R, M + 1, slots): active ones first, then provisioning, then draining."""
        counts = np.stack([fleet.active, fleet.provisioning, fleet.draining], axis=2)
        ends = np.cumsum(-(-counts // self.vms_per_square), axis=2)
        slot = np.arange(self._slots)
        kinds = (slot >= ends[..., None]).sum(axis=2)
        kinds[kinds == len(STATE_COLOURS) - 2] = EMPTY
        spot = np.where(slot < -(-fleet.spot // self.vms_per_square)[:, None], SPOT, EMPTY)
        return np.concatenate([kinds, spot[:, None]], axis=1)


def grid(box: Box, rows: int, columns: int) -> list[list[Box]]:
    """Equal cells that fill a box, with gaps, no higher than looks well."""
    left, top, right, bottom = box
    gap_x, gap_y = (8 if columns <= 8 else 2), (6 if rows <= 6 else 3)
    width, height = (right - left + gap_x) // columns, min((bottom - top + gap_y) // rows, MOST_CELL_HEIGHT)
    return [
        [(x, y, x + width - gap_x, y + height - gap_y) for x in range(left, left + columns * width, width)]
        for y in range(top, top + rows * height, height)
    ]


def fit_squares(vms: int, width: int, height: int) -> tuple[int, int]:
    """VMs per square and pixels from square to square: the largest squares that fit.

    Example:
        >>> fit_squares(100, 100, 120), fit_squares(4000, 100, 20)
        ((1, 10), (40, 4))
    """
    for pitch in range(MOST_PITCH, LEAST_PITCH - 1, -1):
        if (width // pitch) * (height // pitch) >= vms:
            return 1, pitch
    room = max((width // LEAST_PITCH) * (height // LEAST_PITCH) - 2, 1)
    exact = math.ceil(vms / room)
    return next(step for step in round_steps() if step >= exact), LEAST_PITCH


def round_steps() -> list[int]:
    """Numbers of VMs that a square may stand for."""
    return [digit * 10**power for power in range(7) for digit in (1, 2, 3, 4, 5, 8)]


def rgb(colours: tuple[str, ...]) -> NDArray[np.uint8]:
    """Hexadecimal colours as an array of bytes, shape (n, 3)."""
    return np.array([list(bytes.fromhex(colour[1:])) for colour in colours], dtype=np.uint8)
