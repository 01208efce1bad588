"""A submission as it lies in its folder: read, and judged by all that can be told without playing it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.result.logs import Logged, read_lines
from sageserve_env.leaderboard.board import SUBMISSIONS, Board
from sageserve_env.leaderboard.finding import Finding, Refused
from sageserve_env.leaderboard.submission.episodes import read_episodes
from sageserve_env.leaderboard.submission.folder import EPISODES, RECORD, folder_findings
from sageserve_env.leaderboard.submission.record import Submission, read_submission


@dataclass(frozen=True)
class Entry:
    """A submission.

    Attributes:
        name: Of its folder.
        submission: What it says of itself; None where that cannot be read.
        episodes: What its policy did, by id; ids with something wrong are left out.
        findings: What is wrong.
    """

    name: str
    submission: Submission | None = None
    episodes: dict[str, list[Logged]] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def where(self) -> str:
        """What findings call it."""
        return f"{SUBMISSIONS}/{self.name}"

    @property
    def is_bound(self) -> bool:
        """Whether it knows the future."""
        return self.submission is not None and self.submission.is_bound

    def is_current(self, env: str, board: Board) -> bool:
        """Whether it played an id as that is now."""
        line = self.episodes[env][0]
        return (line.problem_digest, line.dynamics_digest) == board.ground(env).digests


def read_entry(folder: Path, board: Board) -> Entry:
    """Read a submission; whatever is wrong with it is in its findings."""
    name, where = folder.name, f"{SUBMISSIONS}/{folder.name}"
    found = folder_findings(folder, where)
    if found:
        return Entry(name, findings=tuple(found))
    try:
        submission = read_submission((folder / RECORD).read_text(encoding="utf-8"))
        require_own(submission, name, board)
    except Refused as refusal:
        return Entry(name, findings=(refusal.at(f"{where}/{RECORD}"),))
    try:
        lines = read_lines(folder / EPISODES)
    except InputError as error:
        kind = "truncated" if "is truncated" in str(error) else "file"
        return Entry(name, submission, findings=(Finding(f"{where}/{EPISODES}", kind, str(error)),))
    episodes, wrong = read_episodes(lines, submission, board)
    places = (f"{where}/{EPISODES}{f' line {number}' if number else ''}" for number, _ in wrong)
    return Entry(name, submission, episodes, tuple(refusal.at(place) for place, (_, refusal) in zip(places, wrong, strict=True)))


def require_own(submission: Submission, folder: str, board: Board) -> None:
    """Raise Refused unless a submission is of its folder, and of ids that there are."""
    if submission.name != folder:
        raise Refused("name", f"name = '{submission.name}' in the folder '{folder}'; give both the same")
    for env in submission.entries:
        if env not in board.ids:
            raise Refused("id", f"entries: '{env}' is no id; choose from {', '.join(board.ids)}")
