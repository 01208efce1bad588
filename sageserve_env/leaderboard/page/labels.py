"""Names beside points: each stands where it covers no other name and no point, or is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sageserve_env.leaderboard.page.plot import Point

WIDTH_PX, HEIGHT_PX = 440.0, 330.0
"""Of the frame for which names are placed."""

LETTER_PX, ABOVE_PX, BELOW_PX = 6.4, 11.0, 4.0
"""A letter's width, and its height above and below the line of writing."""

MARK_PX = 7.0
"""From the middle of a point to its edge."""

SIDES = ((9, 4, "start"), (-9, 4, "end"), (0, -10, "middle"), (0, 18, "middle"))
"""Where a name may stand by its point: offsets, and which of its parts is there."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def named(points: Sequence[Point]) -> list[Point]:
    """Points with their names where there is room, the first ones first."""
    marks, names, found = [mark_box(point) for point in points], list[Box](), []
    for number, point in enumerate(points):
        others = [*names, *marks[:number], *marks[number + 1 :]]
        label = next((side for side in SIDES if is_free(name_box(point, side), others)), None)
        if label is not None:
            names.append(name_box(point, label))
        found.append(replace(point, label=label))
    return found


def mark_box(point: Point) -> Box:
    """What a point covers."""
    x, y = point.x / 100 * WIDTH_PX, point.y / 100 * HEIGHT_PX
    return x - MARK_PX, y - MARK_PX, x + MARK_PX, y + MARK_PX


def name_box(point: Point, side: tuple[int, int, str]) -> Box:
    """What its name covers at a side."""
    x, y = point.x / 100 * WIDTH_PX + side[0], point.y / 100 * HEIGHT_PX + side[1]
    width = LETTER_PX * len(point.name)
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[side[2]]
    return left, y - ABOVE_PX, left + width, y + BELOW_PX


def is_free(box: Box, others: Sequence[Box]) -> bool:
    """Whether a box lies within the frame's width, and has no point in common with others."""
    apart = all(box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1] for other in others)
    return box[0] >= 0 and box[2] <= WIDTH_PX and apart
