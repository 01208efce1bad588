"""A checkpoint: all that a training needs to go on, in one folder, with a digest of each file.

Stable-Baselines3's files are archives of pickles, which run code when they are loaded. So they are loaded only where a training
is resumed, and only if they are, byte for byte, those that the training wrote. That tells mix-ups and swapped files, not a forger
who writes the digests too: resume your own trainings, not strangers'.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from agents.inference.saved import pack
from agents.training.algorithms import Algorithm
from agents.training.vector import Normalised
from sageserve_env.errors import InputError, shown
from sageserve_env.files.writing import whole_folder

PREFIX, SEAL = "checkpoint-", "checkpoint.json"
"""A checkpoint stands in a folder of its own, by its steps; the one before goes when it is whole."""

MODEL, BUFFER, SEEN = "model.zip", "buffer.pkl", "seen.npz"

FORMAT = 1


@dataclass(frozen=True)
class Run:
    """What a training is: a checkpoint goes on with the same one only.

    Attributes:
        algo: Name of the algorithm.
        problem: Name of the problem.
        seed: Of weights, actions and episodes.
        settings: As JSON has them.
    """

    algo: str
    problem: str
    seed: int
    settings: dict[str, Any]

    def packed(self) -> dict[str, Any]:
        """As JSON has it: lists for tuples."""
        packed: dict[str, Any] = json.loads(json.dumps(vars(self)))
        return packed


def checkpoints(out: Path) -> list[Path]:
    """The checkpoints of a training, the latest last: one, or two where it was killed in between."""
    found = [path for path in out.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(PREFIX)))


def write_checkpoint(out: Path, run: Run, model: Any, seen: Normalised, algorithm: Algorithm, spent: dict[str, float]) -> None:
    """Write a checkpoint, then remove the earlier ones.

    Args:
        out: Folder of the training.
        run: What is trained.
        model: The model.
        seen: What was seen of observations and rewards.
        algorithm: Of the model.
        spent: Seconds so far, ``wall_s`` and ``cpu_s``.
    """
    folder = out / f"{PREFIX}{model.num_timesteps}"
    with whole_folder(folder, SEAL) as fresh:
        model.save(fresh / MODEL)
        (fresh / SEEN).write_bytes(pack(seen.state()))
        if algorithm.has_buffer:
            model.save_replay_buffer(fresh / BUFFER)
        digests = {path.name: digest_of(path) for path in sorted(fresh.iterdir())}
        facts = {"format": FORMAT, "steps": int(model.num_timesteps), "run": run.packed(), "spent": spent, "sha256": digests}
        (fresh / SEAL).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for other in checkpoints(out):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def read_checkpoint(out: Path, run: Run) -> tuple[Path, dict[str, Any]]:
    """The latest checkpoint of a training, its files checked; nothing is loaded.

    Returns:
        Its folder, and ``steps`` and ``spent``.

    Raises:
        InputError: There is none, it is of another training, or a file is not the one that was written.
    """
    folder = (checkpoints(out) or [out])[-1]
    path = folder / SEAL
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        kept, digests, steps = facts["run"], facts["sha256"], facts["steps"]
        is_whole = facts["format"] == FORMAT and isinstance(digests, dict) and isinstance(steps, int)
        spent = {name: float(facts["spent"][name]) for name in ("wall_s", "cpu_s")}
    except OSError as error:
        what = f"--resume: '{path}' cannot be read ({error.strerror})"
        raise InputError(f"{what}; name the folder of an earlier training, or leave --resume out") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"--resume: '{path}' is no checkpoint of sageserve train; train anew in another folder") from None
    if not is_whole or not isinstance(kept, dict):
        raise InputError(f"--resume: '{path}' is no checkpoint that this package reads; train anew in another folder")
    require_same_run(path, kept, run.packed())
    for name in (MODEL, SEEN, *(set(digests) - {MODEL, SEEN})):
        file = folder / Path(name).name
        if not file.is_file() or digest_of(file) != digests.get(name):
            raise InputError(f"--resume: '{file}' is not the file that was written there (sha256 differs); train anew elsewhere")
    return folder, {"steps": steps, "spent": spent}


def require_same_run(path: Path, kept: dict[str, Any], own: dict[str, Any]) -> None:
    """Refuse a checkpoint of another training.

    Raises:
        InputError: It is one; the message names the first difference.
    """
    flat_kept, flat_own = ({**each, **each.get("settings", {})} for each in (kept, own))
    for name in flat_own:
        if name != "settings" and flat_kept.get(name) != flat_own[name]:
            there, here = shown(flat_kept.get(name)), shown(flat_own[name])
            raise InputError(f"--resume: '{path}' is of a training with {name} = {there}, not {here}; give what it was begun with")


def restored(folder: Path, algorithm: Algorithm, envs: Any, seen: Normalised, device: str) -> Any:
    """The model of a checkpoint that :func:`read_checkpoint` has checked. This unpickles it.

    Raises:
        InputError: Its files do not fit the environments.
    """
    try:
        with np.load(folder / SEEN, allow_pickle=False) as arrays:
            seen.restore(dict(arrays))
        model = algorithm.load().load(folder / MODEL, env=envs, device=device)
        if algorithm.has_buffer:
            model.load_replay_buffer(folder / BUFFER)
    except Exception as error:  # unlike spaces, and versions that do not read each other, raise classes of their own
        raise InputError(f"--resume: '{folder}' cannot be gone on from ({error}); train anew in another folder") from None
    return model


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    hashed = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()
