"""Conditions under which policies are compared: days of a problem's split at a level of traffic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.protocol import SPLIT
from sageserve_env.registration import problem_name
from sageserve_env.scenarios import Problem, load_problem
from sageserve_env.scenarios.splits import SPLITS
from sageserve_env.world.checks import require_choice, require_within

LEVELS = (0.5, 0.75, 1.5, 2.0)
"""Beside 1."""

OTHERS = ("burst", "storm")
"""Problems that are tried by default."""

LEAST_LEVEL, MOST_LEVEL = 0.01, 100.0

TEXT = re.compile(r"(?P<problem>[^@:]+)(@(?P<split>[a-z]+))?(:(?P<level>[^:]+))?")


@dataclass(frozen=True)
class Condition:
    """Where policies are played.

    Attributes:
        problem: Name of the problem.
        split: Whose days; those of ``"train"`` under perturbations drawn by the protocol's seed, the others as recorded.
        level: Factor on the number of requests.
    """

    problem: str
    split: str = SPLIT
    level: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read ``ID``, ``ID@split``, ``ID:level`` or ``ID@split:level``.

        Raises:
            InputError: There is no such problem or split, or the level is no number within its range.

        Example:
            >>> Condition.parse("mini@train:1.5")
            Condition(problem='mini', split='train', level=1.5)
        """
        found = TEXT.fullmatch(text)
        if found is None:
            raise InputError(f"--on = '{text}' is no condition; give an id, and after it @split and :level where wanted")
        problem, split = problem_name(found["problem"], "--on"), found["split"] or SPLIT
        require_choice("--on: split", split, SPLITS)
        try:
            level = float(found["level"] or 1.0)
        except ValueError:
            raise InputError(f"--on = '{text}': '{found['level']}' is no level; give a factor on the requests") from None
        require_within("--on: level", level, LEAST_LEVEL, MOST_LEVEL, "a factor")
        return cls(problem, split, level)

    def __str__(self) -> str:
        split = "" if self.split == SPLIT else f"@{self.split}"
        return f"{self.problem}{split}{'' if self.level == 1.0 else f':{self.level:g}'}"

    def load(self) -> Problem:
        """The problem."""
        return load_problem(self.problem)

    def episodes(self, problem: Problem, days: int | None) -> list[dict[str, Any]]:
        """Options of ``reset`` of each episode: the first days, or all."""
        split = problem.split(self.split)
        first = {"variant": 0} if split.variants else {}
        return [{"day": window.name, **first, "scale": self.level} for window in split.windows[:days]]


def usual(home: str) -> list[Condition]:
    """The conditions that are tried of a home problem: its other splits, other levels, and other problems.

    Example:
        >>> [str(each) for each in usual("mini")]
        ['mini@train', 'mini@validation', 'mini', 'mini:0.5', 'mini:0.75', 'mini:1.5', 'mini:2', 'burst', 'storm']
    """
    splits = [Condition(home, split) for split in SPLITS]
    levels = [Condition(home, level=level) for level in LEVELS]
    return [*splits, *levels, *(Condition(other) for other in OTHERS if other != home)]
