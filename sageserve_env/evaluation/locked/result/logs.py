"""The file of what a policy did: gzipped JSON, a line for each episode, from which every number can be computed anew."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError, shown
from sageserve_env.evaluation.locked.actions import Packed
from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.files.writing import whole_file

SUFFIX = ".jsonl.gz"

MOST_TEXT = 1 << 28
"""Bytes of a file once it is unpacked."""


@dataclass(frozen=True)
class Logged:
    """What a policy did in one episode.

    Attributes:
        env: Id of the problem.
        day, variant: Options of ``reset``.
        seed: Of ``reset``.
        protocol: Version of the protocol.
        package: Version of this package.
        problem_digest, dynamics_digest: What the problem was, and what the simulator made of it.
        steps: Decisions.
        actions, outcomes: Rolling digests of what was decided, and of what came of it.
        log: The decisions, see ``actions.py``.
    """

    env: str
    day: str
    variant: int
    seed: int
    protocol: str
    package: str
    problem_digest: str
    dynamics_digest: str
    steps: int
    actions: str
    outcomes: str
    log: Packed = field(repr=False)

    @property
    def episode(self) -> dict[str, Any]:
        """Options of ``reset``."""
        return {"day": self.day, "variant": self.variant}

    @classmethod
    def read(cls, text: str) -> Logged:
        """A line of a file.

        Raises:
            InputError: It is none.
        """
        try:
            facts = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError("is no JSON; give what sageserve evaluate --actions kept") from None
        kinds = {each.name: {"str": str, "int": int, "Packed": dict}[str(each.type)] for each in fields(cls)}
        if not isinstance(facts, dict) or set(facts) != set(kinds):
            known = set(facts) if isinstance(facts, dict) else set()
            raise InputError(f"has other fields than a log ({', '.join(sorted(known ^ set(kinds)))}); keep those, and no others")
        for name, kind in kinds.items():
            if type(facts[name]) is not kind:
                raise InputError(f"has {name} = {shown(facts[name])}, which is no {kind.__name__}; keep what was written")
        return cls(**facts)


def log_file(result: Path) -> Path:
    """Where the log of an evaluation is kept, beside its result."""
    return result.with_suffix(SUFFIX)


def logged(head: dict[str, Any], row: Row) -> Logged:
    """The line of an episode that did not fail."""
    assert row.log is not None
    names = ("env", "protocol", "package", "problem_digest", "dynamics_digest")
    facts = {name: head[name] for name in names} | {"seed": head["episode_seed"]}
    day, variant = str(row.episode["day"]), int(row.episode["variant"])
    return Logged(day=day, variant=variant, steps=row.steps, actions=row.actions, outcomes=row.outcomes, log=row.log, **facts)


def write_logs(path: Path, logs: Iterable[Logged]) -> None:
    """Write a file, whole; the same logs give the same bytes.

    Raises:
        InputError: It cannot be written.
    """
    text = "".join(json.dumps(asdict(each)) + "\n" for each in logs)
    with whole_file(path) as part, part.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.encode())


def read_lines(path: Path) -> list[str]:
    """The lines of a file.

    Raises:
        InputError: It cannot be read, is truncated or no gzip file, or larger than any file of logs.
    """
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(MOST_TEXT + 1)
        text = data.decode()
    except EOFError:
        raise InputError("is truncated; copy it anew") from None
    except (gzip.BadGzipFile, zlib.error, UnicodeDecodeError):
        raise InputError("is no gzipped text; give what sageserve evaluate --actions kept") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); check that it is there") from None
    if len(data) > MOST_TEXT:
        raise InputError(f"unpacks to more than {MOST_TEXT:,} bytes; give what sageserve evaluate --actions kept")
    return list(io.StringIO(text))


def with_logs(rows: Sequence[Row], path: Path) -> list[Row]:
    """Rows of a result with their logs, from the file beside it.

    Raises:
        InputError: The file is none, or lacks one.
    """
    try:
        kept = {(each.day, each.variant, each.actions): each.log for each in map(Logged.read, read_lines(path))}
    except InputError as error:
        raise InputError(f"'{path}' {error}") from None
    found = []
    for row in rows:
        log = kept.get((str(row.episode["day"]), int(row.episode["variant"]), row.actions))
        if log is None and row.failure is None:
            raise InputError(f"'{path}' has no actions of the episode {row.episode}; evaluate into another file")
        found.append(replace(row, log=log))
    return found
