"""How what a policy sees goes over the wall: as bytes of one layout for the whole episode, of which it gets a copy to read.

A controller's knobs come back the same way. Bytes, and neither pickles nor JSON, as a step of a small problem takes a tenth of a
millisecond, and a hundred numbers take as long to be written and read as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PACKED = b"packed\0\0"
"""Head of an answer of packed values. Eight bytes keep the arrays aligned."""

NUMBER, ARRAY = "number", "array"

Told = dict[str, Any]
"""Arrays, numbers, None, or dicts of such, by name."""


@dataclass(frozen=True)
class Layout:
    """Where everything is in a message of values with the same names, shapes and dtypes.

    Attributes:
        dtype: Of a record that holds the arrays and numbers.
        kinds: What is under each name: an array, a number, None, or the layout of a dict.
    """

    dtype: np.dtype[Any]
    kinds: dict[str, Any]


def layout(told: Told) -> Layout:
    """The layout of values with the shapes and dtypes of these."""
    fields: list[Any] = []
    kinds: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            kinds[name] = layout(value)
            fields.append((name, kinds[name].dtype))
        elif value is not None:
            kinds[name] = ARRAY if isinstance(value, np.ndarray) else NUMBER
            fields.append((name, np.asarray(value).dtype, np.shape(value)))
        else:
            kinds[name] = None
    return Layout(np.dtype(fields, align=True), kinds)


class Packer:
    """Writes values of a layout, each time into the same record.

    Args:
        kind: The layout.
        memory: Of the record, uint8; None takes its own.

    Attributes:
        places: Arrays of the record, by name.
    """

    def __init__(self, kind: Layout, memory: np.ndarray[Any, Any] | None = None) -> None:
        self.kind = kind
        self._record = np.zeros((), kind.dtype) if memory is None else memory.view(kind.dtype).reshape(())
        self.places = _places(self._record, kind.kinds)

    def write(self, told: Told) -> None:
        """Write values; of the shapes that the layout was made for, and of dtypes that can be cast to its."""
        _write(self.places, told)

    def pack(self, told: Told) -> bytes:
        """Write values, and give them as an answer."""
        self.write(told)
        return PACKED + self._record.tobytes()


def unpack(message: bytes, kind: Layout, begin: int = 0) -> Told:
    """The values of a message from a byte on: arrays on its bytes, which cannot be made writable, and numbers."""
    return _read(np.ndarray((), kind.dtype, message, begin), kind.kinds)


def is_packed(answer: bytes, kind: Layout) -> bool:
    """Whether an answer holds values of a layout."""
    return len(answer) == len(PACKED) + kind.dtype.itemsize and answer.startswith(PACKED)


def fits(told: Told, kind: Layout) -> bool:
    """Whether the items are arrays of numbers that a :class:`Packer` takes without loss."""
    return all(_fits(array, kind.dtype[name]) for name, array in told.items())


def _fits(array: np.ndarray[Any, Any], place: np.dtype[Any]) -> bool:
    if array.shape != place.shape:
        return False
    return array.dtype == place.base or (array.dtype.kind in "iuf" and np.can_cast(array.dtype, place.base))


def _places(record: np.ndarray[Any, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    """Where in a record each value goes."""
    return {
        name: _places(record[name], kind.kinds) if isinstance(kind, Layout) else record[name]
        for name, kind in kinds.items()
        if kind is not None
    }


def _write(places: dict[str, Any], told: Told) -> None:
    for name, place in places.items():
        if isinstance(place, dict):
            _write(place, told[name])
        else:
            place[...] = told[name]


def _read(record: np.ndarray[Any, Any], kinds: dict[str, Any]) -> Told:
    """The values of a record."""
    told: Told = {}
    for name, kind in kinds.items():
        if kind == ARRAY:
            told[name] = record[name]
        elif kind == NUMBER:
            told[name] = record[name].item()
        else:
            told[name] = None if kind is None else _read(record[name], kind.kinds)
    return told
