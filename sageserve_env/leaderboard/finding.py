"""What is wrong with a leaderboard, named: a finding says where, which kind of thing, and what."""

from __future__ import annotations

from dataclasses import dataclass

from sageserve_env.errors import InputError

KINDS = {
    "name": "a folder's name is none, or not that of its submission",
    "file": "a file that a submission may not have",
    "weights": "a file that could run code when it is loaded",
    "link": "a link, which may lead out of the folder",
    "size": "too large",
    "yaml": "submission.yaml cannot be read",
    "field": "a field is unknown, missing or of another kind",
    "score": "submission.yaml claims a score",
    "truncated": "episodes.jsonl.gz ends too early",
    "line": "a line of episodes.jsonl.gz is no episode",
    "id": "an episode of an id that is not entered, or an id without episodes",
    "episode": "an episode that is not held out",
    "twice": "an episode that is there twice",
    "missing": "a held-out episode that is not there",
    "order": "episodes that are not in the order of the protocol",
    "seed": "another seed than the protocol's",
    "protocol": "another protocol",
    "package": "a version of the package that is none, or not out yet",
    "digest": "played on another problem than the present one",
    "log": "actions that cannot be unpacked or carried out",
    "view": "a view that the environment does not have",
    "steps": "more or fewer decisions than the episode has",
    "actions": "the digest of the actions is not that of the log",
    "outcomes": "the digest of the outcomes is not what the replay gives",
    "copy": "the same actions as another entry",
    "team": "a team that declares more than one entry for the hidden split",
    "table": "a verified table that is not what the replay gives",
    "canary": "a canary that is missing, or has moved",
    "null": "a policy that does nothing of use leads a column",
    "elsewhere": "a submission that touches files outside of its folder",
}
"""All kinds, and what they mean."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        where: File below the board, and the line where there is one.
        kind: One of ``KINDS``.
        message: What exactly, and what to do.
    """

    where: str
    kind: str
    message: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.where}: {self.kind}: {self.message}"


class Refused(InputError):
    """Something that is wrong, before it is known where; ``kind`` is one of ``KINDS``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def at(self, where: str) -> Finding:
        """The finding."""
        return Finding(where, self.kind, str(self))
