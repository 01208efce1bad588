"""Bytes of a file from any offset, whatever compresses it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from sageserve_env.errors import InputError
from sageserve_env.extras import need_arrow
from sageserve_env.workload.traces.files.table import MAX_RECORD_BYTES, clipped, shown

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class _Zstd(io.RawIOBase):
    """A Zstandard file; going back starts anew, as the standard library's formats do."""

    def __init__(self, path: Path) -> None:
        self._arrow, _ = need_arrow(f"{shown(path)} (Zstandard)")
        self._path = str(path)
        self._at = 0
        self._stream = self._arrow.input_stream(self._path, compression="zstd")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset if whence == io.SEEK_SET else self._at + offset
        if target < self._at:
            self._stream.close()
            self._stream, self._at = self._arrow.input_stream(self._path, compression="zstd"), 0
        while self._at < target and (data := self._stream.read(min(target - self._at, 1 << 20))):
            self._at += len(data)
        return self._at

    def close(self) -> None:
        self._stream.close()
        super().close()


CODECS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    ZSTD_MAGIC: lambda path: io.BufferedReader(_Zstd(path)),
}
"""How files are opened, by their first bytes: what a file is called says nothing."""


class RawBytes:
    """A file's bytes, decompressed, from any offset.

    Raises:
        InputError: It cannot be opened.
        MissingExtra: It is Zstandard, and pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                magic = file.read(8)
            opener = next((opener for start, opener in CODECS.items() if magic.startswith(start)), None)
            opened: Any = path.open("rb") if opener is None else opener(path)
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be opened ({error.strerror or error}); check its permissions") from error
        self._file: IO[bytes] = opened
        self.is_compressed = opener is not None
        self._kept = (0, b"")  # what was read last: its end may be asked for again
        # Positions stay open for the life of a stream, and a stream has no end that anybody announces.
        weakref.finalize(self, opened.close)

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes from an offset; fewer at the end of the file."""
        start, data = self._kept
        held = data[offset - start :] if start <= offset < start + len(data) else b""
        data = held + self._call(offset + len(held), lambda: self._file.read(max(size - len(held), 0)))
        self._kept = (offset, data)
        return data

    def lines(self, offset: int, size: int) -> bytes:
        """At least ``size`` bytes from an offset, up to a line's end; fewer at the end of the file.

        Raises:
            InputError: The file is damaged, or a line is endless.
        """
        data = self._call(offset, lambda: self._file.read(size))
        if data and not data.endswith(b"\n"):
            data += self._call(offset + len(data), lambda: self._file.readline(MAX_RECORD_BYTES))
        if len(data) > size + MAX_RECORD_BYTES - 1:
            raise InputError(f"{shown(self.path)}: a line after byte {offset} has more than 64 MiB; give one line for each request")
        return data

    def _call(self, offset: int, read: Callable[[], bytes]) -> bytes:
        """Read at an offset; a damaged file is the user's to mend."""
        try:
            if self._file.tell() != offset:
                self._file.seek(offset)
            return read()
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
            problem = f"cannot be read at byte {offset} ({clipped(str(error), 80)})"
            raise InputError(f"{shown(self.path)}: {problem}; write or fetch it again") from error
