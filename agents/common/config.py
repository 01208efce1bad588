"""Settings as files have them: what the package ships for an algorithm and a problem, and what a file of the user's changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError, shown
from sageserve_env.world.files.yaml_file import read_yaml_file

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
"""``ALGORITHM.yaml``: settings for all ids under ``all``, and what differs under the name of a problem."""

LEAST = "a line such as 'n_envs: 16'"


def chosen(algo: str, problem: str, config: Path | None = None) -> dict[str, Any]:
    """What is shipped for an algorithm and a problem, changed by a file.

    Args:
        algo: Name of an algorithm that has a file in ``CONFIGS``.
        problem: Name of a problem.
        config: YAML: settings that are to be others.

    Raises:
        InputError: A file cannot be read, or is no mapping.
    """
    shipped = read_yaml_file(CONFIGS / f"{algo}.yaml", LEAST)
    merged = merge(shipped.get("all", {}), shipped.get(problem, {}))
    return merged if config is None else merge(merged, read_yaml_file(config, LEAST))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, with those of ``above`` in their place; mappings are merged name by name."""
    merged = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = merge(merged[name], value) if both else value
    return merged


def require_known(what: str, values: Any, known: Collection[str]) -> None:
    """Refuse names that are not known.

    Raises:
        InputError: One is not.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{what} = {shown(values)} is no mapping; give names and values")
    unknown = [name for name in values if name not in known]
    if unknown:
        raise InputError(f"{what}: {shown(unknown[0])} is not known; choose from {', '.join(known)}")
