"""Which kind of file a path leads to: told by its content, not by its name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.workload.traces.files.csv_file import CsvFile
from sageserve_env.workload.traces.files.json_file import JsonFile
from sageserve_env.workload.traces.files.parquet_file import ParquetFile
from sageserve_env.workload.traces.files.raw_bytes import CODECS, RawBytes
from sageserve_env.workload.traces.files.table import BlockFile, shown

HEAD_BYTES = 1 << 16

BOM = b"\xef\xbb\xbf"

PARQUET_MAGIC = b"PAR1"

OTHERS = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "a zip archive or a spreadsheet; unpack it, or save it as CSV",
    b"ARROW1": "an Arrow file; save it as Parquet or CSV",
    b"ORC": "an ORC file; save it as Parquet or CSV",
    b"\x89HDF": "an HDF5 file; save it as Parquet or CSV",
}
"""First bytes of what is not read, and what it is."""

SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".gz", ".bz2", ".xz", ".zst")
"""Endings that make a name a path."""


def open_blocks(path: Path) -> BlockFile:
    """Open a trace file.

    Args:
        path: CSV (by commas, tabs or semicolons), JSON lines, a JSON array, each plain or compressed (gzip, bzip2, xz, Zstandard);
            or Parquet.

    Raises:
        InputError: Not a file, empty, not readable, of another kind, or with two columns of one name.
        MissingExtra: It is Parquet or Zstandard, and pyarrow is not installed.
    """
    where = shown(path)
    if not path.is_file():
        problem = "is a directory" if path.is_dir() else "is no regular file" if path.exists() else "does not exist"
        raise InputError(f"{where}: {problem}; give a trace file (CSV, JSON lines, Parquet)")
    raw = RawBytes(path)
    head = raw.read(0, HEAD_BYTES)
    if not head.removeprefix(BOM).strip():
        raise InputError(f"{where}: is empty; give a trace with a header line and at least one request")
    file = _open(raw, head, where)
    if not any(file.columns):
        raise InputError(f"{where}: has no columns; give a trace with named columns and at least one request")
    twice = [name for name, count in Counter(file.columns).items() if name and count > 1]
    if twice:
        raise InputError(f"{where}: column {twice[0][:60]!r} is there twice; give each column once")
    return file


def _open(raw: RawBytes, head: bytes, where: str) -> BlockFile:
    """The reader for a file that begins so."""
    if head.startswith(PARQUET_MAGIC) and not raw.is_compressed:
        return ParquetFile(raw.path)
    others = {**OTHERS, **dict.fromkeys([PARQUET_MAGIC, *CODECS], "compressed twice; decompress it once")}
    other = next((what for magic, what in others.items() if head.startswith(magic)), None)
    if other is None and b"\0" in head:
        other = "binary, or UTF-16 text; save it as UTF-8 text or as Parquet"
    if other is not None:
        raise InputError(f"{where}: is {other}")
    start = len(BOM) if head.startswith(BOM) else 0
    text = head[start:].lstrip()
    if text[:1] in (b"{", b"[") or Path(raw.path.name.lower()).suffix in (".json", ".jsonl", ".ndjson"):
        return JsonFile(raw, start + len(head[start:]) - len(text), text[:1] == b"[")
    return CsvFile(raw, start)
