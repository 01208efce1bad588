"""Packages that only some uses need: each belongs to an extra of the installation, and one error says which."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gymnasium.error import DependencyNotInstalled

from sageserve_env.errors import InputError


class MissingExtra(DependencyNotInstalled, InputError):
    """A package of an extra is not installed: Gymnasium's error for it, and one line on the command line."""


def install_hint(extra: str) -> str:
    """How to install an extra, from a package index or from a checkout."""
    return f"run: pip install 'sageserve-env[{extra}]', or in a checkout: pip install '.[{extra}]'"


def need(module: str, extra: str, use: str) -> Any:
    """Import a module of an extra.

    Args:
        module: Name of the module.
        extra: The extra that installs it.
        use: What needs it; begins the message.

    Raises:
        MissingExtra: It is not installed.

    Example:
        >>> need("no_such_module", "data", "reading Parquet")
        Traceback (most recent call last):
        ...
        sageserve_env.extras.MissingExtra: reading Parquet needs no_such_module, which is not installed; run: pip install ...
    """
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise MissingExtra(f"{use} needs {package}, which is not installed; {install_hint(extra)}") from None


def need_arrow(use: str) -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``, of the extra ``data``.

    Raises:
        MissingExtra: They are not installed.
    """
    return need("pyarrow", "data", use), need("pyarrow.parquet", "data", use)
