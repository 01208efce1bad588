"""A shared policy on disk: a folder of ``weights.npz``, arrays alone, and ``card.json``."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import sageserve_env
from agents.inference.shared.policy import SharedPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.protocol import problem_digest
from sageserve_env.registration import IDS
from sageserve_env.writing import whole_folder

CARD, WEIGHTS = "card.json", "weights.npz"


def save_shared(folder: Path, policy: SharedPolicy, **facts: Any) -> None:
    """Write a policy; its folder is made or replaced.

    Args:
        folder: Where.
        policy: What.
        **facts: What else the card is to tell, as JSON has it.
    """
    packed, arrays = io.BytesIO(), policy.arrays()
    np.savez(packed, allow_pickle=False, **arrays)
    card = {
        "format": 1,
        "kind": policy.KIND,
        "env": IDS[policy.facts.name],
        "problem_digest": problem_digest(policy.facts.problem),
        "package": sageserve_env.__version__,
        "weights": {
            "sha256": sha256(packed.getvalue()).hexdigest(),
            "arrays": {name: {"shape": list(array.shape), "dtype": str(array.dtype)} for name, array in arrays.items()},
        },
        "settings": policy.settings(),
        **facts,
    }
    with whole_folder(folder, CARD) as fresh:
        (fresh / WEIGHTS).write_bytes(packed.getvalue())
        (fresh / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def load_shared(folder: str | Path) -> SharedPolicy:
    """The policy of a folder; nothing in it is ever unpickled.

    Raises:
        InputError: There is none, or it is torn or of another kind.
    """
    try:
        card = json.loads((Path(folder) / CARD).read_text(encoding="utf-8"))
        data = (Path(folder) / WEIGHTS).read_bytes()
    except (OSError, ValueError):
        raise InputError(f"'{folder}' is no folder of a saved agent; give one with {CARD} and {WEIGHTS}") from None
    if not isinstance(card, dict) or card.get("kind") != SharedPolicy.KIND or sha256(data).hexdigest() != card["weights"]["sha256"]:
        raise InputError(f"'{folder}' holds no shared policy, or not the weights of its card; train the agent anew")
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        return SharedPolicy.from_parts(card["settings"], {name: packed[name] for name in packed.files})
