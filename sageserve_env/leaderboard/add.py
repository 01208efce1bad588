"""A new submission comes in: checked, played again, and touching nothing but its own folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sageserve_env.errors import InputError, quoted
from sageserve_env.files.writing import whole_folder
from sageserve_env.leaderboard.board import SUBMISSIONS, Board
from sageserve_env.leaderboard.canaries import NAMES
from sageserve_env.leaderboard.finding import Finding
from sageserve_env.leaderboard.rules import copy_findings, team_findings
from sageserve_env.leaderboard.submission.entry import Entry, read_entry
from sageserve_env.leaderboard.submission.folder import EPISODES
from sageserve_env.leaderboard.verify import Report, Verification, play_current

MOST_NAMED = 5


def add(
    board: Board, folder: Path, *, base: str = "HEAD", workers: int = 1, report: Report = lambda done, jobs: None
) -> list[Finding]:
    """Take a submission into a board, where nothing is wrong with it.

    Args:
        board: The leaderboard, in a git checkout.
        folder: The submission; where it already lies in the board, nothing is copied.
        base: Commit that the submission was made on: what differs from it must be of the submission.
        workers: Episodes at a time.
        report: Told of every episode.

    Returns:
        What is wrong; nothing was copied then.

    Raises:
        InputError: The folder is none, the board has another one of its name, or there is no git checkout.
    """
    if not folder.is_dir():
        raise InputError(f"'{folder}' is no folder; give that of a submission")
    names, target = board.names(), board.submissions / folder.name
    is_there = target.exists() and target.resolve() == folder.resolve()
    if target.exists() and not is_there:
        raise InputError(f"'{target}' is there already; give the submission another name")
    entry = read_entry(folder, board)
    others = [read_entry(board.submissions / name, board) for name in names if name != entry.name]
    found = [*entry.findings, *new_findings(entry, board), *copy_findings(entry, others)]
    submissions = [each.submission for each in (entry, *others) if each.submission is not None]
    found += [finding for finding in team_findings(submissions) if finding.where.startswith(f"{entry.where}/")]
    found += elsewhere_findings(board, entry.name, base)
    if not found:
        played = Verification()
        play_current(board, [entry], played, workers, report)
        found = played.findings
    if not found and not is_there:
        with whole_folder(target, EPISODES) as fresh:
            shutil.copytree(folder, fresh, dirs_exist_ok=True)
    return sorted(found)


def new_findings(entry: Entry, board: Board) -> Iterator[Finding]:
    """What a new submission may not be: called as a canary, or played on a problem that is no more."""
    if entry.name in NAMES:
        yield Finding(entry.where, "canary", f"'{entry.name}' is the name of a canary; give the submission another one")
    for env in (env for env in entry.episodes if not entry.is_current(env, board)):
        yield Finding(f"{entry.where}/{EPISODES}", "digest", f"{env}: it was played on another problem; evaluate it anew")


def elsewhere_findings(board: Board, name: str, base: str) -> Iterator[Finding]:
    """Files beside the submission's own that the checkout has and its base has not, or has otherwise."""
    top = Path(git(board.root, "rev-parse", "--show-toplevel").strip())
    since = git(board.root, "merge-base", base, "HEAD").strip()
    changed = git(top, "diff", "--name-only", "--no-renames", "-z", since).split("\0")
    changed += git(top, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    own = f"{board.submissions.resolve().relative_to(top.resolve()).as_posix()}/{name}/"
    others = sorted({path for path in changed if path and not path.startswith(own)})
    if others:
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        message = f"{quoted(others[:MOST_NAMED])}{more} changed, too; a submission touches its own folder only"
        yield Finding(f"{SUBMISSIONS}/{name}", "elsewhere", message)


def git(folder: Path, *words: str) -> str:
    """What git says.

    Raises:
        InputError: It refuses, or is not there.
    """
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise InputError("git is not installed; without it nobody can tell what else a submission changes") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip()
        raise InputError(f"git {words[0]} in '{folder}': {said}; give the board of a git checkout, and a commit") from None
    return done.stdout
