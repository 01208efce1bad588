"""A verified table: of one id, what every entry's actions come to. Ranks, figures and pages are made from it and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.play.measured import Measured
from sageserve_env.evaluation.locked.protocol import DIGITS, Episode
from sageserve_env.evaluation.problems.episodes import EpisodeScore
from sageserve_env.files.writing import write_rows
from sageserve_env.identity import digest
from sageserve_env.leaderboard.canaries import pin_of

FORMAT = 2


@dataclass(frozen=True)
class VerifiedEpisode:
    """What an entry's actions came to in one episode.

    Attributes:
        day, variant: Which one.
        steps: Decisions.
        is_overfull: It ended early, as too many requests were in the system.
        terms: Sums of ``rewards.TERMS``, to ``DIGITS`` digits.
        measured: What else was measured, by the names of :data:`~sageserve_env.evaluation.locked.play.measured.MEASURED`, likewise.
        actions, outcomes: Rolling digests.
    """

    day: str
    variant: int
    steps: int
    is_overfull: bool
    terms: dict[str, float]
    measured: Measured
    actions: str
    outcomes: str

    @classmethod
    def of(cls, row: Row) -> VerifiedEpisode:
        """From an episode that was played."""
        terms = {name: round(value, DIGITS) for name, value in row.terms.items()}
        measured = {name: None if value is None else round(value, DIGITS) for name, value in row.measured.items()}
        day, variant = str(row.episode["day"]), int(row.episode["variant"])
        return cls(day, variant, row.steps, row.is_overfull, terms, measured, row.actions, row.outcomes)

    @property
    def episode(self) -> Episode:
        """Options of ``reset``."""
        return {"day": self.day, "variant": self.variant}

    @property
    def score(self) -> EpisodeScore:
        """What it is worth."""
        return EpisodeScore(self.terms, self.is_overfull)

    def row(self, anchors: dict[str, Any] | None) -> Row:
        """As a row of an evaluation, from which summaries are made."""
        digests = self.actions, self.outcomes
        return Row(self.episode, self.steps, self.is_overfull, self.terms, self.measured, *digests, {}, None, anchors)


@dataclass(frozen=True)
class VerifiedEntry:
    """An entry's episodes.

    Attributes:
        name: Of the submission.
        kind: ``reference``, ``agent`` or ``bound``.
        team: Of the submission.
        package: Version that it was evaluated with, as it says.
        view: What it chose of its environment, in which its actions are carried out.
        episodes: In the order of the protocol.
    """

    name: str
    kind: str
    team: str
    package: str
    view: dict[str, Any]
    episodes: tuple[VerifiedEpisode, ...]

    @property
    def is_bound(self) -> bool:
        """Whether it knows the future."""
        return self.kind == "bound"

    @property
    def pin(self) -> str:
        """One digest of all that it did."""
        return pin_of([(each.actions, each.outcomes) for each in self.episodes])

    @classmethod
    def read(cls, facts: dict[str, Any]) -> VerifiedEntry:
        """From a table's file."""
        return cls(**{**facts, "episodes": tuple(VerifiedEpisode(**each) for each in facts["episodes"])})


@dataclass(frozen=True)
class VerifiedTable:
    """The entries of an id, all played on the same problem.

    Attributes:
        env: The id.
        problem: Its name.
        protocol: Of the protocol.
        problem_digest, dynamics_digest: What the problem was, and what the simulator made of it.
        episode_seed: Of ``reset``.
        held_out: Episodes of the protocol.
        entries: By name.
    """

    env: str
    problem: str
    protocol: str
    problem_digest: str
    dynamics_digest: str
    episode_seed: int
    held_out: int
    entries: tuple[VerifiedEntry, ...]

    @property
    def digests(self) -> tuple[str, str]:
        """Of the problem and of the dynamics."""
        return self.problem_digest, self.dynamics_digest

    @property
    def seal(self) -> str:
        """A digest of the entries: an edited table shows."""
        return digest(self.entries)

    def entry(self, name: str) -> VerifiedEntry | None:
        """An entry by its name; None where there is none."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def write(self, path: Path) -> None:
        """Write it, whole, a line for each entry; the same table gives the same bytes.

        Raises:
            InputError: It cannot be written.
        """
        head = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "entries"}
        write_rows(path, {"format": FORMAT, **head, "seal": self.seal}, "entries", map(asdict, self.entries))


def read_table(path: Path) -> VerifiedTable:
    """A table from its file.

    Raises:
        InputError: It is none, or was edited.
    """
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kept, seal = facts.pop("format"), facts.pop("seal")
        table = VerifiedTable(**{**facts, "entries": tuple(map(VerifiedEntry.read, facts["entries"]))})
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); run sageserve leaderboard verify") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"'{path}' is no verified table; run sageserve leaderboard verify") from None
    if kept != FORMAT or table.seal != seal:
        raise InputError(f"'{path}' was edited after it was verified; run sageserve leaderboard verify")
    return table


def sorted_entries(entries: Iterable[VerifiedEntry]) -> tuple[VerifiedEntry, ...]:
    """In the order of a table: by name."""
    return tuple(sorted(entries, key=lambda entry: entry.name))
