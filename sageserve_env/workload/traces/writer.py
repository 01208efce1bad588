"""Writing any workload as a trace file that :class:`~sageserve_env.workload.traces.trace.Trace` reads back bit for bit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from sageserve_env.errors import InputError
from sageserve_env.workload.request import Chunk, Workload, preference_orders
from sageserve_env.world.schema import TIERS, World

_NAMES = pa.dictionary(pa.int32(), pa.string())


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
    """
    target = Path(path)
    kind = target.name.lower()
    if not kind.endswith((".csv", ".csv.gz", ".parquet")):
        raise InputError(f"{target}: suffix {target.suffix!r} is not one that is written; use .csv, .csv.gz or .parquet")
    if not target.parent.is_dir():
        raise InputError(f"{target}: folder {target.parent} does not exist; create it first")
    tables = _tables(workload, world, seed)
    part = target.with_name(target.name + ".part")
    rows = 0
    try:
        rows = _write(tables, part, kind)
        part.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error}); check space and permissions") from error
    finally:
        part.unlink(missing_ok=True)
    return rows


def _write(tables: Iterator[pa.Table], part: Path, kind: str) -> int:
    """Write the tables to a file and count their rows."""
    rows = 0
    codec = "gzip" if kind.endswith(".gz") else None
    with pa.output_stream(part, compression=codec) as sink:
        writer: parquet.ParquetWriter | arrow_csv.CSVWriter
        if kind.endswith(".parquet"):
            writer = parquet.ParquetWriter(sink, _schema(_NAMES), compression="zstd")
        else:
            # Names need no quotes, and the CSV writer takes no dictionaries.
            writer = arrow_csv.CSVWriter(sink, _schema(pa.string()), write_options=arrow_csv.WriteOptions(quoting_style="none"))
        with writer:
            for table in tables:
                writer.write_table(table.cast(writer.schema) if kind.endswith(".parquet") else table.cast(_schema(pa.string())))
                rows += table.num_rows
    return rows


def _schema(names: pa.DataType) -> pa.Schema:
    """Columns of a trace file, names as text or as dictionaries."""
    types = {"arrival_s": pa.float64(), "model": names, "region": names, "tier": names}
    return pa.schema({**types, "prompt_tokens": pa.int32(), "output_tokens": pa.int32(), "region_order": names})


def _tables(workload: Workload, world: World, seed: int) -> Iterator[pa.Table]:
    """Chunks of a workload as tables."""
    regions = [region.name for region in world.regions]
    models = [model.name for model in world.models]
    orders = preference_orders(len(regions))
    texts = ["|".join(regions[k] for k in row) for row in orders.reshape(-1, len(regions))]
    stream = workload.stream(world, seed)
    while (chunk := stream.next_chunk()).size:
        order = chunk["origin"].astype(np.int64) * orders.shape[1] + chunk["preference"]
        yield pa.table(
            [
                pa.array(chunk["arrival_s"]),
                _dictionary(chunk, "model", models),
                _dictionary(chunk, "origin", regions),
                _dictionary(chunk, "tier", list(TIERS)),
                pa.array(chunk["prompt_tokens"]),
                pa.array(chunk["output_tokens"]),
                pa.DictionaryArray.from_arrays(pa.array(order.astype(np.int32)), pa.array(texts)),
            ],
            schema=_schema(_NAMES),
        )


def _dictionary(chunk: Chunk, field: str, names: list[str]) -> pa.DictionaryArray:
    """Codes of a field with their names."""
    return pa.DictionaryArray.from_arrays(pa.array(chunk[field].astype(np.int32)), pa.array(names))
