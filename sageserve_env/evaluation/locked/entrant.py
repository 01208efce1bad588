"""Who is evaluated: a policy by name, a saved agent, or a class of a module or a file; loaded in its own process only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from importlib import import_module
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sageserve_env.errors import InputError, shown
from sageserve_env.evaluation.policy import installed_policies, load_policy, made_policy, policy_name, policy_options
from sageserve_env.evaluation.saved import SavedFolder, saved_folder

VIEW = {"action_mode": str, "max_delta": int, "observation": str, "mask_in_observation": bool, "forecaster": str}
"""What an agent may choose of its environment, and as what: the form of actions and of observations."""

FILE_MODULE = "_sageserve_entrant"
"""What a file is called once it is imported."""


class Agent(Protocol):
    """Acts on observations. A new object is made for each episode, without arguments but the options given.

    One that draws its actions takes an option ``sampled``, False by default, in which case it takes the likeliest.

    A class attribute ``VIEW`` may choose the form of actions and observations, by the names in :data:`VIEW` above, as arguments of
    ``gym.make``; without it they are the environment's own.
    """

    def reset(self, seed: int) -> None:
        """Begin an episode; the seed is for random numbers of its own."""
        ...

    def act(self, observation: Any, mask: np.ndarray | None) -> Any:
        """The action for an observation, in the action space of the view.

        Args:
            observation: As ``env.step`` gives it; its arrays cannot be written to.
            mask: int8, which choices can be made in full, as ``info["action_mask"]``; None where the action mode has none.
        """
        ...


@dataclass(frozen=True)
class Entrant:
    """How a policy is named: ``NAME``, ``FOLDER``, ``module:Class`` or ``FILE.py:Class``, each with options ``:name=value``.

    Attributes:
        text: As it was given.
        source: Name, folder of a saved agent, module or path.
        class_name: Of the class in a module or file; None for a name or a folder.
        options: Arguments.
        entry: Where an installed policy is, if one is named. Found once, as the search takes longer than to begin an episode.
        saved: The saved agent that is named, if one is.
    """

    text: str
    source: str
    class_name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    entry: EntryPoint | None = field(init=False, repr=False, compare=False)
    saved: SavedFolder | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_named = self.class_name is None
        object.__setattr__(self, "entry", installed_policies().get(self.source) if is_named else None)
        object.__setattr__(self, "saved", saved_folder(self.source) if is_named else None)

    @classmethod
    def parse(cls, text: str, read_options: Callable[[list[str]], dict[str, Any]]) -> Entrant:
        """Read what the command line says.

        Args:
            text: The words.
            read_options: Makes options of ``name=value`` words.

        Raises:
            InputError: There is no such policy or file, or an option has no value.
        """
        source, *words = text.split(":")
        class_name = words.pop(0) if words and "=" not in words[0] else None
        entrant = cls(text, source, class_name, read_options(words))
        if class_name is None and entrant.entry is None and entrant.saved is None:
            if source.endswith(".py"):
                raise InputError(f"--policy = '{text}' names no class; give FILE.py:Class")
            load_policy(source)  # says which names there are
        if entrant.is_file and not Path(source).is_file():
            raise InputError(f"--policy = '{text}': '{source}' is no file; give FILE.py:Class")
        return entrant

    def both_ways(self) -> tuple[Entrant, Entrant]:
        """An agent that takes the likeliest actions, and the same drawing them: by ``choose`` of a saved one, else by ``sampled``.

        Raises:
            InputError: The option is given already.
        """
        name = "sampled" if self.saved is None else "choose"
        if name in self.options:
            raise InputError(f"--policy = '{self.text}' says already by {name} how it acts; leave out --sampled")
        if self.saved is None:
            return self, self._with(sampled=True)
        return self._with(choose="likeliest"), self._with(choose="sampled")

    def _with(self, **options: Any) -> Entrant:
        """The same with more options."""
        words = "".join(f":{name}={str(value).lower()}" for name, value in options.items())
        return replace(self, text=self.text + words, options={**self.options, **options})

    @property
    def is_file(self) -> bool:
        """Whether a file of Python is named."""
        return self.class_name is not None and self.source.endswith(".py")

    @property
    def installed_modules(self) -> list[str]:
        """The module of an installed policy, or of what loads a saved agent, where one is named."""
        entries = [self.entry, None if self.saved is None else self.saved.loader]
        return [entry.module for entry in entries if entry is not None]

    @property
    def digest(self) -> str | None:
        """Of a file's text, or what decides a saved agent's actions, so that an evaluation goes on with no other; else None."""
        if self.saved is not None:
            return self.saved.digest
        return blake2b(Path(self.source).read_bytes(), digest_size=16).hexdigest() if self.is_file else None

    def load(self) -> Any:
        """Make the policy; runs its code.

        Raises:
            InputError: There is no such class, or it does not take the options.
        """
        if self.entry is not None:
            return made_policy(self.entry, **self.options)
        if self.saved is not None:
            return self.saved.load(**self.options)
        if self.class_name is None:
            return load_policy(self.source, **self.options)  # says which names there are
        module = _file_module(Path(self.source)) if self.is_file else import_module(self.source)
        factory = getattr(module, self.class_name, None)
        if not callable(factory):
            raise InputError(f"policy = '{self.text}': '{self.source}' has no class '{self.class_name}'; name one that it has")
        return factory(**self.options)


@dataclass(frozen=True)
class Described:
    """What a policy says of itself.

    Attributes:
        name: What reports call it.
        kind: ``"agent"`` (``act``) or ``"controller"`` (``decide``).
        knows_future: Whether it wants to be shown the traffic to come (``foresee``).
        options: That it was built with, as text.
        view: What it chose of the environment.
    """

    name: str
    kind: str
    knows_future: bool
    options: dict[str, str]
    view: dict[str, Any]


def described(policy: Any, entrant: Entrant) -> Described:
    """What is to be known of a policy before it plays.

    Raises:
        InputError: It has not the methods of an agent or of a controller, or chooses what an agent may not.
    """
    kinds = [kind for kind, name in (("agent", "act"), ("controller", "decide")) if callable(getattr(policy, name, None))]
    if not kinds or not callable(getattr(policy, "reset", None)):
        wanted = "reset(seed) and act(observation, mask), or reset(scenario, rng) and decide(telemetry)"
        raise InputError(f"policy = '{entrant.text}' is no policy: it needs {wanted}")
    view = getattr(policy, "VIEW", {}) if kinds[0] == "agent" else {}
    for name, value in view.items():
        if type(value) is not VIEW.get(name):
            raise InputError(f"policy = '{entrant.text}': VIEW has {name} = {shown(value)}; it may choose {', '.join(VIEW)}")
    options = {name: str(value) for name, value in (policy_options(policy) or entrant.options).items()}
    return Described(policy_name(policy), kinds[0], callable(getattr(policy, "foresee", None)), options, dict(view))


def _file_module(path: Path) -> Any:
    """A file as a module; files beside it can be imported from it."""
    sys.path.insert(0, str(path.resolve().parent))
    spec = spec_from_file_location(FILE_MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[FILE_MODULE] = module
    spec.loader.exec_module(module)
    return module
