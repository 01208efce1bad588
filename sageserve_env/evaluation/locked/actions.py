"""What a policy did in an episode, packed without loss, so that it can be done again without the policy."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError, shown
from sageserve_env.sim import ADMISSION_ORDERS, Knobs

ACTION = "action"
ORDER = "admission_order"
"""Of a controller's knobs: its index among ``ADMISSION_ORDERS``, -1 where it is none."""

KNOBS = frozenset(field.name for field in fields(Knobs))

Array = NDArray[Any]

Said = dict[str, Array]
"""What was decided, by name: an agent's ``action``, or each knob of a controller."""

Packed = dict[str, Any]
"""As JSON takes it: ``steps``; ``fields``, the code and the shape of each name's arrays; ``data``, which is base64 of zlib."""

WHOLE, EXACT = ("<i1", "<i2", "<i4", "<i8"), ("<f4", "<f8")
"""Codes: whole numbers as changes from step to step, others as the bits that changed."""

MOST_WHOLE = float(2**52)

MOST_BYTES = 1 << 26
"""Of an episode's arrays: twenty times those of the longest one of the largest problem."""


def order_code(order: Any) -> Array:
    """An order of admission as a number."""
    return np.array(ADMISSION_ORDERS.index(order) if order in ADMISSION_ORDERS else -1)


def said_of(knobs: Knobs) -> Said:
    """A controller's decision by name."""
    return {name: np.asarray(getattr(knobs, name)) for name in KNOBS} | {ORDER: order_code(knobs.admission_order)}


def all_digested(arrays: Said) -> Array:
    """What of the decisions of an episode goes into the rolling digest: all of each, as a row.

    Args:
        arrays: By name, the steps along the first axis.
    """
    if ACTION in arrays:
        return arrays[ACTION]
    names = [*(name for name in sorted(arrays) if name != ORDER), ORDER]
    return np.concatenate([arrays[name].reshape(len(arrays[name]), -1) for name in names], axis=1, dtype=np.float64)


def knobs_of(said: Said) -> Knobs:
    """A controller's decision as knobs.

    Raises:
        InputError: Its order of admission is none.
    """
    values, code = {name: value for name, value in said.items() if name != ORDER}, said[ORDER].tolist()
    if isinstance(code, list) or code not in range(len(ADMISSION_ORDERS)):
        raise InputError(f"{ORDER} = {shown(code)} is none; it is the index of one of {', '.join(ADMISSION_ORDERS)}")
    return Knobs(**values, admission_order=ADMISSION_ORDERS[int(code)])


def stacked(steps: Sequence[Said]) -> Said:
    """The decisions of an episode by name, the steps along the first axis.

    Args:
        steps: Of each step, arrays of the same names and shapes throughout; numbers that an environment takes. One at least.
    """
    return {name: np.array([step[name] for step in steps], np.float64) for name in sorted(steps[0])}


def packed(arrays: Said) -> Packed:
    """Pack the decisions of an episode, as :func:`stacked` gives them."""
    names: dict[str, list[Any]] = {}
    parts, (n_steps, *_) = [], next(iter(arrays.values())).shape
    for name, values in arrays.items():
        code, data = _coded(values.reshape(n_steps, -1))
        names[name] = [code, *values.shape[1:]]
        parts.append(data)
    squeezed = zlib.compress(b"".join(parts), 9)
    return {"steps": n_steps, "fields": names, "data": base64.b64encode(squeezed).decode()}


def unpacked(given: Any) -> list[Said]:
    """The decisions of an episode, bit for bit.

    Raises:
        InputError: It is not what :func:`packed` gives.
    """
    arrays = unpacked_arrays(given)
    return [{name: array[step] for name, array in arrays.items()} for step in range(given["steps"])]


def unpacked_arrays(given: Any) -> Said:
    """The decisions of an episode by name, the steps along the first axis.

    Raises:
        InputError: It is not what :func:`packed` gives.
    """
    try:
        steps, sizes = _sizes(given)
        room = sum(sizes.values())
        squeezed = zlib.decompressobj()
        data = squeezed.decompress(base64.b64decode(given["data"], validate=True), room + 1)
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error):
        raise InputError(f"log = {shown(given)} is no packed log; give what sageserve evaluate --actions kept") from None
    if len(data) != room or not squeezed.eof or squeezed.unused_data:
        raise InputError("log: its data are not as long as its fields say; give what sageserve evaluate --actions kept")
    arrays, begin = {}, 0
    for name, size in sizes.items():
        code, *shape = given["fields"][name]
        arrays[name] = _decoded(code, data[begin : begin + size], steps).reshape(steps, *shape)
        begin += size
    return arrays


def _sizes(given: Any) -> tuple[int, dict[str, int]]:
    """Steps, and bytes of each field in order.

    Raises:
        ValueError: It is no packed log, or one of more than ``MOST_BYTES``.
    """
    steps, named = given["steps"], given["fields"]
    if set(given) != {"steps", "fields", "data"} or set(named) not in ({ACTION}, KNOBS) or list(named) != sorted(named):
        raise ValueError
    if len(named.get(ORDER, ["one number"])) != 1:
        raise ValueError
    sizes = {}
    for name, (code, *shape) in named.items():
        counts = [steps, *shape]
        if code not in WHOLE + EXACT or any(type(count) is not int or not 0 <= count <= MOST_BYTES for count in counts):
            raise ValueError
        sizes[name] = int(np.prod([np.dtype(code).itemsize, *counts], dtype=object))
    if steps < 1 or sum(sizes.values()) > MOST_BYTES:
        raise ValueError
    return steps, sizes


def _coded(flat: NDArray[np.float64]) -> tuple[str, bytes]:
    """A code and the bytes of values of shape (steps, entries), each entry's steps in a row."""
    if (np.abs(flat) < MOST_WHOLE).all() and _is_same(flat.astype(np.int64), flat):
        changes = np.diff(flat.astype(np.int64), axis=0, prepend=0)
        code = next(code for code in WHOLE if np.array_equal(changes.astype(code), changes))
        return code, changes.T.astype(code).tobytes()
    with np.errstate(over="ignore"):
        code = "<f4" if _is_same(flat.astype(np.float32), flat) else "<f8"
        bits = flat.astype(code).view(code.replace("f", "u"))
    bits[1:] ^= bits[:-1].copy()
    planes = np.ascontiguousarray(bits.T).reshape(-1, 1).view(np.uint8)  # first all first bytes, then all second ones
    return code, planes.T.tobytes()


def _decoded(code: str, data: bytes, steps: int) -> Array:
    """The values, shape (steps, entries); int64 or float64."""
    if code in WHOLE:
        return np.cumsum(np.frombuffer(data, code).reshape(-1, steps).T, axis=0, dtype=np.int64)
    planes = np.frombuffer(data, np.uint8).reshape(np.dtype(code).itemsize, -1)
    bits = np.ascontiguousarray(planes.T).view(code.replace("f", "u")).reshape(-1, steps).T
    return np.bitwise_xor.accumulate(bits, axis=0).view(code).astype(np.float64)


def _is_same(tried: Array, values: NDArray[np.float64]) -> bool:
    """Whether values come back from another type bit for bit: the sign of zero counts."""
    return np.array_equal(tried.astype(np.float64).view(np.uint64), values.view(np.uint64))
