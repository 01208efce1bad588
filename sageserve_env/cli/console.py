"""Where the command line writes: results to standard output, what goes on meanwhile to standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

PLAIN_WIDTH = 100
"""Columns where the output is no terminal."""


def output() -> Console:
    """Standard output."""
    return _console(stderr=False)


def messages() -> Console:
    """Standard error."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)  # names and paths are text
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def wrote(path: Path, more: str = "") -> None:
    """Say on standard output what was written."""
    from sageserve_env.errors import printable

    output().print(printable(f"written: {path}{more}"), soft_wrap=True)


def note(text: str, style: str | None = None) -> None:
    """Say something on standard error."""
    from sageserve_env.errors import printable

    messages().print(printable(text), style=style, soft_wrap=True)


@contextmanager
def status(text: str, quiet: bool = False) -> Iterator[None]:
    """Show that something goes on, while it does; on a terminal only."""
    console = messages()
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


class Moves(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int | None = None, told: str | None = None) -> None:
        """So many are done, of so many, and what else is to be told; None: as it was."""
        ...


@contextmanager
def progress(what: str, unit: str, total: int | None, quiet: bool) -> Iterator[Moves]:
    """A bar of things that are done one after the other, on a terminal only; gives what moves it.

    Args:
        what: Goes on.
        unit: What is counted, in the plural.
        total: How many there are; None: not known yet.
        quiet: Show nothing.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = messages()
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit + "{task.fields[told]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total, told="")

        def move(done: int, total: int | None = None, told: str | None = None) -> None:
            more: dict[str, Any] = {} if told is None else {"told": f", {told}"}
            bar.update(task, completed=done, total=total, **more)

        yield move


@contextmanager
def simulation_progress(horizon_s: float, quiet: bool) -> Iterator[Callable[[float, int], None] | None]:
    """A progress bar of simulated time with requests/s; gives the function to call, or None where nothing is shown."""
    console = messages()
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.fields[simulated]} of {task.fields[horizon]} simulated, {task.fields[rate]} requests/s,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=horizon_s, simulated="0:00", horizon=clock(horizon_s), rate="–")
        began_s: list[float] = []

        def show(now_s: float, arrived: int) -> None:
            if not began_s:  # the first call follows compilation
                began_s.append(time.perf_counter())
            elapsed_s = time.perf_counter() - began_s[0]
            rate = f"{arrived / elapsed_s:,.0f}" if elapsed_s > 0 else "–"
            bar.update(task, completed=now_s, simulated=clock(now_s), rate=rate)

        yield show


def clock(seconds: float) -> str:
    """Simulated time as days, hours and minutes.

    Example:
        >>> clock(90_000), clock(330)
        ('1 d 1:00', '0:05')
    """
    minutes = int(seconds // 60)
    time = f"{minutes // 60 % 24}:{minutes % 60:02d}"
    return f"{minutes // 1440} d {time}" if minutes >= 1440 else time
