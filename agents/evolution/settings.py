"""Settings of an evolution: what the package ships for an algorithm and a problem, and what a file changes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agents.common.config import chosen, require_known
from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import require_choice, require_count, require_within

ALGORITHMS = ("cma-es", "cem")

MOST = 1 << 16


@dataclass(frozen=True)
class Settings:
    """How a policy evolves.

    Attributes:
        algorithm: ``"cma-es"`` or ``"cem"``, the cross-entropy method.
        generations: Generations to play, at least ``validate_every``.
        population: Candidates of a generation, 4 or more.
        episodes: Train episodes that all candidates of a generation play, other ones in each generation.
        sigma: Factor on the first spread of the proposals.
        elite: Share of a generation that the cross-entropy method keeps.
        begin: Folder of an agent, maybe of another problem, whose common weights the search begins with; None: the prior.
        penalty: Part of the dollars that is added for each unit of missing attainment: 15 makes 1 % cost 15 %.
        worst: Weight of the worst episode's missing attainment beside the mean's.
        margins: By tier, how far above its level attainment counts as missing.
        averaged: Last generations whose means are averaged, as each mean is drawn to the episodes that its generation played.
        validate_every: Generations between two plays of the mean and of that average on the validation split.
        threads: Threads that simulate.
        horizon_s: Seconds of an episode; None: the problem's.
    """

    algorithm: str = "cma-es"
    generations: int = 40
    population: int = 16
    episodes: int = 12
    sigma: float = 0.5
    elite: float = 0.25
    begin: str | None = None
    penalty: float = 15.0
    worst: float = 0.3
    margins: tuple[float, float, float] = (0.005, 0.005, 0.002)
    averaged: int = 4
    validate_every: int = 4
    threads: int = 1
    horizon_s: float | None = None

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InputError: A value cannot be used.
        """
        require_choice("algorithm", self.algorithm, ALGORITHMS)
        for name, least in (("population", 4), ("episodes", 1), ("averaged", 1), ("validate_every", 1), ("threads", 1)):
            require_count(name, getattr(self, name), least, MOST)
        require_count("generations", self.generations, self.validate_every, MOST)
        require_within("sigma", self.sigma, 1e-6, 1e6, "a factor")
        require_within("elite", self.elite, 0.05, 1.0, "a share")
        require_within("penalty", self.penalty, 0.0, 1e6, "a factor")
        require_within("worst", self.worst, 0.0, 1e6, "a factor")
        if len(self.margins) != 3:
            raise InputError(f"margins = {shown(self.margins)}; give a share for each of the three tiers")
        for margin in self.margins:
            require_within("margins", margin, 0.0, 1.0, "a share")


def settings_for(algorithm: str, problem: str, config: Path | None = None) -> Settings:
    """The settings of an algorithm for a problem.

    Args:
        algorithm: One of ``ALGORITHMS``.
        problem: Name of a problem.
        config: YAML with what is to differ from what is shipped, by the names of :class:`Settings`.

    Raises:
        InputError: The file cannot be read, or names what is no setting.
    """
    require_choice("algorithm", algorithm, ALGORITHMS)
    told = chosen(algorithm, problem, config)
    require_known("settings", told, [field.name for field in fields(Settings) if field.name != "algorithm"])
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return Settings(algorithm, **plain)
