"""The pages of a board, written as a folder that opens from the disk and asks the network for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.play.measured import TTFT_P95
from sageserve_env.evaluation.locked.protocol import LIMITS, PROTOCOL
from sageserve_env.evaluation.problems.episodes import LEVELS
from sageserve_env.extras import need
from sageserve_env.files.writing import SCRATCH, require_writable, whole_folder
from sageserve_env.leaderboard.board import Board
from sageserve_env.leaderboard.page.content import Place, Section, old_rankings, sections
from sageserve_env.leaderboard.page.cost import cost_plot
from sageserve_env.leaderboard.page.formats import FILTERS
from sageserve_env.leaderboard.page.recording import Recording, record_all
from sageserve_env.leaderboard.page.replayed import replayed
from sageserve_env.leaderboard.page.scores import profile_plot
from sageserve_env.leaderboard.tables.standings import Ranking
from sageserve_env.leaderboard.verify import MOST_WORKERS, Report
from sageserve_env.registration import IDS
from sageserve_env.world.checks import require_count
from sageserve_env.world.schema import TIERS

INDEX = "index.html"

ASSETS = "assets"

GENERATOR = "sageserve leaderboard build"
"""What the pages say that they were made by."""

HERE = Path(__file__).parent


def build(board: Board, out: Path, *, workers: int = 1, report: Report = lambda done, jobs: None) -> list[Path]:
    """Write the pages of a board: the index, a page for each problem, and one for each policy on it.

    Args:
        board: The leaderboard, verified.
        out: The folder; new, empty, or one that was built before.
        workers: Days played again at a time; changes no page.
        report: Told of every day that was played again.

    Returns:
        The pages, from the folder, the index first.

    Raises:
        MissingExtra: Jinja2 is not installed.
        InputError: The folder holds other things or cannot be written, or the board must be verified first.
    """
    templates = environment()
    require_count("workers", workers, 1, MOST_WORKERS)
    require_own(out)
    require_writable(out)
    found, old = sections(board), old_rankings(board)
    names = [each.problem.name for each in found]
    stale = [ASSETS, *IDS, *names, *(f"{name}.html" for name in (*IDS, *names))]
    with whole_folder(out, INDEX, stale) as fresh:
        shutil.copytree(HERE / ASSETS, fresh / ASSETS)
        written = []
        for path, name, told in pages(found, old, workers, report):
            (fresh / path).parent.mkdir(exist_ok=True)
            text = templates.get_template(name).render(sections=found, root="../" * path.count("/"), **told)
            (fresh / path).write_text(text, encoding="utf-8")
            written.append(out / path)
    return written


Page = tuple[str, str, dict[str, Any]]
"""Where it is, its template, and what that is told."""


def pages(found: list[Section], old: list[Ranking], workers: int, report: Report) -> Iterator[Page]:
    """All pages; those of policies as their days are played."""
    names = sorted({place.name for each in found for place in each.places})
    yield INDEX, "index.html", {"names": names, "old": old}
    for each in found:
        if each.found is not None:
            folder = each.problem.name
            plots = {"cost": cost_plot(each.found, folder), "profile": profile_plot(each.found, folder)}
            yield f"{folder}.html", "problem.html", {"section": each, **plots}
    by_id = {each.problem.id: each for each in found}
    jobs = [job for each in found for job in each.jobs.values()]
    for job, recording in record_all(jobs, workers, report):
        section = by_id[job.line.env]
        place = section.place(job.entry)
        assert place is not None
        yield policy_page(section, place, recording)


def policy_page(section: Section, place: Place, recording: Recording) -> Page:
    """The page of a policy on a problem."""
    assert section.found is not None
    told = {
        "section": section,
        "place": place,
        "line": section.jobs[place.name].line,
        "entered": place.submission.entries[section.problem.id],
        "replay": replayed(recording),
    }
    return f"{section.problem.name}/{place.name}.html", "policy.html", told


def require_own(out: Path) -> None:
    """Raise InputError unless a folder is absent, empty or was built before."""
    index = out / INDEX
    is_own = index.is_file() and GENERATOR in index.read_text(encoding="utf-8", errors="replace")
    others = sorted(item.name for item in out.iterdir() if not item.name.startswith(SCRATCH)) if out.is_dir() else []
    if others and not is_own:
        raise InputError(f"--out = '{out}' holds '{others[0]}', which is no part of these pages; choose a folder for them alone")


def environment() -> Any:
    """The templates; whatever a submission says is escaped.

    Raises:
        MissingExtra: Jinja2 is not installed.
    """
    jinja2 = need("jinja2", "page", "a page")
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    found.filters.update(FILTERS)
    found.globals.update(generator=GENERATOR, protocol=PROTOCOL, limits=LIMITS)
    found.globals.update(ttft=TTFT_P95, tiers=TIERS, levels=dict(zip(TIERS, LEVELS, strict=True)))
    return found
