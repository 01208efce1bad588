"""Fitted iteration models as files: a CSV with one row for each deployment, and YAML to paste into a world file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, astuple, fields
from pathlib import Path

import yaml

from sageserve_env.files.csv_rows import Row, read_rows
from sageserve_env.world.silicon.fit import Fit
from sageserve_env.world.silicon.runs import LABELS, Deployment

SHIPPED_FITS = Path(__file__).parents[1] / "data" / "silicon_fits.csv"
"""Fits of ``SHIPPED_RUNS``; ``sageserve world fit --table`` writes it anew, byte for byte."""

PIECE = """\
# Iteration models from measurements. Put one under a model of a world file, with the name of the VM type that it was measured on:
# models: [{name: mine, weights_bytes: ..., kv_bytes_per_token: ..., profiles: {h100-x4: {base_s: ...}}}]
"""

NUMBERS = tuple(field.name for field in fields(Fit)[1:-2])
COUNTS = ("rows", "held_out_rows")
RANGES = tuple(f"{end}_{axis}" for end in ("least", "most") for axis in ("prompt_tokens", "output_tokens", "users"))
COLUMNS = (*LABELS, *NUMBERS, *RANGES)


def dump_fits(fits: Iterable[Fit]) -> str:
    """The file's text."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for fit in fits:
        numbers = [f"{getattr(fit, name):.6g}" for name in NUMBERS]
        writer.writerow([*astuple(fit.deployment), *numbers, *fit.least, *fit.most])
    return file.getvalue()


def read_fits(path: Path = SHIPPED_FITS) -> list[Fit]:
    """Fits from a file that ``dump_fits`` made.

    Raises:
        InputError: The file cannot be read, or a value is none that it can hold.

    Example:
        >>> fits = {fit.deployment.label: fit for fit in read_fits()}
        >>> round(1000 * fits["Llama-3.1-70B h100_sxm vllm fp8 TP4 MoE TP4"].base_s)
        11
    """
    return [_fit(row) for row in read_rows(path, COLUMNS)]


def dump_profiles(fits: Iterable[Fit]) -> str:
    """The iteration models as YAML, each an entry of ``Model.profiles`` once it bears the name of a VM type."""
    profiles = {fit.deployment.label: asdict(fit.profile) for fit in fits}
    return PIECE + yaml.safe_dump({"profiles": profiles}, sort_keys=False, width=120)


def _fit(row: Row) -> Fit:
    deployment = Deployment(**{label: row.fields[label] for label in LABELS})
    numbers = {name: row.number(name, lambda value: 0 <= value < 1e9, "a number, 0 or more") for name in NUMBERS}
    counts = {name: int(numbers.pop(name)) for name in COUNTS}
    ends = tuple(int(row.number(name, lambda value: 1 <= value < 1e9, "a whole number, 1 or more")) for name in RANGES)
    return Fit(deployment, **numbers, **counts, least=ends[:3], most=ends[3:])  # type: ignore[arg-type]
