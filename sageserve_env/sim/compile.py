"""How kernels are compiled: nogil, cached on disk, and never from a stale cache."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit

SOURCES = sorted(path for room in ("sim", "workload", "env") for path in (Path(__file__).parent.parent / room).glob("*.py"))


@functools.cache
def cache_folder() -> Path:
    """Folder of the compiled kernels: one for each version of the sources, of Numba and of Python.

    Numba's own cache watches the file of the called function only, so a change in a file that it calls would go unseen.
    ``NUMBA_CACHE_DIR`` or ``XDG_CACHE_HOME`` move it.
    """
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in SOURCES:
        digest.update(source.read_bytes())
    root = os.environ.get("NUMBA_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sageserve_env"
    return Path(root) / digest.hexdigest()[:16]


def is_cached() -> bool:
    """Whether the event loop has been compiled on this machine by this version."""
    return any(cache_folder().rglob("kernel.advance-*.nbc"))


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` in nopython mode when first called, without fastmath, for use by other kernels."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def entry_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that Python calls: it releases the GIL and is cached in :func:`cache_folder`, with all that it calls."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        return njit(cache=True, nogil=True)(function)
    finally:
        numba.config.CACHE_DIR = before
