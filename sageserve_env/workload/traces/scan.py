"""One pass over a trace: every row checked, every name noted; and the names looked up in a world."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.workload.checks import index_of
from sageserve_env.workload.request import preference_orders
from sageserve_env.workload.traces.blocks import Block, Blocks, every_block
from sageserve_env.workload.traces.files.table import clipped
from sageserve_env.workload.traces.layouts import ORDER, Layout
from sageserve_env.workload.traces.times import MAX_SPAN_S, SINCE_START, Clock
from sageserve_env.world.schema import World

MAX_NAMES = 10_000
"""More different names than this in a column are taken for an error."""

Lookups = dict[str, dict[tuple[str, ...], int]]
"""World indices by column and name: of models, of regions, and preferences of (region, order)."""


@dataclass
class Scan:
    """What one pass over a trace finds.

    Attributes:
        clock: How times are read.
        rows: Number of requests.
        skipped: Rows that were left out.
        clamped: Rows whose tokens were moved into their range.
        origin_s: Time of the first row where times are dates or stamps, in seconds from ``times.EPOCH_S``; else 0.
        last_s: Arrival of the last request.
        first_row: For each label, the first row (from 1) of each name; orders are paired with their region.
    """

    clock: Clock
    rows: int = 0
    skipped: int = 0
    clamped: int = 0
    origin_s: float = 0.0
    last_s: float = 0.0
    first_row: dict[str, dict[tuple[str, ...], int]] = field(default_factory=dict)


def scan_blocks(blocks: Blocks, where: str, layout: Layout) -> Scan:
    """Check the order of arrivals and note names.

    Args:
        blocks: The trace.
        where: The file, for messages.
        layout: Of the file.

    Raises:
        InputError: A row cannot be used, times go back or too far, there is no row, or names are too many.
    """
    scan = Scan(blocks.clock)
    for block, row in every_block(blocks):
        scan.skipped += block.rows - block.size
        scan.clamped += block.clamped
        if block.size == 0:
            continue
        if scan.rows == 0 and scan.clock.kind != SINCE_START:
            scan.origin_s = float(block.arrival_s[0])
        _check_times(scan, block, row, where, layout)
        scan.rows += block.size
        _note_names(scan, block, row, where)
    if scan.rows == 0:
        left = f" but {scan.skipped} that were left out" if scan.skipped else ""
        raise InputError(f"{where}: has no requests{left}; give at least one row")
    return scan


def _check_times(scan: Scan, block: Block, row: int, where: str, layout: Layout) -> None:
    """Times go on from the last, within the span that a trace may have."""
    times = np.concatenate([[scan.last_s], block.arrival_s - scan.origin_s])
    back, far = np.diff(times) < 0, times[1:] >= MAX_SPAN_S
    if back.any() or far.any():
        k = int(np.argmax(back | far))
        what = f"{where} row {row + block.file_row(k) + 1}: {layout.time} is {times[k + 1]:.9g} s"
        if far[k]:
            raise InputError(
                f"{what} after the start, and a trace spans {MAX_SPAN_S:.0e} s at most; check it, and the unit (--time-unit)"
            )
        raise InputError(f"{what}, earlier than the {times[k]:.9g} s before it; sort the trace by time, or give --sort")
    scan.last_s = float(times[-1])


def _note_names(scan: Scan, block: Block, row: int, where: str) -> None:
    """Remember where each name of a block first stands."""
    columns: dict[str, tuple[str, ...]] = {name: (name,) for name in ("model", "region") if name in block.labels}
    if ORDER in block.labels:
        columns[ORDER] = ("region", ORDER)
    for column, parts in columns.items():
        labels = [block.labels[part] for part in parts]
        code = np.zeros(block.size, np.int64)
        for label in labels:
            code = code * len(label.names) + label.codes
        seen = scan.first_row.setdefault(column, {})
        for first in np.unique(code, return_index=True)[1]:
            names = tuple(label.names[label.codes[first]] for label in labels)
            seen.setdefault(names, row + block.file_row(int(first)) + 1)
        if len(seen) > MAX_NAMES:
            raise InputError(f"{where}: {column} has more than {MAX_NAMES} different values; check that it holds {column}s")


def look_up(scan: Scan, world: World, where: str) -> Lookups:
    """Find all names of a trace in a world.

    Raises:
        InputError: A name is not there; the message gives the first row that has it.
    """
    regions = [region.name for region in world.regions]
    known = {"model": [model.name for model in world.models], "region": regions}
    result: Lookups = {}
    for column, rows in scan.first_row.items():
        result[column] = {}
        for names, row in rows.items():
            if column == ORDER:
                result[column][names] = _preference(names[0], names[1], regions, f"{where} row {row}")
            else:
                result[column][names] = index_of(column, names[0], known[column], f"{where} row {row}")
    return result


def _preference(region: str, order: str, regions: list[str], where: str) -> int:
    """Row of ``preference_orders`` for an order such as ``a|b|c``; -1 for an empty one."""
    if not order:
        return -1
    names, said = order.split("|"), clipped(repr(order), 60)
    if names[0] != region:
        raise InputError(f"{where}: {ORDER} = {said} does not begin with the request's region {region!r}; put it first")
    for name in names:
        index_of("region", name, regions, where)
    choices = preference_orders(len(regions))[regions.index(region)].tolist()
    wanted = [regions.index(name) for name in names]
    if wanted not in choices:
        offered = " or ".join("|".join(regions[k] for k in choice) for choice in choices[:6])
        raise InputError(f"{where}: {ORDER} = {said} is not an order this world knows; give {clipped(offered, 100)}")
    return choices.index(wanted)
