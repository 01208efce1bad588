"""The secret that draws the hidden split's seeds, and its SHA-256, which the board commits to before anybody is ranked by it.

Whoever holds the secret can play the split at any time, and anyone can tell later that it was not chosen to please anybody.
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

FORMAT = 2

EPISODES = 20

SECRET_BYTES = 32


def new_secret() -> str:
    """A secret from the system's randomness: 64 hexadecimal digits."""
    return secrets.token_hex(SECRET_BYTES)


def commitment(secret: str, problems: Sequence[Problem], episodes: int = EPISODES) -> dict[str, Any]:
    """What is published of a secret before it is used.

    Args:
        secret: The secret; white space around it does not count.
        problems: Whose hidden splits it draws.
        episodes: Of each.

    Raises:
        InputError: A problem has no hidden split.
    """
    for problem in problems:
        hidden_source(problem)
    return {"format": FORMAT, "sha256": sha256_of(secret.strip()), "episodes": {problem.id: episodes for problem in problems}}


def read_secret(path: Path, board: Board) -> dict[str, list[int]]:
    """The seeds that the secret in a file draws, by id; white space around it does not count.

    Raises:
        InputError: A file cannot be read, or it does not hold the secret that the board committed to.
    """
    try:
        committed = json.loads((board.root / COMMITMENT).read_text(encoding="utf-8"))
        expected = committed["sha256"]
        episodes = {env: range(count) for env, count in committed["episodes"].items()}
        secret = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise InputError(f"'{error.filename}' cannot be read ({error.strerror}); give the secret's file, and its board") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"'{board.root / COMMITMENT}' commits to no secret; restore it") from None
    if sha256_of(secret) != expected:
        raise InputError(f"'{path}' does not hold the secret that the board committed to, by its SHA-256; give that one")
    return {env: [seed(secret, env, number) for number in numbers] for env, numbers in episodes.items()}


def sha256_of(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def seed(secret: str, env: str, number: int) -> int:
    """The seed of an episode of an id: the first bits of a digest that only who knows the secret can compute."""
    return int(sha256_of(f"{secret} {env} {number}"), 16) >> (256 - SEED_BITS)
