"""The tuning log: every trial with what it cost, what decides them all, and the best; a JSON file that tuning goes on from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from baselines.tuning.trials import Options, Played
from sageserve_env.errors import InputError, shown
from sageserve_env.files.writing import write_rows

FORMAT = 1

HEAD = ("format", "policy", "fixed", "env", "problem", "split", "episodes", "episode_seed", "horizon_s", "seed", "ranges")
"""What decides the trials: a log goes on only where all of it is the same."""


@dataclass(frozen=True)
class Trial:
    """Options, and what they are worth on the validation split.

    Attributes:
        number: From 0 on; 0 are the policy's own.
        options: Those tried.
        usd: Mean dollars of an episode; 0 where refused.
        shortfall: Mean over the episodes of how far the worst tier is below its level; 0: every level held everywhere.
        refused: Why the options cannot be played, or None.
        episodes: ``usd``, ``shortfall`` and ``attainment`` of each.
    """

    number: int
    options: Options
    usd: float
    shortfall: float
    refused: str | None = None
    episodes: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, number: int, options: Options, played: list[Played]) -> Trial:
        """A trial from its episodes."""
        refused = next((each.refused for each in played if each.refused is not None), None)
        if refused is not None:
            return cls(number, options, 0.0, 0.0, refused)
        n = len(played)
        rows = [{"usd": each.usd, "shortfall": each.shortfall, "attainment": each.attainment} for each in played]
        return cls(number, options, sum(each.usd for each in played) / n, sum(each.shortfall for each in played) / n, None, rows)

    @property
    def is_feasible(self) -> bool:
        """Whether every tier holds its level in every episode."""
        return self.refused is None and self.shortfall == 0.0

    @property
    def rank(self) -> tuple[int, float, float]:
        """Less is better: the feasible by dollars, then the others by how much they miss, last what cannot be played."""
        if self.refused is not None:
            return 2, 0.0, 0.0
        return (0, self.usd, 0.0) if self.is_feasible else (1, self.shortfall, self.usd)


@dataclass
class Log:
    """A tuning so far.

    Attributes:
        head: What decides the trials, by the names of ``HEAD``.
        command: The command that makes the same log.
        trials: In order.
    """

    head: dict[str, Any]
    command: str
    trials: list[Trial] = field(default_factory=list)

    @property
    def best(self) -> Trial:
        """The trial of the least rank; of equals the first."""
        return min(self.trials, key=lambda trial: (trial.rank, trial.number))

    def write(self, path: Path) -> None:
        """Write the log, whole, a line for each trial.

        Raises:
            InputError: It cannot be written.
        """
        best = self.best
        facts = {"number": best.number, "usd": best.usd, "shortfall": best.shortfall, "is_feasible": best.is_feasible}
        head = {**self.head, "command": self.command, "best": {**facts, "options": best.options}}
        write_rows(path, head, "trials", map(asdict, self.trials))


def read_log(path: Path) -> Log:
    """A log from its file.

    Raises:
        InputError: It is none.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        head = {name: facts[name] for name in HEAD}
        log = Log(head, facts["command"], [Trial(**row) for row in facts["trials"]])
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); give a log of sageserve tune") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{path}' is no log of sageserve tune ({error!r:.80}); give another file") from None
    if head["format"] != FORMAT or [trial.number for trial in log.trials] != list(range(len(log.trials))) or not log.trials:
        raise InputError(f"'{path}' is no whole log of format {FORMAT}; give another file")
    return log


def require_same_head(log: Log, head: dict[str, Any], path: Path, names: Iterable[str] = HEAD) -> None:
    """Raise InputError where a log is one of another tuning."""
    for name in names:
        mine = json.loads(json.dumps(head[name]))  # as a file gives it back
        if log.head[name] != mine:
            was, now = shown(log.head[name]), shown(mine)
            raise InputError(f"'{path}' was tuned with {name} = {was}, not {now}; choose another file or the same arguments")
