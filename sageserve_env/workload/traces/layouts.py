"""Layouts of trace files: which columns hold what, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, get_close_matches

from sageserve_env.errors import InputError
from sageserve_env.workload.traces.files.table import clipped
from sageserve_env.world.presets.regions import REGIONS

ORDER = "region_order"
"""Optional label: regions in order of preference, such as ``westus|centralus|eastus``."""

LABELS = ("model", "region", "tier")


def _first(cells: tuple[str, ...]) -> str:
    return cells[0]


@dataclass(frozen=True)
class Label:
    """Where a label comes from.

    Attributes:
        columns: Columns of the file.
        translate: From their cells, stripped of white space, to the name; called once for each different row of cells.
    """

    columns: tuple[str, ...]
    translate: Callable[[tuple[str, ...]], str] = _first


@dataclass(frozen=True)
class Layout:
    """Column names of a kind of trace.

    Attributes:
        name: Shown in reports.
        time: Column of arrival times.
        prompt: Column of prompt tokens.
        output: Column of output tokens.
        unit: Of numbers in ``time``: s, ms, us or ns.
        names_unit: The column's name says the unit, so that no number in it can be of another.
        calendar: ``time`` holds dates and times; bare numbers in a text file are refused.
        labels: Model, region, tier and perhaps ``ORDER``, where the file has them.
        marks: Further columns that tell the layout from others.
    """

    name: str
    time: str
    prompt: str
    output: str
    unit: str = "s"
    names_unit: bool = False
    calendar: bool = False
    labels: Mapping[str, Label] = field(default_factory=dict)
    marks: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """All columns that are read, each once."""
        labels = [name for label in self.labels.values() for name in label.columns]
        return list(dict.fromkeys([self.time, self.prompt, self.output, *labels]))


_AUTHORS_MODELS = {"llama2-70b": "llama-2-70b", "llama3.1-8b": "llama-3.1-8b", "llama3.2-3b": "llama-3.2-3b"}

_DAY_S = 86_400


def _authors_model(cells: tuple[str, ...]) -> str:
    return _AUTHORS_MODELS.get(cells[0], cells[0])


def _authors_tier(cells: tuple[str, ...]) -> str:
    """Interactive within 10 s, within an hour, or within a day; what is ``dev`` waits for a day, whatever its level says."""
    kind, level = cells
    seconds = float(level) if re.fullmatch(r"-?\d+(\.\d*)?", level) else -1.0
    if kind == "dev" or seconds >= _DAY_S:
        return "NIW"
    return kind if kind != "prod" else "IW-F" if seconds <= 60 else "IW-N"


def _authors_order(cells: tuple[str, ...]) -> str:
    """Regions by their digits in order of preference; a leading 0 is lost where the file was written as a number."""
    digits = cells[0].zfill(len(REGIONS))
    known = [REGIONS[int(digit)] for digit in digits if digit.isdecimal() and int(digit) < len(REGIONS)]
    return "|".join(known) if len(known) == len(digits) else cells[0]


def _authors_region(cells: tuple[str, ...]) -> str:
    return _authors_order(cells).partition("|")[0]


LAYOUTS = (
    Layout(
        "sageserve-env",
        "arrival_s",
        "prompt_tokens",
        "output_tokens",
        labels={name: Label((name,)) for name in LABELS},
    ),
    Layout("unlabelled", "t_s", "prompt_tokens", "output_tokens"),
    Layout("Azure", "TIMESTAMP", "ContextTokens", "GeneratedTokens", calendar=True),
    Layout("BurstGPT", "Timestamp", "Request tokens", "Response tokens"),
    Layout("Vidur", "arrived_at", "num_prefill_tokens", "num_decode_tokens"),
    Layout(
        "SageServe",
        "arrival_timestamp",
        "prompt_size",
        "token_size",
        labels={
            "model": Label(("model_type",), _authors_model),
            "region": Label(("regions",), _authors_region),
            "tier": Label(("workload_type", "sla"), _authors_tier),
            ORDER: Label(("regions",), _authors_order),
        },
    ),
    Layout("splitwise-sim", "arrival_timestamp", "prompt_size", "token_size"),
    Layout("LLMServingSim", "arrival_time_ns", "input_toks", "output_toks", unit="ns", names_unit=True),
    Layout("Qwen-Bailian", "timestamp", "input_length", "output_length", marks=("chat_id",)),
    Layout("Qwen-Bailian", "timestamp", "input_length", "output_length", marks=("parent_chat_id",)),
    Layout("Mooncake", "timestamp", "input_length", "output_length", unit="ms"),
    Layout("AIBrix", "timestamp", "prompt_length", "output_length", unit="ms"),
    Layout("ServeGen", "timestamp", "input_tokens", "output_tokens"),
)
"""Known layouts, the first that fits is taken: ours, the package's copies of public traces, and others' files as they come."""

TARGETS = ("t_s", "prompt_tokens", "output_tokens", *LABELS, ORDER)
"""What a mapping of columns may give."""


def find_layout(columns: list[str], where: str, labelled: bool) -> Layout:
    """The layout of a file, by its columns.

    Args:
        columns: Columns of the file.
        where: The file, for messages.
        labelled: Whether model, region and tier are read from the file where its layout has them.

    Raises:
        InputError: No layout fits, or a column is missing.
    """
    there = set(columns)
    for layout in LAYOUTS:
        chosen = _without_labels(layout) if not labelled or (there.isdisjoint(LABELS) and layout is LAYOUTS[0]) else layout
        if there.issuperset([*chosen.columns, *layout.marks]):
            return _with_order(chosen, there)
    near = max(LAYOUTS, key=lambda layout: _likeness(layout, columns))
    missing = [name for name in near.columns if name not in there]
    if near.time in there:
        hint = "; or give a mapping for model, region and tier" if set(missing) <= set(LABELS) else ""
        needs = f"a trace with {near.time!r} needs {', '.join(near.columns)}"
        raise InputError(f"{where}: column {missing[0]!r} is missing (there are {clipped(', '.join(columns), 50)}); {needs}{hint}")
    raise InputError(
        f"{where}: columns {clipped(', '.join(columns), 50)} are not a trace's; the nearest is {near.name} "
        f"({','.join(near.columns)}): map them: --columns t_s=...,prompt_tokens=...,output_tokens=..."
    )


def map_layout(mapping: Mapping[str, str], columns: list[str], where: str, labelled: bool) -> Layout:
    """A layout by a mapping from ``TARGETS`` to columns of the file; what it leaves out has its own name.

    Raises:
        InputError: A target or a column does not exist, or labels are mapped in part.
    """
    if not isinstance(mapping, Mapping):
        raise InputError(f"columns = {clipped(repr(mapping), 60)} is no mapping; give e.g. {{'t_s': 'arrived_at'}}")
    for target, column in mapping.items():
        if target not in TARGETS:
            near = get_close_matches(str(target), TARGETS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"columns: {clipped(repr(target), 60)} cannot be mapped; {hint}give {', '.join(TARGETS)}")
        if column not in columns:
            near = get_close_matches(str(column), columns, n=1)
            hint = f"did you mean {clipped(repr(near[0]), 40)}? " if near else ""
            raise InputError(
                f"{where}: column {clipped(repr(column), 60)} is missing; {hint}there are {clipped(', '.join(columns), 90)}"
            )
    names = {target: mapping.get(target, target) for target in TARGETS}
    absent = [target for target in TARGETS[:3] if names[target] not in columns]
    if absent:
        there = clipped(", ".join(columns), 90)
        raise InputError(f"{where}: columns map nothing to {absent[0]}, and no column has that name; there are {there}")
    found = [name for name in (*LABELS, ORDER) if names[name] in columns]
    labels = {name: Label((names[name],)) for name in found} if labelled and set(LABELS) <= set(found) else {}
    if labelled and not labels and not set(mapping).isdisjoint((*LABELS, ORDER)):
        raise InputError(
            f"columns map {', '.join(set(mapping).intersection((*LABELS, ORDER)))} only; map model, region and tier, or none"
        )
    return Layout("mapped", names["t_s"], names["prompt_tokens"], names["output_tokens"], labels=labels)


def _without_labels(layout: Layout) -> Layout:
    return replace(layout, labels={})


def _with_order(layout: Layout, there: set[str]) -> Layout:
    """Read the order of regions where the file has it."""
    if not layout.labels or ORDER in layout.labels or ORDER not in there:
        return layout
    return replace(layout, labels={**layout.labels, ORDER: Label((ORDER,))})


def _likeness(layout: Layout, columns: list[str]) -> float:
    """How near columns are to a layout's: the time column counts as much as the others together."""

    def best(name: str) -> float:
        ratios = [SequenceMatcher(None, name.lower(), column[:60].lower()).ratio() for column in columns[:100]]
        return max((ratio for ratio in ratios if ratio > 0.6), default=0.0)

    others = [best(name) for name in layout.columns if name != layout.time]
    return 2.0 * (layout.time in columns) + best(layout.time) + sum(others) / len(others)
