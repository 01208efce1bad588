"""Kinds of a world's values, by the types of the schema: a world that Python code builds may hold anything."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import is_number

hints_of = cache(get_type_hints)


def check_kinds(value: Any, hint: Any, where: str) -> None:
    """Check a value and all that it holds against a type of the schema.

    Raises:
        InputError: It is of another kind; the line names the place.
    """
    arguments = get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        require_kind(isinstance(value, hint), value, where, hint.__name__)
        for field in fields(hint):
            check_kinds(getattr(value, field.name), hints_of(hint)[field.name], f"{where}.{field.name}" if where else field.name)
    elif get_origin(hint) is tuple:
        require_kind(isinstance(value, tuple | list), value, where, "tuple")
        for index, item in enumerate(value):
            check_kinds(item, arguments[0], f"{where}[{index}]")
    elif get_origin(hint) is dict:
        require_kind(isinstance(value, dict), value, where, "dictionary")
        for key, item in value.items():
            require_kind(isinstance(key, str), key, where, "name as a key")
            check_kinds(item, arguments[1], f"{where}['{key}']")
    elif NoneType in arguments:
        if value is not None:
            check_kinds(value, arguments[0], where)
    elif arguments:
        require_kind(isinstance(value, arguments), value, where, " or ".join(kind.__name__ for kind in arguments))
        check_kinds(value, next(kind for kind in arguments if isinstance(value, kind)), where)
    elif hint in (str, bool):
        require_kind(isinstance(value, hint), value, where, hint.__name__)
    else:
        require_kind(is_number(value), value, where, "number")  # whether it is whole is a rule of its field


def require_kind(rule: bool, value: object, where: str, kind: str) -> None:
    """Raise unless the rule holds."""
    if not rule:
        remedy = "give one" if where else "give load_world(NAME or FILE)"
        raise InputError(f"{where or 'world'} = {shown(value)} is no {kind}; {remedy}")
