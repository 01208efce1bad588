"""How what a policy sees goes over the wall: as bytes of one layout for the whole episode, which nobody can write to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TURN = b"turn\0\0\0\0"
"""Head of a message that asks for a decision; what follows is a packed value. Eight bytes keep the arrays aligned."""

VALUE = "value"

Told = Any
"""An array, a number, None, or a dict of such by name."""


def layout(told: Told) -> np.dtype[Any]:
    """The layout of values with the shapes and dtypes of this one."""
    return np.dtype([(VALUE, _field(told))], align=True)


def pack(told: Told, kind: np.dtype[Any]) -> bytes:
    """A value as bytes.

    Args:
        told: Of the shapes and dtypes that the layout was made for.
        kind: The layout.
    """
    record = np.zeros(1, kind)
    _write(record, VALUE, told)
    return TURN + record.tobytes()


def unpack(message: bytes, kind: np.dtype[Any]) -> Told:
    """The value of a message: arrays on its bytes, which cannot be made writable, and numbers."""
    return _read(np.frombuffer(message, kind, offset=len(TURN))[0][VALUE], kind[VALUE])


def _field(told: Told) -> Any:
    """What a structured dtype says of a value; None is no bytes."""
    if told is None:
        return np.dtype("V0")
    if isinstance(told, dict):
        return np.dtype([(name, _field(item)) for name, item in told.items()], align=True)
    array = np.asarray(told)
    return np.dtype((array.dtype, array.shape))


def _write(record: NDArray[Any], name: str, told: Told) -> None:
    """Write a value to a field of a record."""
    if isinstance(told, dict):
        for inner, item in told.items():
            _write(record[name], inner, item)
    elif told is not None:
        record[name] = told


def _read(value: Any, kind: np.dtype[Any]) -> Told:
    """A field's value by its dtype."""
    if kind.names is not None:
        return {name: _read(value[name], kind[name]) for name in kind.names}
    if kind.kind == "V":
        return None if kind.subdtype is None else value
    return value if kind.subdtype is not None else value.item()
