"""YAML as world files use it: plain values, unique keys, numbers as they are written, and no larger than a world can be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from sageserve_env.errors import InputError

LARGEST_FILE = 1_000_000
"""Bytes of a world file; the presets have some thousands."""

MOST_VALUES = 200_000
"""Values of a world file, aliases written out: a few lines of aliases of aliases stand for more than any memory holds."""

INT = "tag:yaml.org,2002:int"
DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
"""YAML 1.1 reads 010 as 8 and 1:30 as 90. Here they stay text, which a number's field reads as Python does, or refuses."""


class WorldLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys in silence; this one refuses."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's name)
        first: [(tag, DECIMAL if tag == INT else pattern) for tag, pattern in resolvers]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; see PyYAML."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"line {key.start_mark.line + 1}: a key is no text; give a name")
            if key.value in seen:
                raise InputError(f"line {key.start_mark.line + 1}: key '{key.value}' appears twice; drop one")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(text: str, least: str = "'extends' with the name of a preset") -> dict[str, Any]:
    """The mapping that a file holds.

    Args:
        text: Of the file.
        least: What is to be given where there is nothing.

    Raises:
        InputError: It is not YAML, is no mapping, has a key twice, or is larger than a world.
    """
    try:
        loader = WorldLoader(text)
        node = loader.get_single_node()
        if node is not None and _values(node, {}) > MOST_VALUES:
            raise InputError(f"holds more than {MOST_VALUES:,} values with its aliases written out; give a smaller file")
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"line {line} is not YAML ({error.problem}); correct it") from None
    except InputError:
        raise
    except RecursionError:
        raise InputError("is nested too deeply for a world; flatten it") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date, or more digits than Python reads
        raise InputError(f"is not YAML ({error}); correct it") from None
    if not isinstance(data, dict):
        raise InputError(f"holds no fields; give at least {least}")
    return data


def read_yaml_file(path: Path, least: str) -> dict[str, Any]:
    """The mapping of a file, as :func:`read_yaml`; messages name the file.

    Raises:
        InputError: It cannot be read, or as above.
    """
    try:
        return read_yaml(path.read_text(encoding="utf-8"), least)
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); give a YAML file") from None
    except UnicodeDecodeError:
        raise InputError(f"'{path}' is no text; give a YAML file") from None
    except InputError as error:
        raise InputError(f"'{path}' {error}") from None


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Values below a node, each alias counted as what it stands for; ``known`` holds those of nodes seen, 0 of those still open."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = 0
        children = [child for pair in node.value for child in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_values(child, known) for child in children)
    elif known[id(node)] == 0:
        raise InputError(f"line {node.start_mark.line + 1}: an alias stands inside what it names; write it out")
    return known[id(node)]
