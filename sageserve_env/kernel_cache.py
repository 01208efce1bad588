"""The files of compiled kernels: what is damaged is compiled anew, and what cannot be written is done without, said once."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

CHECKSUM_BYTES = hashlib.sha256().digest_size


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


class FolderImpl(FunctionCache._impl_class):
    """Numba's form of a compiled function, in such a folder."""

    _locator_classes = (FolderLocator,)


class CheckedFiles(IndexDataCacheFile):
    """Numba's files, each behind a checksum: what was damaged is not unpickled, and its machine code does not run."""

    def _load_index(self) -> dict[Any, str]:
        try:
            version, stamp, overloads = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        """What a file holds.

        Raises:
            ValueError: It was damaged.
        """
        content = Path(path).read_bytes()
        if hashlib.sha256(content[CHECKSUM_BYTES:]).digest() != content[:CHECKSUM_BYTES]:
            raise ValueError("the checksum differs")
        return pickle.loads(content[CHECKSUM_BYTES:])

    def _write(self, path: str, value: Any) -> None:
        content = self._dump(value)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(content).digest() + content)


class KernelCache(FunctionCache):
    """A kernel's files, which nothing that is wrong with them may stop the kernel from running."""

    _impl_class = FolderImpl

    def __init__(self, py_func: Callable[..., Any]) -> None:
        super().__init__(py_func)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = CheckedFiles(self._cache_path, self._impl.filename_base, stamp)

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
