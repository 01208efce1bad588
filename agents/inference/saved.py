"""A saved agent: a folder of ``weights.npz``, arrays alone, and ``card.json``, which says what they are; loading runs no code."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sageserve_env
from agents.inference.kinds import KINDS, Parts, SavedAgent
from sageserve_env.errors import InputError, quoted, shown
from sageserve_env.evaluation.locked.protocol import problem_digest
from sageserve_env.evaluation.saved import CARD, WEIGHTS
from sageserve_env.files.reading import read_json
from sageserve_env.files.writing import whole_folder, write_rows
from sageserve_env.registration import IDS, problem_name
from sageserve_env.scenarios import load_problem

FORMAT = 1

SHIPPED = Path(__file__).resolve().parents[1] / "trained"
"""Agents that the package brings, a folder each."""

PREFIX = "agents/"
"""In front of the name of a shipped agent, on the command line."""

LARGEST = 1 << 28
"""Bytes of weights, unpacked."""

CHOICES = ("likeliest", "sampled")

HEAD = ("format", "kind", "env", "problem_digest", "package", "weights", "settings")
"""What a card must have; what else it tells, of the training and of scores, is for people."""


def save_agent(folder: Path, agent: Parts, env: str, *, curve: Sequence[Mapping[str, Any]] = (), **facts: Any) -> None:
    """Write an agent.

    Args:
        folder: Made, or its agent replaced.
        agent: Of one of ``KINDS``.
        env: Id or name of the problem that it plays.
        curve: Rows of its training, the card's last part.
        **facts: What else the card is to tell, as JSON has it: the training, scores, known failures.

    Raises:
        InputError: There is no such problem, or the folder cannot be written.
    """
    problem = problem_name(env, "env")
    arrays = agent.arrays()
    packed = pack(arrays)
    card = {
        "format": FORMAT,
        "kind": agent.KIND,
        "env": IDS[problem],
        "problem_digest": problem_digest(load_problem(problem)),
        "package": sageserve_env.__version__,
        "weights": {
            "sha256": sha256(packed).hexdigest(),
            "arrays": announced(arrays),
        },
        "settings": agent.settings(),
        **facts,
    }
    with whole_folder(folder, CARD) as fresh:
        (fresh / WEIGHTS).write_bytes(packed)
        write_rows(fresh / CARD, card, "curve", curve)


def load_agent(
    name: str | Path, *, choose: str | None = None, price_factor: float | None = None, level: float | None = None
) -> SavedAgent:
    """The agent of a folder.

    Args:
        name: A folder that holds ``card.json``, or the name of a shipped agent, also with ``agents/`` in front.
        choose: ``"likeliest"`` or ``"sampled"`` actions; None: as it was saved.
        price_factor: On the problem's price of a breach, for agents that serve several; None: as it was saved.
        level: Share of IW-F that is to be in time, for agents that serve several; None: as it was saved.

    Raises:
        InputError: There is no such agent; its card or weights are torn, changed, or not those of such an agent; or it was made
            for another version of the package's problem.
    """
    folder = agent_folder(name)
    card = read_card(folder)
    try:
        arrays = read_weights(folder / WEIGHTS, card)
        agent: SavedAgent = KINDS[card["kind"]].from_parts(card["settings"], arrays)
        for condition, value in {"price_factor": price_factor, "level": level}.items():
            agent = agent if value is None else told_of(agent, condition, value)
        return agent if choose is None else with_choice(agent, choose)
    except InputError as error:
        raise InputError(f"agent = '{name}': {error}") from None


def agent_folder(name: str | Path) -> Path:
    """Where an agent is.

    Raises:
        InputError: There is none of that name.
    """
    bare = str(name).removeprefix(PREFIX)
    for folder in (Path(name), SHIPPED / bare):
        if (folder / CARD).is_file():
            return folder
    known = sorted(card.parent.name for card in SHIPPED.glob(f"*/{CARD}"))
    ships = f"one that is shipped: {', '.join(known)}" if known else "train one: sageserve train"
    raise InputError(f"agent = '{name}' is no folder with a {CARD}; give such a folder, or {ships}")


def read_card(folder: Path) -> dict[str, Any]:
    """An agent's card, its head checked.

    Raises:
        InputError: It cannot be read, or is of another format, another kind, or another problem than the package's.
    """
    path = folder / CARD
    card: dict[str, Any] = read_json(path, "give the folder of a saved agent")
    if not isinstance(card, dict) or [name for name in HEAD if name not in card]:
        raise InputError(f"'{path}' is no card of a saved agent: it needs {', '.join(HEAD)}; give another folder")
    if card["format"] != FORMAT:
        raise InputError(f"'{path}': format = {shown(card['format'])}; this package reads {FORMAT}: take the agent's own package")
    if not isinstance(card["kind"], str) or card["kind"] not in KINDS:
        raise InputError(f"'{path}': kind = {shown(card['kind'])} is not known; known: {quoted(KINDS)}")
    if not isinstance(card["settings"], dict) or not isinstance(card["weights"], dict):
        raise InputError(f"'{path}': settings and weights are to be objects; give the folder of a saved agent")
    require_problem(path, card)
    return card


def require_problem(path: Path, card: dict[str, Any]) -> None:
    """Refuse an agent of another problem than the one that the package has under its id.

    Raises:
        InputError: It is one.
    """
    known = {env_id: problem for problem, env_id in IDS.items()}
    if not isinstance(card["env"], str) or card["env"] not in known:
        raise InputError(f"'{path}': env = {shown(card['env'])} does not exist; choose an agent of {', '.join(known)}")
    if card["problem_digest"] != problem_digest(load_problem(known[card["env"]])):
        made = f"was made for another {card['env']} (package {shown(card['package'])})"
        raise InputError(f"'{path}' {made} than that of {sageserve_env.__version__}; install its package, or train anew")


def read_weights(path: Path, card: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """The arrays that a card announces; nothing in them is ever unpickled.

    Raises:
        InputError: The file is not the one of the card, or not of such arrays.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"'{path.name}' cannot be read ({error.strerror}); give the folder of a saved agent") from None
    if sha256(data).hexdigest() != card["weights"].get("sha256"):
        raise InputError(f"'{path.name}' is not the file that its card names (sha256 differs); fetch or train it anew")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > LARGEST:
                raise InputError(f"'{path.name}' unpacks to more than {LARGEST} bytes; give smaller weights")
        with np.load(io.BytesIO(data), allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
    except InputError:
        raise
    except Exception:  # a torn archive, a pickled array and a broken header each raise a class of their own
        raise InputError(f"'{path.name}' holds no plain arrays; fetch or train it anew") from None
    if announced(arrays) != card["weights"].get("arrays"):
        raise InputError(f"'{path.name}' holds other arrays than its card says; fetch or train it anew")
    return arrays


def pack(arrays: Mapping[str, Any]) -> bytes:
    """Arrays as the bytes of an ``.npz`` file."""
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def announced(arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """What a card says of arrays: the type and shape of each."""
    return {name: f"{array.dtype} {array.shape}" for name, array in arrays.items()}


def told_of(agent: SavedAgent, condition: str, value: float) -> SavedAgent:
    """An agent that is told of another value.

    Raises:
        InputError: It is told of no such thing, or the value is none of it.
    """
    if getattr(agent, "condition", None) != condition:
        raise InputError(f"{condition} = {shown(value)}: this agent of kind '{agent.KIND}' is told of none; leave it out")
    chosen: SavedAgent = agent.told(value)  # type: ignore[attr-defined]
    return chosen


def with_choice(agent: SavedAgent, choose: str) -> SavedAgent:
    """An agent that draws its actions, or takes the likeliest.

    Raises:
        InputError: There is no such choice, or the agent has it not.
    """
    if choose not in CHOICES:
        raise InputError(f"choose = {shown(choose)}; give one of {', '.join(CHOICES)}")
    sampling = getattr(agent, "sampling", None)
    if sampling is None:
        raise InputError(f"choose = '{choose}': agents of kind '{agent.KIND}' have one way to act; leave it out")
    chosen: SavedAgent = sampling(choose == "sampled")
    return chosen
