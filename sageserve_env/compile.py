"""How kernels are compiled: cached on disk, never from a stale cache, and not in silence."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit

from sageserve_env.kernel_cache import say, use_cache
from sageserve_env.unsigned_indices import KernelCompiler

PACKAGE = Path(__file__).parent

COMPILER = PACKAGE / "compile.py", PACKAGE / "kernel_cache.py", PACKAGE / "unsigned_indices.py"
"""Sources that say how kernels are compiled and kept."""

NEEDS = {"workload": ("workload",), "sim": ("workload", "sim"), "env": ("workload", "sim", "env")}
"""Rooms whose sources the kernels of a room are compiled from."""

_without_cache: set[str] = set()
"""Rooms whose kernels cannot be kept on disk."""


@functools.cache
def cache_folder(room: str) -> Path | None:
    """Folder of a room's compiled kernels: one for each version of their sources, of Numba and of Python.

    Numba's own cache watches the file of the called function only, so a change in a file that it calls would go unseen.
    ``NUMBA_CACHE_DIR`` or ``XDG_CACHE_HOME`` move it. None where there is no home to keep it in.
    """
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    rooms = (sorted((PACKAGE / needed).rglob("*.py")) for needed in NEEDS[room])
    for source in itertools.chain(COMPILER, *rooms):
        digest.update(source.read_bytes())
    root = cache_root()
    return None if root is None else root / f"{room}-{digest.hexdigest()[:16]}"


def cache_root() -> Path | None:
    """Folder of all rooms' folders."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sageserve_env"
    except RuntimeError:  # no HOME, and a user whom the system does not know
        return None


@functools.cache
def announce(room: str) -> None:
    """Say on standard error that a room's kernels are being compiled, if they are not cached; once in a process."""
    folder = cache_folder(room)
    if room in _without_cache:
        where = "there is no home folder" if folder is None else f"{folder} cannot be written"
        say(f"compiling the simulator, a few minutes, in every process: {where}; set NUMBA_CACHE_DIR to a folder that can")
    elif folder is not None and not any(folder.rglob("*.nbc")):
        say("compiling the simulator; this happens once per version and takes a few minutes")


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` to be inlined into the kernels that call it.

    Without reference counts: the arrays belong to the entry point's caller, and atomic counting of some thirty arrays at each
    call made the simulator ten times slower. So no array may be allocated here. Inlining saves passing them (a factor of three).
    """
    return njit(pipeline_class=KernelCompiler, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )


def rare(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` as a kernel of its own: what happens rarely need not lie in the midst of what happens often."""
    return njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def entry_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that Python calls: it releases the GIL and is cached in its room's folder, with all that it calls."""
    room = function.__module__.split(".")[1]
    compiled = njit(pipeline_class=KernelCompiler, nogil=True)(function)
    folder, before = cache_folder(room), numba.config.CACHE_DIR
    numba.config.CACHE_DIR = "" if folder is None else str(folder)
    try:
        if not use_cache(compiled):
            _without_cache.add(room)
    finally:
        numba.config.CACHE_DIR = before
    return compiled
