"""Parquet files, by pyarrow (extra ``data``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.extras import need_arrow
from sageserve_env.workload.traces.files import table
from sageserve_env.workload.traces.files.table import Column, Names, Position, Table, clipped, shown


class ParquetFile:
    """A Parquet file, one row group after the other in batches.

    Raises:
        InputError: It is damaged.
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._arrow, parquet = need_arrow(f"{shown(path)} (Parquet)")
        self._where = shown(path)
        self.start: Position = (0, 0)
        self._problems = (self._arrow.ArrowException, OSError)
        try:
            schema = parquet.read_schema(path)
            text = [field.name for field in schema if self._is_text(field.type)]
            self._file = parquet.ParquetFile(path, read_dictionary=text)
        except self._problems as error:
            problem = f"is not a whole Parquet file ({clipped(str(error), 80)})"
            raise InputError(f"{self._where}: {problem}; write or fetch it again") from error
        self.columns: list[str] = self._file.schema_arrow.names
        self._next: tuple[Position, tuple[str, ...]] | None = None
        self._batches: Iterator[Any] = iter(())

    def read(self, position: Position, wanted: list[str]) -> tuple[Table, Position] | None:
        """See :class:`BlockFile`."""
        try:
            while position[0] < self._file.num_row_groups:
                if (position, tuple(wanted)) != self._next:
                    self._seek(position, wanted)
                batch = next(self._batches, None)
                if batch is not None:
                    after = (position[0], position[1] + 1)
                    self._next = (after, tuple(wanted))
                    return Table(batch.num_rows, {name: self._column(batch.column(name)) for name in wanted}), after
                position = (position[0] + 1, 0)
        except self._problems as error:
            where = f"{self._where} row group {position[0]}"
            raise InputError(f"{where}: cannot be read ({clipped(str(error), 80)}); write or fetch it again") from error
        return None

    def _seek(self, position: Position, wanted: list[str]) -> None:
        """Make the batches go on from a position; batches before it in its row group are read again."""
        self._batches = self._file.iter_batches(table.BLOCK_ROWS, row_groups=[position[0]], columns=wanted, use_threads=False)
        for _ in range(position[1]):
            next(self._batches, None)

    def _is_text(self, kind: Any) -> bool:
        types = self._arrow.types
        return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind))

    def _column(self, array: Any) -> Column:
        """A column as NumPy or Python has it."""
        types, kind = self._arrow.types, array.type
        if types.is_dictionary(kind) and self._is_text(kind.value_type):
            names = [str(name).strip() for name in array.dictionary.to_pylist()]
            codes = array.indices.cast(self._arrow.int64()).fill_null(len(names)).to_numpy(zero_copy_only=False)
            return Names(codes, [*names, ""])
        if types.is_timestamp(kind) or types.is_date(kind):
            dates: np.ndarray[Any, Any] = array.to_numpy(zero_copy_only=False)
            return dates
        if array.null_count == 0 and (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)):
            # Whole numbers beyond 2**53 lose digits unseen: no time and no token count is that large and right.
            numbers: np.ndarray[Any, Any] = array.cast(self._arrow.float64(), safe=False).to_numpy(zero_copy_only=False)
            return numbers
        values: list[Any] = array.to_pylist()
        return values
