"""The hidden split: traffic of curves that no public split of an id plays, drawn by secret seeds that are committed beforehand.

The board has the SHA-256 of the file of seeds (``hidden.json``). Whoever holds the file can play it at any time, and anyone can
tell later that the seeds were not chosen to please anybody.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env import __version__
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.episode import Failure, Row, play_locked
from sageserve_env.evaluation.locked.evaluate import introduced
from sageserve_env.evaluation.locked.protocol import LIMITS, PROTOCOL, SPLIT, Episode, problem_digest
from sageserve_env.evaluation.locked.seat import environment
from sageserve_env.leaderboard.board import Board, Ground
from sageserve_env.leaderboard.canaries import ANCHOR
from sageserve_env.leaderboard.rules import team_findings
from sageserve_env.leaderboard.submission.entry import read_entry
from sageserve_env.leaderboard.submission.record import Submission
from sageserve_env.leaderboard.table import VerifiedEntry, VerifiedEpisode, VerifiedTable, sorted_entries
from sageserve_env.leaderboard.verify import Report
from sageserve_env.scenarios import Problem, Split
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.scenarios.sources import DAY_S, DAYS, CurveSource, CurveWindow
from sageserve_env.workload.sources.curves import CURVES

COMMITMENT = "hidden.json"

FORMAT = 1

EPISODES = 20

WORKDAYS = 5

SEED_BITS = 62


@dataclass(frozen=True)
class Hidden:
    """The hidden split of an id.

    Attributes:
        problem: The problem with the hidden traffic for its test split.
        episodes: Options of ``reset``.
        seeds: Of ``reset``.
    """

    problem: Problem
    episodes: tuple[Episode, ...]
    seeds: tuple[int, ...]


def unplayed(problem: Problem) -> list[str]:
    """Curves that no split of a problem plays."""
    windows = [window for split in problem.splits for window in split.windows]
    played = {name for window in windows if isinstance(window, CurveWindow) for name in window.curves}
    return [name for name in CURVES if name not in played]


def require_hidden(problem: Problem) -> CurveSource:
    """The source of a problem that can have a hidden split.

    Raises:
        InputError: It plays no curves, or there are too few that it does not play.
    """
    source = problem.source
    if not isinstance(source, CurveSource) or len(unplayed(problem)) < len(source.traffic):
        raise InputError(f"{problem.id} has no hidden split: no recorded traffic is left that its public splits do not play")
    return source


def hidden(problem: Problem, secret: Sequence[int]) -> Hidden:
    """The hidden split that seeds draw, an episode each: curves, a day of the week, a perturbation, and the seed of ``reset``.

    Raises:
        InputError: The problem can have none.
    """
    source, curves = require_hidden(problem), unplayed(problem)
    law = problem.split("train").randomisation
    assert law is not None
    windows: list[CurveWindow] = []
    perturbations: list[Perturbation] = []
    seeds: list[int] = []
    for number, seed in enumerate(secret):
        rng = np.random.default_rng(seed)
        names = tuple(curves[k] for k in rng.permutation(len(curves))[: len(source.traffic)])
        start_s = int(rng.integers(WORKDAYS)) * DAY_S
        windows.append(CurveWindow(f"hidden-{number}-{DAYS[int(start_s / DAY_S)]}", start_s, DAY_S, start_s, names))
        perturbations.append(law.draw(rng, source.models))
        seeds.append(int(rng.integers(1 << SEED_BITS)))
    split = Split(SPLIT, tuple(windows), variants=tuple(perturbations))
    kept = tuple(split if each.name == SPLIT else each for each in problem.splits)
    episodes = tuple({"day": window.name, "variant": number} for number, window in enumerate(windows))
    return Hidden(replace(problem, splits=kept), episodes, tuple(seeds))


def new_secret(problems: Sequence[Problem], episodes: int = EPISODES) -> str:
    """The text of a file of seeds, from the system's randomness."""
    for problem in problems:
        require_hidden(problem)
    seeds = {problem.id: [secrets.randbits(SEED_BITS) for _ in range(episodes)] for problem in problems}
    return json.dumps({"format": FORMAT, "salt": secrets.token_hex(32), "seeds": seeds}, indent=1) + "\n"


