"""``episodes.jsonl.gz`` of a submission: what can be told of it before anything is played again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import sageserve_env
from sageserve_env.errors import InputError, shown
from sageserve_env.evaluation.locked.actions import all_digested, unpacked_arrays
from sageserve_env.evaluation.locked.protocol import PROTOCOL, rolled
from sageserve_env.evaluation.locked.result.logs import Logged
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.leaderboard.board import Board, Ground
from sageserve_env.leaderboard.finding import Refused
from sageserve_env.leaderboard.submission.record import Submission

MOST_LINES = 10_000
"""Of a file: ten times the episodes of all ids, and few enough to unpack."""

VERSION = re.compile(r"\d+\.\d+\.\d+")


def read_line(text: str, submission: Submission) -> Logged:
    """A line that is sound in itself: of an entered id, by the protocol, with actions of the digest that it gives.

    Raises:
        Refused: It is not.
    """
    try:
        line = Logged.read(text)
    except InputError as error:
        raise Refused("line", str(error)) from None
    if line.env not in submission.entries:
        raise Refused("id", f"env = {shown(line.env)} is not entered; add it to submission.yaml, or leave the episode out")
    if line.seed != EPISODE_SEED:
        raise Refused("seed", f"seed = {line.seed}; the protocol's is {EPISODE_SEED}: evaluate anew")
    if line.protocol != PROTOCOL:
        raise Refused("protocol", f"protocol = {shown(line.protocol)}; this version verifies {PROTOCOL}: evaluate anew")
    if not VERSION.fullmatch(line.package) or as_numbers(line.package) > as_numbers(sageserve_env.__version__):
        raise Refused("package", f"package = {shown(line.package)} is no version up to the present one; keep what was written")
    require_log(line)
    return line


def require_log(line: Logged) -> None:
    """Raise Refused unless the actions can be unpacked, are as many as it says, and have their digest."""
    try:
        said = all_digested(unpacked_arrays(line.log))
    except InputError as error:
        raise Refused("log", str(error)) from None
    if len(said) != line.steps:
        raise Refused("steps", f"steps = {line.steps}, and its log has {len(said)}; keep what was written")
    if rolled(said) != line.actions:
        raise Refused("actions", "the digest of its actions is not the one that it gives; keep what was written")


def id_findings(env: str, lines: Sequence[Logged], ground: Ground, is_bound: bool) -> Iterator[Refused]:
    """What is wrong with the episodes of an id together.

    Args:
        env: The id.
        lines: In the order of the file.
        ground: What the id is now.
        is_bound: A bound may lack episodes, as plans may not be searched for all of them.
    """
    if not lines:
        yield Refused("id", f"{env} is entered and has no episode; evaluate it, or leave it out")
        return
    if len({line.package for line in lines}) > 1:
        yield Refused("package", f"{env}: its episodes are of several versions of the package; evaluate it anew")
    if len({(line.problem_digest, line.dynamics_digest) for line in lines}) > 1:
        yield Refused("digest", f"{env}: its episodes are of several problems; evaluate it anew")
        return
    if (lines[0].problem_digest, lines[0].dynamics_digest) != ground.digests:
        return  # its episodes are those of another problem: see verify.py
    order, played = ground.held_out, [line.episode for line in lines]
    for episode in [episode for episode in order if played.count(episode) > 1]:
        yield Refused("twice", f"{env}: day {episode['day']}, variant {episode['variant']} is there twice; leave one out")
    for episode in [episode for episode in played if episode not in order]:
        yield Refused("episode", f"{env}: day {shown(episode['day'])}, variant {episode['variant']} is not held out; leave it out")
    missing = [episode for episode in order if episode not in played]
    if missing and not is_bound:
        yield Refused("missing", f"{env}: {len(missing)} of {len(order)} held-out episodes are not there; evaluate all")
    known = [order.index(episode) for episode in played if episode in order]
    if known != sorted(known):
        yield Refused("order", f"{env}: its episodes are not in the order of the protocol; sort them")


Wrong = list[tuple[int | None, Refused]]
"""What is wrong, by the number of the line, or None where it is none of one line."""


def read_episodes(lines: Sequence[str], submission: Submission, board: Board) -> tuple[dict[str, list[Logged]], Wrong]:
    """The episodes of a submission by id, and what is wrong with them.

    An id with something wrong is left out, and so are those of which a line cannot be read.
    """
    by_id: dict[str, list[Logged]] = {env: [] for env in submission.entries}
    wrong: Wrong = []
    if len(lines) > MOST_LINES:
        return {}, [(None, Refused("size", f"it has more than {MOST_LINES:,} lines; give one for each episode"))]
    for number, text in enumerate(lines, 1):
        try:
            line = read_line(text, submission)
            by_id[line.env].append(line)
        except Refused as refusal:
            wrong.append((number, refusal))
    if wrong:
        return {}, wrong
    whole = {}
    for env, mine in by_id.items():
        found = list(id_findings(env, mine, board.ground(env), submission.is_bound))
        wrong += [(None, refusal) for refusal in found]
        if not found:
            whole[env] = mine
    return whole, wrong


def as_numbers(version: str) -> tuple[int, ...]:
    """A version to compare."""
    return tuple(map(int, version.split(".")))
