"""The file of secret seeds, and its SHA-256, which the board commits to before anybody is ranked by it.

Whoever holds the file can play the split at any time, and anyone can tell later that the seeds were not chosen to please anybody.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.leaderboard.board import Board
from sageserve_env.leaderboard.hidden.sources import hidden_source
from sageserve_env.leaderboard.hidden.split import SEED_BITS
from sageserve_env.scenarios import Problem

COMMITMENT = "hidden.json"

FORMAT = 1

EPISODES = 20


def new_secret(problems: Sequence[Problem], episodes: int = EPISODES) -> str:
    """The text of a file of seeds, from the system's randomness.

    Raises:
        InputError: A problem has no hidden split.
    """
    for problem in problems:
        hidden_source(problem)
    seeds = {problem.id: [secrets.randbits(SEED_BITS) for _ in range(episodes)] for problem in problems}
    return json.dumps({"format": FORMAT, "salt": secrets.token_hex(32), "seeds": seeds}, indent=1) + "\n"


def commitment(secret: str) -> dict[str, Any]:
    """What is published of a file of seeds before it is used."""
    episodes = {env: len(each) for env, each in json.loads(secret)["seeds"].items()}
    return {"format": FORMAT, "sha256": sha256(secret.encode()).hexdigest(), "episodes": episodes}


def read_secret(path: Path, board: Board) -> dict[str, list[int]]:
    """The seeds of a file, by id.

    Raises:
        InputError: A file cannot be read, or it is not the one that the board committed to.
    """
    try:
        committed = json.loads((board.root / COMMITMENT).read_text(encoding="utf-8"))["sha256"]
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"'{error.filename}' cannot be read ({error.strerror}); give the file of seeds, and its board") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"'{board.root / COMMITMENT}' commits to no file of seeds; restore it") from None
    if sha256(data).hexdigest() != committed:
        raise InputError(f"'{path}' is not the file that the board committed to: its SHA-256 is another one; give that file")
    seeds: dict[str, list[int]] = json.loads(data)["seeds"]
    return seeds
