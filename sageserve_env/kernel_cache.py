"""The files of compiled kernels: what is damaged is compiled anew, and what cannot be written is done without, said once."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps


class FolderLocator(FunctionCache._impl_class._locator_classes[0]):
    """Looks in ``numba.config.CACHE_DIR``, whose name stands for all sources: equal checkouts share their kernels.

    Numba itself would keep apart the folders that they lie in, and watch the file of the called function only.
    """

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = os.path.join(numba.config.CACHE_DIR, py_func.__module__)

    def get_source_stamp(self) -> str:
        """The same for all."""
        return ""


class CheckedImpl(FunctionCache._impl_class):
    """Numba's form of a compiled function with a checksum: machine code that was damaged must not run."""

    _locator_classes = (FolderLocator,)

    def reduce(self, data: Any) -> tuple[bytes, bytes]:
        """What is written."""
        code = dumps(super().reduce(data))
        return hashlib.sha256(code).digest(), code

    def rebuild(self, target_context: Any, reduced_data: tuple[bytes, bytes]) -> Any:
        """What was written.

        Raises:
            ValueError: It was damaged.
        """
        digest, code = reduced_data
        if hashlib.sha256(code).digest() != digest:
            raise ValueError("the checksum differs")
        return super().rebuild(target_context, pickle.loads(code))


class KernelCache(FunctionCache):
    """A kernel's files, which nothing that is wrong with them may stop the kernel from running."""

    _impl_class = CheckedImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None: there is none, or its files are damaged, and are given up."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # anything may come of a damaged pickle
            say(f"a file of compiled kernels in {self.cache_path} is damaged ({type(error).__name__}); compiling anew")
            self._or_without(self.flush)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, where that is possible."""
        self._or_without(lambda: super(KernelCache, self).save_overload(sig, data))

    def _or_without(self, write: Callable[[], None]) -> None:
        """Write, or give up this cache."""
        try:
            write()
        except Exception as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            say(f"compiled kernels cannot be kept in {self.cache_path} ({reason}); set NUMBA_CACHE_DIR to another folder")
            self.disable()


def use_cache(dispatcher: Any) -> bool:
    """Let a compiled function keep its code in ``numba.config.CACHE_DIR``; False where nothing can be written there."""
    try:
        dispatcher._cache = KernelCache(dispatcher.py_func)
    except RuntimeError:  # Numba's word for an unwritable folder
        return False
    return True


@functools.cache
def say(text: str) -> None:
    """Say something on standard error, once in a process."""
    sys.stderr.write(f"sageserve_env: {text}\n")
    sys.stderr.flush()
