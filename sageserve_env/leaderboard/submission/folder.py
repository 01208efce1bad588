"""The folder of a submission: which files it may have, none of which can run when it is read."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.leaderboard.finding import Finding, Refused
from sageserve_env.leaderboard.submission.record import NAME

RECORD, EPISODES = "submission.yaml", "episodes.jsonl.gz"

MOST_BYTES = 10_000_000
"""Of all files of a submission together."""

PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"


def folder_findings(folder: Path, where: str) -> list[Finding]:
    """What is wrong with the files of a submission, before any of them is read as what it says it is.

    Args:
        folder: The submission's.
        where: What findings call it.
    """
    if not NAME.fullmatch(folder.name):
        return [Finding(where, "name", "a folder is named by small letters, digits and hyphens, at most 60")]
    if folder.is_symlink() or not folder.is_dir():
        return [Finding(where, "link", "it is no folder of its own; submit a folder with its files")]
    found, size = [], 0
    for path in sorted(folder.rglob("*")):
        try:
            require_harmless(path, folder)
        except Refused as refusal:
            found.append(refusal.at(f"{where}/{path.relative_to(folder).as_posix()}"))
        size += 0 if path.is_symlink() else path.stat().st_size
    if size > MOST_BYTES:
        found.append(
            Finding(where, "size", f"its files are larger than {MOST_BYTES:,} bytes together; leave weights out, or split it")
        )
    missing = [name for name in (RECORD, EPISODES) if not (folder / name).is_file()]
    return found + [Finding(f"{where}/{name}", "file", "it is not there; sageserve leaderboard pack writes it") for name in missing]


def require_harmless(path: Path, folder: Path) -> None:
    """Raise Refused where a file may not be in a submission."""
    if path.is_symlink():
        raise Refused("link", "is a link; submit files")
    if path.parent != folder or not path.is_file():
        raise Refused("file", "a submission is one folder of files; put no folder into it")
    suffix = next((ending for ending in CHECKS if path.name.endswith(ending)), None)
    if suffix is None:
        raise Refused("weights" if is_weights(path) else "file", f"a submission holds {', '.join(CHECKS)} only; leave it out")
    if path.stat().st_size <= MOST_BYTES:
        CHECKS[suffix](path)


def is_weights(path: Path) -> bool:
    """Whether a file is of a kind that runs code when it is loaded, by its name or its first bytes."""
    return path.suffix in {".zip", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin", ".py"} or begins(
        path, *PICKLES, ZIP
    )


def begins(path: Path, *heads: bytes) -> bool:
    """Whether a file begins with one of these."""
    with path.open("rb") as file:
        head = file.read(max(map(len, heads)))
    return any(head.startswith(each) for each in heads)


def _text(path: Path) -> None:
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise Refused("weights" if is_weights(path) else "file", "is no text; leave it out") from None
    if "\0" in text:
        raise Refused("file", "is no text; leave it out")


def _json(path: Path) -> None:
    _text(path)
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise Refused("file", "is no JSON; leave it out") from None


def _gzip(path: Path) -> None:
    if path.name != EPISODES or not begins(path, GZIP):
        raise Refused("weights" if is_weights(path) else "file", f"only {EPISODES} is gzipped, and it is; leave it out")


def _npz(path: Path) -> None:
    """Arrays of numbers only: one of objects is a pickle."""
    try:
        with zipfile.ZipFile(path) as archive:
            dtypes = {name: array_dtype(archive, name) for name in archive.namelist()}
    except (ValueError, OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        raise Refused("weights" if is_weights(path) else "file", "holds something else than arrays; use np.savez") from None
    pickled = [name for name, dtype in dtypes.items() if dtype.hasobject]
    if pickled:
        raise Refused("weights", f"its array {pickled[0]!r} holds pickled objects; save numbers")


def array_dtype(archive: zipfile.ZipFile, name: str) -> np.dtype[Any]:
    """The dtype of an array of an archive, of which only the head is read."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        dtype: np.dtype[Any] = read(member)[2]
        return dtype


def _safetensors(path: Path) -> None:
    """Eight bytes of length, and so much JSON."""
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else MOST_BYTES + 1
        try:
            if length > MOST_BYTES or not isinstance(json.loads(file.read(length)), dict):
                raise ValueError
        except (ValueError, RecursionError):
            raise Refused("weights" if is_weights(path) else "file", "is no file of safetensors; leave it out") from None


CHECKS: dict[str, Callable[[Path], None]] = {
    ".yaml": _text,
    ".jsonl.gz": _gzip,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".json": _json,
    ".md": _text,
}
"""What a submission may hold, and how to tell that it is that."""
