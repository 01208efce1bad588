"""Settings of an evolution: what the package ships for an algorithm and a problem, and what a file changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import require_choice, require_count, require_within

SHIPPED = Path(__file__).parent / "settings"
"""``ALGORITHM.yaml``: settings for all problems under ``all``, and what differs under the name of a problem."""

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
        validate_every: Generations between two plays of the mean on the validation split.
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
    validate_every: int = 4
    threads: int = 1
    horizon_s: float | None = None

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InputError: A value cannot be used.
        """
        require_choice("algorithm", self.algorithm, ALGORITHMS)
        for name, least in (("population", 4), ("episodes", 1), ("validate_every", 1), ("threads", 1)):
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


def read_settings(algorithm: str, problem: str, file: Path | None = None) -> Settings:
    """The settings of an algorithm for a problem.

    Args:
        algorithm: One of ``ALGORITHMS``.
        problem: Name of a problem.
        file: YAML with what is to differ from what is shipped, by the names of :class:`Settings`.

    Raises:
        InputError: The file cannot be read, or names what is no setting.
    """
    require_choice("algorithm", algorithm, ALGORITHMS)
    shipped = _read(SHIPPED / f"{algorithm}.yaml")
    told = {**shipped.get("all", {}), **shipped.get(problem, {}), **({} if file is None else _read(file))}
    known = {field.name for field in fields(Settings)}
    unknown = sorted(str(name) for name in told if name not in known)
    if unknown:
        raise InputError(f"setting '{unknown[0]}' is not known; choose among {', '.join(sorted(known))}")
    if isinstance(told.get("margins"), list):
        told["margins"] = tuple(told["margins"])
    return replace(Settings(algorithm=algorithm), **told)


def _read(path: Path) -> Mapping[str, Any]:
    """A YAML file's names and values."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); give a YAML file of settings") from None
    except (yaml.YAMLError, ValueError):
        raise InputError(f"'{path}' is no YAML; give a file of settings") from None
    if told is not None and not isinstance(told, dict):
        raise InputError(f"'{path}' holds {shown(told)}; give names and values")
    return told or {}
