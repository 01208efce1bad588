"""``sageserve doctor`` and ``sageserve version``: what is installed, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

PACKAGES = ("gymnasium", "numpy", "numba", "llvmlite", "rich", "typer")
EXTRAS = {
    "plots": ("matplotlib",),
    "data": ("pandas", "pyarrow"),
    "solver": ("highspy", "pulp"),
    "tune": ("cma", "scipy"),
    "agents": ("stable-baselines3", "sb3-contrib", "torch"),
}
ROOMS = ("sim", "env")
"""Parts of the package whose kernels take long to compile."""

MEGA = 1e6


def version() -> None:
    """Print the version."""
    import sageserve_env

    typer.echo(sageserve_env.__version__)


def doctor() -> None:
    """Show versions, cache and extras, and check in about ten seconds that the simulator works here.

    The first run compiles the simulator: a few minutes more. Status 1 if a check fails.
    """
    from rich.text import Text

    from sageserve_env.cli.console import output, status
    from sageserve_env.evaluation.self_check import checks
    from sageserve_env.tables import TextTable

    console = output()
    console.print(version_table(), cache_table(), sep="\n")
    made, failed = TextTable("Self-check", ["check", "", "found"], ["s"]), False
    with status("Checking…"):
        for outcome in checks():
            failed |= not outcome.passed
            verdict = Text("ok", "green") if outcome.passed else Text("FAILED", "red")
            made.add_row(outcome.name, verdict, outcome.found, f"{outcome.wall_s:.1f}")
    console.print(made)
    if failed:
        raise typer.Exit(1)


def version_table() -> Table:
    """Versions of Python, this package and what it stands on; extras that are absent say how to get them."""
    import platform

    from rich.text import Text

    import sageserve_env
    from sageserve_env.tables import TextTable

    made = TextTable("Versions", ["package", "version"], [])
    made.add_row("sageserve-env", sageserve_env.__version__)
    made.add_row("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in PACKAGES:
        made.add_row(package, installed(package) or Text("missing", "red"))
    for extra, packages in EXTRAS.items():
        for package in packages:
            made.add_row(package, installed(package) or f"not installed; pip install 'sageserve-env[{extra}]'")
    return made


def installed(package: str) -> str | None:
    """A package's version, None where it is absent."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of(package)
    except PackageNotFoundError:
        return None


def cache_table() -> Table:
    """Where compiled kernels lie, and whether they are there."""
    from sageserve_env.compile import cache_folder
    from sageserve_env.tables import TextTable

    made = TextTable("Compiled kernels", ["part", "state", "folder"], ["MB"])
    for room in ROOMS:
        folder = cache_folder(room)
        if folder is None:
            made.add_row(room, "compiled in every process", "none: there is no home folder", "0.0")
            continue
        size = sum(file.stat().st_size for file in folder.rglob("*.nb*"))
        made.add_row(room, "cached" if any(folder.rglob("*.nbc")) else "compiled on first use", str(folder), f"{size / MEGA:.1f}")
    return made
