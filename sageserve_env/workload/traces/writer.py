"""Writing any workload as a trace file that :class:`~sageserve_env.workload.traces.trace.Trace` reads back bit for bit."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.extras import need_arrow
from sageserve_env.files.writing import whole_file
from sageserve_env.workload.play import play
from sageserve_env.workload.request import Workload, preference_orders
from sageserve_env.world.schema import TIERS, World

COLUMNS = ("arrival_s", "model", "region", "tier", "prompt_tokens", "output_tokens", "region_order")
"""Columns of a written trace."""

Coded = tuple[NDArray[np.int64], list[str]]
"""A column of names: codes, and what they stand for."""

Batch = dict[str, "NDArray[Any] | Coded"]


def write_trace(workload: Workload, world: World, path: str | os.PathLike[str], seed: int = 0) -> int:
    """Play a workload into a file, chunk by chunk.

    Args:
        workload: What to play.
        world: Gives names to models and regions.
        path: A ``.csv``, ``.csv.gz`` or ``.parquet`` file; replaced once all is written.
        seed: Seed of the stream.

    Returns:
        Number of requests written.

    Raises:
        InputError: Another suffix, no such folder, or a workload that does not fit the world.
        MissingExtra: It is to be Parquet, and pyarrow is not installed.
    """
    target = Path(path)
    write = _writer(target)
    if not target.parent.is_dir():
        raise InputError(f"{target}: folder {target.parent} does not exist; create it first")
    batches = _batches(workload, world, seed)
    with whole_file(target) as part:
        rows = write(batches, part)
    return rows


def _writer(target: Path) -> Callable[[Iterator[Batch], Path], int]:
    """What writes a file of such a name."""
    kind = target.name.lower()
    if kind.endswith(".parquet"):
        need_arrow(f"{target} (Parquet)")
        return _write_parquet
    if kind.endswith(".csv.gz"):
        return lambda batches, part: _write_csv(batches, part, gzipped=True)
    if kind.endswith(".csv"):
        return lambda batches, part: _write_csv(batches, part, gzipped=False)
    raise InputError(f"{target}: suffix {target.suffix!r} is not one that is written; use .csv, .csv.gz or .parquet")


def _write_csv(batches: Iterator[Batch], part: Path, gzipped: bool) -> int:
    """Write CSV and count the rows; names are quoted where they need it."""
    rows = 0
    with _text_file(part, gzipped) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for batch in batches:
            writer.writerows(zip(*(_plain(batch[name]) for name in COLUMNS), strict=True))
            rows += len(batch["arrival_s"])
    return rows


@contextmanager
def _text_file(part: Path, gzipped: bool) -> Iterator[IO[str]]:
    """A text file to write; gzip without a date, so that the same requests give the same bytes."""
    with part.open("wb") as raw:
        binary: Any = gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) if gzipped else raw
        with io.TextIOWrapper(binary, encoding="utf-8", newline="") as file:
            yield file


def _plain(column: NDArray[Any] | Coded) -> list[Any]:
    """Values of a column as Python has them."""
    if isinstance(column, tuple):
        codes, names = column
        return [names[code] for code in codes.tolist()]
    values: list[Any] = column.tolist()
    return values


def _write_parquet(batches: Iterator[Batch], part: Path) -> int:
    """Write Parquet and count the rows; names are dictionaries."""
    arrow, parquet = need_arrow("Parquet")
    names = arrow.dictionary(arrow.int32(), arrow.string())
    kinds = {"arrival_s": arrow.float64(), "prompt_tokens": arrow.int32(), "output_tokens": arrow.int32()}
    schema = arrow.schema({name: kinds.get(name, names) for name in COLUMNS})

    def array(column: NDArray[Any] | Coded) -> Any:
        if isinstance(column, tuple):
            return arrow.DictionaryArray.from_arrays(arrow.array(column[0].astype(np.int32)), arrow.array(column[1]))
        return arrow.array(column)

    rows = 0
    with parquet.ParquetWriter(part, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(arrow.table([array(batch[name]) for name in COLUMNS], schema=schema))
            rows += len(batch["arrival_s"])
    return rows


def _batches(workload: Workload, world: World, seed: int) -> Iterator[Batch]:
    """Chunks of a workload as columns."""
    regions = [region.name for region in world.regions]
    models = [model.name for model in world.models]
    orders = preference_orders(len(regions))
    texts = ["|".join(regions[k] for k in row) for row in orders.reshape(-1, len(regions))]
    stream = play(workload, world, seed)
    while (chunk := stream.next_chunk()).size:
        origin = chunk["origin"].astype(np.int64)
        yield {
            "arrival_s": chunk["arrival_s"],
            "model": (chunk["model"].astype(np.int64), models),
            "region": (origin, regions),
            "tier": (chunk["tier"].astype(np.int64), list(TIERS)),
            "prompt_tokens": chunk["prompt_tokens"],
            "output_tokens": chunk["output_tokens"],
            "region_order": (origin * orders.shape[1] + chunk["preference"], texts),
        }
