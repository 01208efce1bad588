"""How what a policy sees goes over the wall: as bytes of one layout for the whole episode, which nobody can write to.

A controller's knobs come back the same way. Bytes, and neither pickles nor JSON, as a step of a small problem takes a tenth of a
millisecond, and a hundred numbers take as long to be written and read as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

TURN = b"turn\0\0\0\0"
"""Head of a message of packed values: a turn, or a decision. Eight bytes keep the arrays aligned."""

WORD = 8
"""Bytes that each array's place is a multiple of."""

Told = Any
"""An array, a number, None, or a dict of such by name."""

Tree = Any
"""A :class:`Place`, None, or a dict of such by name."""


@dataclass(frozen=True)
class Place:
    """Where an array or a number is in a message.

    Attributes:
        offset: Its first byte.
        dtype, shape: Of the array.
        is_number: It is a plain number.
        padding: Zeros up to the next place.
    """

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_number: bool
    padding: bytes


@dataclass(frozen=True)
class Layout:
    """Where everything is in a message of values with the same names, shapes and dtypes.

    Attributes:
        tree: Places by name.
        size: Bytes of the message.
    """

    tree: Tree
    size: int


def layout(told: Told) -> Layout:
    """The layout of values with the shapes and dtypes of this one."""
    return Layout(*_placed(told, len(TURN)))


def pack(told: Told, kind: Layout) -> bytes:
    """A value as bytes.

    Args:
        told: Of the shapes that the layout was made for, and of dtypes that can be cast to its.
        kind: The layout.
    """
    parts = [TURN]
    _write(parts, told, kind.tree)
    message = b"".join(parts)
    assert len(message) == kind.size, "a value of other shapes than its layout"
    return message


def unpack(message: bytes, kind: Layout) -> Told:
    """The value of a message: arrays on its bytes, which cannot be made writable, and numbers."""
    return _read(message, kind.tree)


def is_packed(message: bytes, kind: Layout) -> bool:
    """Whether a message holds a value of a layout."""
    return len(message) == kind.size and message.startswith(TURN)


def fits(told: dict[str, Any], kind: Layout) -> bool:
    """Whether the items are arrays of numbers that :func:`pack` takes without loss."""
    return all(_fits(array, kind.tree[name]) for name, array in told.items())


def _fits(array: np.ndarray[Any, Any], place: Place) -> bool:
    if array.shape != place.shape:
        return False
    return array.dtype == place.dtype or (array.dtype.kind in "iuf" and np.can_cast(array.dtype, place.dtype))


def _placed(told: Told, offset: int) -> tuple[Tree, int]:
    """Places of a value from a byte on, and the byte after them."""
    if told is None:
        return None, offset
    if isinstance(told, dict):
        tree = {}
        for name, item in told.items():
            tree[name], offset = _placed(item, offset)
        return tree, offset
    array = np.asarray(told)
    padding = bytes(-array.nbytes % WORD)
    place = Place(offset, array.dtype, array.shape, not isinstance(told, np.ndarray), padding)
    return place, offset + array.nbytes + len(padding)


def _write(parts: list[bytes], told: Told, tree: Tree) -> None:
    """Add the bytes of a value."""
    if isinstance(tree, dict):
        for name, inner in tree.items():
            _write(parts, told[name], inner)
    elif tree is not None:
        parts.append(np.asarray(told, tree.dtype).tobytes())
        if tree.padding:
            parts.append(tree.padding)


def _read(message: bytes, tree: Tree) -> Told:
    """The value at some places."""
    if isinstance(tree, dict):
        return {name: _read(message, inner) for name, inner in tree.items()}
    if tree is None:
        return None
    array: np.ndarray[Any, Any] = np.ndarray(tree.shape, tree.dtype, message, tree.offset)
    return array.item() if tree.is_number else array
