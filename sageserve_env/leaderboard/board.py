"""A board: the tree of submissions and tables, and the problems as they are now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.protocol import Episode, dynamics_digest, held_out, problem_digest
from sageserve_env.leaderboard.canaries import PINS, Canary, canaries, read_pins
from sageserve_env.registration import IDS, problem_name
from sageserve_env.scenarios import Problem, load_problem

SUBMISSIONS, VERIFIED, OLD = "submissions", "verified", "old"


@dataclass(frozen=True)
class Ground:
    """A problem as it is now.

    Attributes:
        problem: The problem.
        problem_digest: What it is.
        dynamics_digest: What the simulator makes of it.
    """

    problem: Problem
    problem_digest: str
    dynamics_digest: str

    @cached_property
    def held_out(self) -> list[Episode]:
        """Its episodes, in the order of the protocol."""
        return held_out(self.problem)

    @property
    def digests(self) -> tuple[str, str]:
        """Of the problem and of the dynamics."""
        return self.problem_digest, self.dynamics_digest


@dataclass(frozen=True)
class Board:
    """A leaderboard.

    Attributes:
        root: Its folder.
        pins: What each canary did, see ``canaries.py``.
        problems: Problems by id, in place of the registered ones.
        wanted: The canaries of a problem.
    """

    root: Path
    pins: Path = PINS
    problems: Mapping[str, Problem] | None = None
    wanted: Callable[[Problem], list[Canary]] = canaries
    _grounds: dict[str, Ground] = field(default_factory=dict, repr=False, compare=False)
    _lock: Any = field(default_factory=Lock, repr=False, compare=False)

    @property
    def ids(self) -> list[str]:
        """Ids that can be entered, in order."""
        return list(IDS.values() if self.problems is None else self.problems)

    @property
    def submissions(self) -> Path:
        """Folder of the submissions."""
        return self.root / SUBMISSIONS

    @property
    def verified(self) -> Path:
        """Folder of the tables; ``old/`` in it holds those of problems that are no more."""
        return self.root / VERIFIED

    @cached_property
    def pinned(self) -> dict[str, dict[str, Any]]:
        """What the canaries of each id did."""
        return read_pins(self.pins)

    def ground(self, env: str) -> Ground:
        """The problem of an id, with its digests, which take some steps of simulation."""
        with self._lock:
            if env not in self._grounds:
                problem = load_problem(problem_name(env)) if self.problems is None else self.problems[env]
                self._grounds[env] = Ground(problem, problem_digest(problem), dynamics_digest(problem))
            return self._grounds[env]

    def table_file(self, env: str) -> Path:
        """Where the verified rows of an id are."""
        return self.verified / f"{self.ground(env).problem.name}.json"

    def names(self) -> list[str]:
        """Names of the submissions.

        Raises:
            InputError: There is no such board.
        """
        if not self.submissions.is_dir():
            raise InputError(f"'{self.root}' is no leaderboard; give a folder that has {SUBMISSIONS}/")
        return sorted(
            path.name for path in self.submissions.iterdir() if not path.name.startswith(".") and path.name != "README.md"
        )
