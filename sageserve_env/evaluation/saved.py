"""Saved agents by the names that packages give them, or by their folders."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError, shown
from sageserve_env.files.reading import read_json

GROUP = "sageserve.agents"
"""Entry points of this group load saved agents: functions of a folder, or of a name that begins with the entry point's own and a
slash. Their module has ``agent_folder``, which finds the folder of such a name."""

CARD, WEIGHTS = "card.json", "weights.npz"


@dataclass(frozen=True)
class SavedFolder:
    """A saved agent.

    Attributes:
        folder: That holds its card and weights.
        loader: Makes an agent of a folder.
    """

    folder: Path
    loader: EntryPoint

    @property
    def digest(self) -> str:
        """Of all that decides its actions: kind, settings and weights; what else its card tells may change.

        Raises:
            InputError: The folder cannot be read.
        """
        card = self.card()
        try:
            weights = (self.folder / WEIGHTS).read_bytes()
        except OSError as error:
            raise InputError(f"'{self.folder / WEIGHTS}' cannot be read ({error.strerror}); give a saved agent's folder") from None
        decides = json.dumps([card.get("kind"), card.get("settings")], sort_keys=True)
        return blake2b(decides.encode() + weights, digest_size=16).hexdigest()

    def card(self) -> dict[str, Any]:
        """What it says of itself.

        Raises:
            InputError: It is no JSON object.
        """
        path = self.folder / CARD
        card = read_json(path, "give the folder of a saved agent")
        if not isinstance(card, dict):
            raise InputError(f"'{path}' is no JSON object; give the folder of a saved agent")
        return card

    def load(self, **options: Any) -> Any:
        """Make the agent; runs no code of the folder.

        Raises:
            InputError: It cannot be used, or takes no such options.
        """
        load = self.loader.load()
        parameters = [name for name in inspect.signature(load).parameters if name != "name"]
        unknown = [name for name in options if name not in parameters]
        if unknown:
            raise InputError(f"policy = '{self.folder}' has no option {shown(unknown[0])}; it takes {', '.join(parameters)}")
        return load(self.folder, **options)

    def require_env(self, env_id: str) -> None:
        """Refuse an agent that was made for another environment.

        Raises:
            InputError: It was.
        """
        made_for = self.card().get("env")
        if made_for != env_id:
            raise InputError(f"policy = '{self.folder}' was made for {shown(made_for)}, not for {env_id}; give --env its own id")


def saved_folder(source: str) -> SavedFolder | None:
    """The saved agent that a text names, if it names one.

    Args:
        source: A folder that holds a card, or ``PACKAGE/NAME`` of an agent that an installed package ships.

    Raises:
        InputError: The package ships none of that name, or nothing is installed that loads saved agents.
    """
    loaders = {entry.name: entry for entry in entry_points(group=GROUP)}
    package = source.partition("/")[0]
    if (Path(source) / CARD).is_file():
        if not loaders:
            raise InputError(f"policy = '{source}' is a saved agent, and nothing installed loads any; install sageserve-env")
        return SavedFolder(Path(source), loaders.get(package) or next(iter(loaders.values())))
    if "/" not in source or package not in loaders:
        return None
    module = inspect.getmodule(loaders[package].load())
    assert module is not None
    return SavedFolder(module.agent_folder(source), loaders[package])
