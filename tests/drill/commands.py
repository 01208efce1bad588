"""Commands that write, and how to tell that what they wrote is whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SIZE = ("--hours", "0.1", "--scale", "0.2", "--quiet")


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        name: In the table.
        words: With ``OUT`` for what it writes.
        target: Name of that.
        check: Raises unless it is whole.
        before: Puts an earlier content there, which must not be lost unless it is replaced.
    """

    name: str
    words: tuple[str, ...]
    target: str
    check: Callable[[Path], None]
    before: Callable[[Path], None] | None = None


def is_picture(path: Path) -> None:
    """A PNG file from its first to its last chunk."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content.endswith(b"IEND\xaeB`\x82")


def is_result(folder: Path) -> None:
    """All files of a run can be read."""
    from sageserve_env.evaluation.runs.result import Result

    Result.load(folder)
    is_picture(folder / "day.png")


def is_forced(folder: Path) -> None:
    """What was there before is there, and the run is whole or has no seal."""
    assert (folder / "thesis.tex").read_text() == "years of work"
    if (folder / "scenario.json").exists():
        is_result(folder)


def is_comparison(folder: Path) -> None:
    """Table, figure and runs."""
    with (folder / "compare.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2
    is_picture(folder / "compare.png")
    for name in ("static", "reactive"):
        assert json.loads((folder / name / "scenario.json").read_text())["policy"] == name


def is_report(folder: Path) -> None:
    """Rows and both reports."""
    assert json.loads((folder / "results.json").read_text())
    assert (folder / "report.md").read_text().endswith("\n")
    assert (folder / "report.html").read_text().endswith("</html>\n")


def is_trace(path: Path) -> None:
    """A file that plays to its end."""
    from sageserve_env.workload import load_workload
    from sageserve_env.world import load_world

    stream = load_workload(path).stream(load_world("published"), 0)
    while stream.next_chunk().size:
        pass


def with_a_thesis(folder: Path) -> None:
    """Another's work in the folder."""
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")


COMMANDS = (
    Command("simulate", ("simulate", "o365-hour", *SIZE, "--out", "OUT"), "run", is_result),
    Command("simulate --force", ("simulate", "o365-hour", *SIZE, "--force", "--out", "OUT"), "mine", is_forced, with_a_thesis),
    Command("compare", ("compare", "o365-hour", *SIZE, "--policies", "static,reactive", "--out", "OUT"), "both", is_comparison),
    Command("reproduce", ("reproduce", "--rows", "solver", "--quick", "--quiet", "--out", "OUT"), "report", is_report),
    Command("workload describe", ("workload", "describe", "o365-hour", "--scale", "0.1", "--out", "OUT"), "rates.png", is_picture),
    Command("workload export, csv", ("workload", "export", "o365-hour", "OUT", "--scale", "0.2"), "hour.csv", is_trace),
    Command("workload export, parquet", ("workload", "export", "o365-hour", "OUT", "--scale", "0.5"), "hour.parquet", is_trace),
)
