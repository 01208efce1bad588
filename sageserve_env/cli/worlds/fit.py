"""``sageserve world fit`` and ``power``: parameters from measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from sageserve_env.world.silicon import Fit

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="Measurements, CSV: model, system, engine, prompt_tokens, output_tokens, concurrency, ttft_ms, tpot_ms. "
        "Left out: those that come with the package.",
    ),
]
PieceOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write profiles for a world file: .yaml.")]
TableOption = Annotated[Path | None, typer.Option("--table", metavar="FILE", help="Write parameters and errors: .csv.")]


def fit(file: FileArgument = None, out: PieceOption = None, table: TableOption = None) -> None:
    """Fit iteration models to measured time to first token and time per output token.

    A quarter of each deployment's settings is held out: no fit sees it. Errors are medians: of what the fit saw / of the rest.

    Example: sageserve world fit mine.csv --out profiles.yaml
    """
    from sageserve_env.cli.console import output, wrote
    from sageserve_env.files.writing import write_text
    from sageserve_env.world.silicon import SHIPPED_RUNS, dump_fits, dump_profiles, fit_groups, read_groups

    check_target("--out", out, (".yaml", ".yml"), file)
    check_target("--table", table, (".csv",), file)
    groups = read_groups(file or SHIPPED_RUNS)
    fits = fit_groups(groups)
    output().print(fit_table(fits, left_out=len(groups) - len(fits)))
    for path, dump in ((out, dump_profiles), (table, dump_fits)):
        if path is not None:
            write_text(path, dump(fits))
            wrote(path)


PowerFileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="Measurements, CSV: model, task, precision, gpu, gpus, tensor_parallel, expert_parallel, data_parallel, batch, "
        "power_w. Left out: those that come with the package.",
    ),
]


def power(file: PowerFileArgument = None, table: TableOption = None) -> None:
    """Fit the power of serving GPUs against the batch.

    Errors are medians: of the three quarters of the batch sizes that the fit saw / of the rest.

    Example: sageserve world power --table power.csv
    """
    from sageserve_env.cli.console import output, wrote
    from sageserve_env.files.writing import write_text
    from sageserve_env.tables import TextTable
    from sageserve_env.world.silicon.power import SHIPPED_POWER_RUNS, dump_power_fits, fit_power

    check_target("--table", table, (".csv",), file)
    fits = fit_power(file or SHIPPED_POWER_RUNS)
    made = TextTable("Power", ["measured"], ["batch", "watts", "half-way at", "error"])
    for one in fits:
        low_w, high_w = one.watts([one.least_batch, one.most_batch])
        made.add_row(
            one.label,
            f"{one.least_batch:,.0f} to {one.most_batch:,.0f}",
            f"{low_w:,.0f} to {high_w:,.0f}",
            f"{one.half_batch:,.0f}",
            f"{one.error:.1%} / {one.error_held_out:.1%}",
        )
    output().print(made)
    if table is not None:
        write_text(table, dump_power_fits(fits))
        wrote(table)


def check_target(option: str, path: Path | None, suffixes: tuple[str, ...], file: Path | None) -> None:
    """Refuse, before anything is fitted, a file that could not or should not be written.

    Raises:
        InputError: It is the file of measurements, its suffix is another, or its folder does not exist or cannot be written to.
    """
    from sageserve_env.errors import InputError
    from sageserve_env.files.writing import require_writable

    if path is None:
        return
    if path.suffix not in suffixes:
        raise InputError(f"{option} = '{path}' is no {suffixes[0]} file; give one")
    if file is not None and path.resolve() == file.resolve():
        raise InputError(f"{option} = '{path}' holds the measurements; choose another file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{option} = '{path}': folder {path.parent} does not exist; create it first")
    require_writable(path.absolute().parent)


def fit_table(fits: list[Fit], left_out: int) -> Table:
    """Runs and errors of each deployment."""
    from sageserve_env.tables import TextTable
    from sageserve_env.world.silicon.fit import LEAST_SETTINGS

    made = TextTable("Fitted iteration models", ["measured"], ["runs", "TPOT error", "TTFT error"])
    for one in fits:
        made.add_row(
            one.deployment.label,
            f"{one.rows} / {one.held_out_rows}",
            f"{one.tpot_error:.1%} / {one.tpot_error_held_out:.1%}",
            f"{one.ttft_error:.0%} / {one.ttft_error_held_out:.0%}",
        )
    if left_out:
        made.caption = f"left out: {left_out} deployments with fewer than {LEAST_SETTINGS} settings"
    return made
