"""Layouts of trace files, and how a block of one becomes checked columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.workload.sizes import MAX_TOKENS
from sageserve_env.workload.traces.files import BadRow
from sageserve_env.world.schema import TIERS


@dataclass(frozen=True)
class Layout:
    """Column names of a kind of trace.

    Attributes:
        time: Column of arrival times.
        prompt: Column of prompt tokens.
        output: Column of output tokens.
        unit_s: Seconds in a unit of ``time``.
        calendar: ``time`` holds dates and times; arrivals count from the first.
        labels: Columns of model, region and tier, where the layout has them.
    """

    time: str
    prompt: str
    output: str
    unit_s: float = 1.0
    calendar: bool = False
    labels: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """All columns that must be there."""
        return [self.time, self.prompt, self.output, *self.labels]


LAYOUTS = {
    "sageserve": Layout("arrival_s", "prompt_tokens", "output_tokens", labels=("model", "region", "tier")),
    "relative": Layout("t_s", "prompt_tokens", "output_tokens"),
    "azure": Layout("TIMESTAMP", "ContextTokens", "GeneratedTokens", calendar=True),
    "mooncake": Layout("timestamp", "input_length", "output_length", unit_s=1e-3),
}
"""Known layouts: ours, the package's copies of public traces, and the upstream files of Azure (2023, 2024) and Mooncake."""

ORDER = "region_order"
"""Optional column of labelled traces: regions in order of preference, such as ``westus|centralus|eastus``."""


def find_layout(columns: list[str], where: str, labelled: bool) -> Layout:
    """The layout of a file, by its time column.

    Args:
        columns: Columns of the file.
        where: The file, for messages.
        labelled: Whether model, region and tier are read from the file where its layout has them.

    Raises:
        InputError: No layout fits, or a column is missing.
    """
    for layout in LAYOUTS.values():
        if layout.time in columns:
            if not labelled:
                layout = Layout(layout.time, layout.prompt, layout.output, layout.unit_s, layout.calendar)
            missing = [name for name in layout.columns if name not in columns]
            if missing:
                hint = "; or give a mapping for model, region and tier" if set(missing) <= set(layout.labels) else ""
                needs = f"a trace with {layout.time!r} needs {', '.join(layout.columns)}"
                raise InputError(f"{where}: column {missing[0]!r} is missing; {needs}{hint}")
            return layout
    kinds = " or ".join(",".join(layout.columns) for layout in LAYOUTS.values())
    raise InputError(f"{where}: columns {', '.join(columns)[:200]} are not a trace's; give {kinds}")


EPOCH_NS = 1_672_531_200_000_000_000
"""2023-01-01 in nanoseconds from 1970: nearer than 1970, so that float64 seconds resolve tens of nanoseconds."""


@dataclass(frozen=True)
class Labels:
    """A column of names as codes."""

    codes: NDArray[np.int64]  # (n,)
    names: list[str]


@dataclass(frozen=True)
class Block:
    """Checked columns of a block, n rows."""

    arrival_s: NDArray[np.float64]
    prompt: NDArray[np.int32]
    output: NDArray[np.int32]
    labels: dict[str, Labels]

    @property
    def size(self) -> int:
        """Number of rows."""
        return int(self.arrival_s.size)


def convert(table: pa.Table, layout: Layout) -> Block:
    """Columns of a block as numbers and codes; times not yet counted from the first.

    Raises:
        BadRow: A value cannot be used.
    """
    time = _calendar(table, layout.time) if layout.calendar else _numbers(table, layout.time) * layout.unit_s
    _first_bad(table, layout.time, ~np.isfinite(time), "is not a finite time; give seconds from the start")
    if not layout.calendar:
        _first_bad(table, layout.time, time < 0, "is negative; times count from 0")
    prompt, output = (_tokens(table, name) for name in (layout.prompt, layout.output))
    names = [*layout.labels, *([ORDER] if layout.labels and ORDER in table.column_names else [])]
    return Block(time, prompt, output, {name: _labels(table, name) for name in names})


def _value(table: pa.Table, name: str, row: int) -> str:
    value = table[name][row].as_py()
    return "nothing" if value is None else repr(value) if isinstance(value, str) else str(value)


def _first_bad(table: pa.Table, name: str, bad: NDArray[np.bool_], problem: str) -> None:
    """Raise BadRow for the first row that is bad."""
    if bad.any():
        row = int(np.argmax(bad))
        raise BadRow(row, f"{name} = {_value(table, name, row)} {problem}")


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A column as float64, whether text or numbers."""
    column = table[name]
    _first_bad(table, name, column.is_null().to_numpy(), "is there; give a number")
    try:
        # Whole numbers beyond 2**53 lose digits unseen: no time and no token count is that large and right.
        return column.cast(pa.float64(), safe=pa.types.is_string(column.type)).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for row, value in enumerate(column.to_pylist()):
            try:
                float(value)
            except (TypeError, ValueError):
                raise BadRow(row, f"{name} = {_value(table, name, row)} is not a number; give a number") from None
        raise BadRow(0, f"{name} = {_value(table, name, 0)} is of type {column.type}; give numbers") from None


def _calendar(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A column of dates and times as float64 seconds from ``EPOCH_NS``."""
    column = table[name]
    _first_bad(table, name, column.is_null().to_numpy(), "is there; give a date and time")
    if pa.types.is_timestamp(column.type):
        return (column.cast(pa.timestamp("ns")).to_numpy().astype(np.int64) - EPOCH_NS) / 1e9
    text = pc.replace_substring_regex(column.cast(pa.string()), r"(Z|\+00:?00)$", "")
    try:
        return (np.array(text.to_pylist(), dtype="datetime64[ns]").astype(np.int64) - EPOCH_NS) / 1e9
    except ValueError:
        for row, value in enumerate(text.to_pylist()):
            try:
                np.datetime64(value, "ns")
            except ValueError:
                problem = f"{name} = {_value(table, name, row)} is not a date and time; give one like 2023-11-16 18:15:46.68"
                raise BadRow(row, problem) from None
        raise


def _tokens(table: pa.Table, name: str) -> NDArray[np.int32]:
    """A column of token counts."""
    values = _numbers(table, name)
    with np.errstate(invalid="ignore"):
        _first_bad(table, name, ~(values == np.floor(values)) | ~np.isfinite(values), "is not a whole number; give tokens >= 1")
        _first_bad(table, name, values < 1, "is less than 1; give tokens >= 1, or leave the request out")
        _first_bad(table, name, values > MAX_TOKENS, f"is more than {MAX_TOKENS}; check its unit")
    return values.astype(np.int32)


def _labels(table: pa.Table, name: str) -> Labels:
    """A column of names."""
    column = table[name]
    if name != ORDER:
        _first_bad(table, name, column.is_null().to_numpy(), f"is there; give a {name}")
    encoded = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    encoded = encoded.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    names = [str(text) for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False).astype(np.int64)
    names.append("")  # what an empty cell is read as
    if name == "tier":
        bad = np.isin(codes, [k for k, tier in enumerate(names) if tier not in TIERS])
        _first_bad(table, name, bad, f"does not exist; the tiers are {', '.join(TIERS)}")
    return Labels(codes, names)
