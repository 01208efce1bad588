"""How kernels are compiled: cached on disk, never from a stale cache, and not in silence."""

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

PACKAGE = Path(__file__).parent

NEEDS = {"workload": ("workload",), "sim": ("sim",), "env": ("workload", "sim", "env")}
"""Rooms whose sources the kernels of a room are compiled from."""


@functools.cache
def cache_folder(room: str) -> Path:
    """Folder of a room's compiled kernels: one for each version of their sources, of Numba and of Python.

    Numba's own cache watches the file of the called function only, so a change in a file that it calls would go unseen.
    ``NUMBA_CACHE_DIR`` or ``XDG_CACHE_HOME`` move it.
    """
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode() + Path(__file__).read_bytes())
    for needed in NEEDS[room]:
        for source in sorted((PACKAGE / needed).rglob("*.py")):
            digest.update(source.read_bytes())
    root = os.environ.get("NUMBA_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sageserve_env"
    return Path(root) / f"{room}-{digest.hexdigest()[:16]}"


@functools.cache
def announce(room: str) -> None:
    """Say on standard error that a room's kernels are being compiled, if they are not cached; once in a process."""
    if not any(cache_folder(room).rglob("*.nbc")):
        sys.stderr.write("sageserve_env: compiling the simulator; this happens once per version and takes about half a minute\n")
        sys.stderr.flush()


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` to be inlined into the kernels that call it.

    Without reference counts: the arrays belong to the entry point's caller, and atomic counting of some thirty arrays at each
    call made the simulator ten times slower. So no array may be allocated here. Inlining saves passing them (a factor of three).
    """
    return njit(_nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def entry_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that Python calls: it releases the GIL and is cached in its room's folder, with all that it calls."""
    room = function.__module__.split(".")[1]
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder(room))
    try:
        return njit(cache=True, nogil=True)(function)
    finally:
        numba.config.CACHE_DIR = before
