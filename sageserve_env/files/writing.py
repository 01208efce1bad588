"""Writing: a file or folder stands under its name whole, or not at all. Everything that this package writes goes through here.

The work happens in a scratch folder beside the target, which its process holds locked. A process that is killed leaves its scratch
folder behind; the next one that writes beside it finds it unlocked and removes it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError

SCRATCH = ".sageserve-"
"""How names of scratch folders begin."""

_in_use: set[Path] = set()
"""Scratch folders of this process."""


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file: gives where, under the same suffix; at the end it replaces ``path``, or after an error it is gone.

    Args:
        path: The file; its folder exists.

    Raises:
        InputError: It cannot be written: no such folder, no permission, no space.
    """
    target = Path(path).resolve()
    with _refused(path), _scratch_folder(target.parent) as scratch:
        part = scratch / target.name
        yield part
        _flush(part)
        part.replace(target)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file of text, UTF-8.

    Raises:
        InputError: It cannot be written.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def write_rows(path: str | os.PathLike[str], head: Mapping[str, Any], name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON object: its head, and under a last name its rows, a line for each. Folders that are not there are made.

    Raises:
        InputError: It cannot be written.
    """
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = json.dumps(head, indent=1).removesuffix("\n}")
    with _refused(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_text(path, f'{text},\n "{name}": [\n{lines}\n]\n}}\n')


@contextmanager
def whole_folder(folder: str | os.PathLike[str], seal: str, stale: Collection[str] = ()) -> Iterator[Path]:
    """Write a folder: gives an empty one, whose items stand in ``folder`` at the end, or after an error are gone.

    A folder that does not exist comes into being at once. In one that does, items of the same names are replaced and others stay;
    its seal goes first and comes last, so that a folder with its seal is whole.

    Args:
        folder: The folder; made with its parents where it does not exist.
        seal: The item without which the rest is worth nothing.
        stale: Items of an earlier writing, removed where this one has none of that name.

    Raises:
        InputError: It is a file, or cannot be written.
    """
    target = Path(folder).resolve()
    with _refused(folder):
        there = target.exists()
        if not there:
            target.parent.mkdir(parents=True, exist_ok=True)
        with _scratch_folder(target if there else target.parent) as scratch:
            fresh, old = scratch / target.name, scratch / ".old"
            fresh.mkdir()
            yield fresh
            for file in filter(Path.is_file, fresh.rglob("*")):
                _flush(file)
            with _undisturbed():
                _move_in(fresh, target, old, seal, stale) if there else fresh.rename(target)


def require_writable(folder: str | os.PathLike[str]) -> None:
    """Refuse, before any work is done for it, a folder that could not be written; and clear what a killed process left there.

    Raises:
        InputError: The folder, or the nearest one above it that exists, cannot be written.
    """
    place = Path(folder).resolve()
    while not place.exists():
        place = place.parent
    with _refused(folder), _scratch_folder(place):
        pass


def drop_scratch() -> None:
    """Remove the scratch folders of this process, which is about to end without unwinding."""
    for folder in list(_in_use):
        shutil.rmtree(folder, ignore_errors=True)


def _move_in(fresh: Path, target: Path, old: Path, seal: str, stale: Collection[str]) -> None:
    """Move items into a folder that exists, past the old ones of their names."""
    old.mkdir()
    names = {item.name for item in fresh.iterdir()}
    folders = {name for name in names if (target / name).is_dir()}
    for name in (seal, *((set(stale) - names | folders) - {seal})):
        with suppress(FileNotFoundError):
            (target / name).rename(old / name)
    for name in (*sorted(names - {seal}), seal):
        (fresh / name).replace(target / name)


@contextmanager
def _scratch_folder(parent: Path) -> Iterator[Path]:
    """An empty, locked folder, gone at the end; those of processes that are no more go, too."""
    for folder in parent.glob(f"{SCRATCH}*"):
        lock = _locked(folder, wait=False)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    folder, lock = _new_locked(parent)
    _in_use.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _in_use.discard(folder)
        if lock is not None:
            os.close(lock)


def _new_locked(parent: Path) -> tuple[Path, int | None]:
    """A new folder with its lock; made anew if another process takes it for left over before it is locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=parent))
        lock = _locked(folder, wait=True)
        if folder.exists():
            return folder, lock


def _locked(folder: Path, *, wait: bool) -> int | None:
    """The descriptor that holds a folder's lock; None where another process holds it, or there are no locks."""
    try:
        import fcntl
    except ImportError:  # on Windows: what a killed process leaves there stays
        return None
    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _refused(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the operating system refuses, as one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "check space and permissions, or choose another"
        raise InputError(f"'{os.fspath(path)}' cannot be written ({reason}); {remedy}") from None


def _flush(file: Path) -> None:
    """To the disk, so that one that is full shows before anything is replaced."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the end; in the main thread, where they arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not None]
    before = {number: signal.signal(number, lambda number, frame: arrived.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in arrived:
            signal.raise_signal(caught)
