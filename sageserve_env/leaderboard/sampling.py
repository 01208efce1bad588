"""Verification of a sample: where a row is as it was verified, only some of its episodes are played again.

The seed of the draw is the system's randomness, as a submitter knows all else that it could be made of, and could try commits until
those episodes are spared that should be.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from random import Random

from sageserve_env.leaderboard.submission.entry import Entry
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedEpisode

SEED_BITS = 48


@dataclass(frozen=True)
class Draw:
    """Which episodes are played again.

    Attributes:
        episodes: Of each row, 0 or more; all of a row that is not as it was verified.
        seed: Of the draw; given only to repeat one.
    """

    episodes: int
    seed: int = field(default_factory=lambda: secrets.randbits(SEED_BITS))

    def spared(self, entry: Entry, env: str, row: VerifiedEntry | None) -> list[VerifiedEpisode]:
        """Episodes of an entry's id that are not played again, as they were verified.

        Args:
            entry: The entry.
            env: The id, as it is now.
            row: What is verified of it; None where nothing is.
        """
        if row is None or not is_as_verified(row, entry, env):
            return []
        n = len(row.episodes)
        drawn = Random(f"{self.seed} {env} {row.name}").sample(range(n), min(self.episodes, n))
        return [each for number, each in enumerate(row.episodes) if number not in drawn]


def is_as_verified(row: VerifiedEntry, entry: Entry, env: str) -> bool:
    """Whether a row was made of what an entry holds: the same actions, in the same view, with the same outcomes."""
    assert entry.submission is not None
    lines = entry.episodes[env]
    held = entry.submission.entries[env].view, [(e.package, e.day, e.variant, e.steps, e.actions, e.outcomes) for e in lines]
    return held == (row.view, [(row.package, e.day, e.variant, e.steps, e.actions, e.outcomes) for e in row.episodes])
