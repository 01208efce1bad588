"""What a thing is, as a short text: equal arguments have equal digests, in any process; a snapshot carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import numpy as np

from sageserve_env.errors import InputError


def digest(*values: Any) -> str:
    """A digest of plain values, arrays, dataclasses (their fields that count for equality), and containers of such.

    Equal values have equal digests: 1 and 1.0, a list and a tuple, dicts in any order, a world loaded twice.

    Raises:
        TypeError: A value is of another kind.

    Example:
        >>> digest(1, "a") == digest(1.0, "a") != digest(2, "a")
        True
    """
    hashed = blake2b(digest_size=16)
    for value in values:
        _feed(hashed, value)
    return hashed.hexdigest()


def parts(prefix: str, record: Any) -> dict[str, str]:
    """The digest of each field of a dataclass, by name: what differs between two can then be told."""
    return {f"{prefix}.{field.name}": digest(getattr(record, field.name)) for field in fields(record)}


def require_same(kept: Mapping[str, str], own: Mapping[str, str], what: str, remedy: str) -> None:
    """Check that a snapshot belongs here.

    Args:
        kept: The identity that the snapshot carries, by name.
        own: The identity of what it is restored into.
        what: What is restored, such as ``"snapshot"``.
        remedy: What to do instead.

    Raises:
        InputError: They differ; the message names the first difference.
    """
    for name in {**own, **kept}:
        if kept.get(name) != own.get(name):
            raise InputError(f"{what}: it was taken with another {name}; {remedy}")


def _feed(hashed: Any, value: Any) -> None:
    """Add one value; a letter for its kind and the length of what has one keep neighbours apart."""
    if value is None or isinstance(value, (str, bytes, PurePath)):
        text = value if isinstance(value, bytes) else str(value).encode()
        hashed.update(f"{'b' if isinstance(value, bytes) else 's'}{value is None}{len(text)}:".encode() + text)
    elif isinstance(value, Real):
        hashed.update(f"n{_plain(value)};".encode())
    elif isinstance(value, np.ndarray):
        _feed_array(hashed, value)
    elif isinstance(value, (list, tuple)):
        hashed.update(f"l{len(value)};".encode())
        for item in value:
            _feed(hashed, item)
    elif isinstance(value, (Mapping, set, frozenset)):
        items = value.items() if isinstance(value, Mapping) else value
        hashed.update(f"m{len(value)};{','.join(sorted(digest(item) for item in items))}".encode())
    elif is_dataclass(value) and not isinstance(value, type):
        compared = [field.name for field in fields(value) if field.compare]
        hashed.update(f"d{type(value).__qualname__}{len(compared)};".encode())
        for name in compared:
            _feed(hashed, (name, getattr(value, name)))
    else:
        raise TypeError(f"a {type(value).__name__} has no digest")


def _plain(value: Real) -> str:
    """A number as text, the same for equal numbers."""
    if isinstance(value, Integral) or float(value).is_integer():
        return str(int(value))  # type: ignore[call-overload]
    return repr(float(value))


def _feed_array(hashed: Any, array: np.ndarray[Any, Any]) -> None:
    """Add an array field by field: what lies between the fields is padding."""
    if array.dtype.names is not None:
        hashed.update(f"r{len(array.dtype.names)};".encode())
        for name in array.dtype.names:
            _feed(hashed, name)
            _feed_array(hashed, array[name])
    elif array.dtype.hasobject:
        _feed(hashed, array.tolist())
    else:
        hashed.update(f"a{array.dtype.str}{array.shape};".encode() + np.ascontiguousarray(array).tobytes())