def commitment(secret: str) -> dict[str, Any]:
    """What is published of a file of seeds before it is used."""
    episodes = {env: len(each) for env, each in json.loads(secret)["seeds"].items()}
    return {"format": FORMAT, "sha256": sha256(secret.encode()).hexdigest(), "episodes": episodes}


def read_secret(path: Path, board: Board) -> dict[str, list[int]]:
    """The seeds of a file, by id.

    Raises:
        InputError: A file cannot be read, or it is not the one that the board committed to.
    """
    try:
        committed = json.loads((board.root / COMMITMENT).read_text(encoding="utf-8"))["sha256"]
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"'{error.filename}' cannot be read ({error.strerror}); give the file of seeds, and its board") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"'{board.root / COMMITMENT}' commits to no file of seeds; restore it") from None
    if sha256(data).hexdigest() != committed:
        raise InputError(f"'{path}' is not the file that the board committed to: its SHA-256 is another one; give that file")
    seeds: dict[str, list[int]] = json.loads(data)["seeds"]
    return seeds


def declared(board: Board, env: str) -> list[Submission]:
    """The entry that each team declares for an id, and tuned reactive, where it is entered.

    Raises:
        InputError: A team declares several.
    """
    read = [read_entry(board.submissions / name, board).submission for name in board.names()]
    found = [each for each in read if each is not None and env in each.entries and (each.hidden or each.name == ANCHOR)]
    wrong = list(team_findings(found))
    if wrong:
        raise InputError(str(wrong[0]))
    return found


def play_hidden(
    board: Board, env: str, entrants: Sequence[tuple[Submission, Entrant]], secret: Path, workers: int, report: Report
) -> tuple[VerifiedTable, dict[str, Failure]]:
    """Play policies on the hidden split of an id.

    Args:
        board: The leaderboard.
        env: The id.
        entrants: Entries with their policies.
        secret: The file of seeds.
        workers: Episodes at a time.
        report: Told of every episode.

    Returns:
        The table of those that failed in no episode, and the first failure of each other one.

    Raises:
        InputError: The file of seeds is not the one, the id is not in it, or a policy cannot be loaded.
    """
    seeds, ground = read_secret(secret, board), board.ground(env)
    if env not in seeds:
        raise InputError(f"{env} has no hidden split; the file has {', '.join(seeds)}")
    split, rows, failed, total = hidden(ground.problem, seeds[env]), [], {}, len(entrants) * len(seeds[env])
    for number, (entry, entrant) in enumerate(entrants, 1):
        played = play_entrant(entrant, split, workers)
        report(number * len(played), total)
        failure = next((row.failure for row in played if row.failure is not None), None)
        if failure is not None:
            failed[entry.name] = failure
        else:
            rows.append(VerifiedEntry(entry.name, entry.kind, entry.team, __version__, tuple(map(VerifiedEpisode.of, played))))
    return hidden_table(env, split, ground, rows), failed


def play_entrant(entrant: Entrant, split: Hidden, workers: int) -> list[Row]:
    """A policy's episodes, in order."""
    known = introduced(entrant, LIMITS, is_bound=False)

    def play(number: int) -> Row:
        env = environment(known, entrant, split.problem)
        try:
            return play_locked(env, entrant, known, split.episodes[number], LIMITS, False, split.seeds[number])
        finally:
            env.close()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(play, range(len(split.episodes))))


def hidden_table(env: str, split: Hidden, ground: Ground, rows: Sequence[VerifiedEntry]) -> VerifiedTable:
    """The table of a hidden split."""
    digests = problem_digest(split.problem), ground.dynamics_digest
    return VerifiedTable(env, split.problem.name, PROTOCOL, *digests, 0, len(split.episodes), sorted_entries(rows))
