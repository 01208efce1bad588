"""The checkpoint of a training in PyTorch: all that decides what comes next, as plain arrays in one ``.npz``. It runs no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.inference.saved import pack
from sageserve_env.errors import InputError, shown
from sageserve_env.files.writing import whole_file

CHECKPOINT = "checkpoint.npz"

ABOUT, FORMAT = "about", 1
"""The array of one text, JSON, that says what the others are of."""

OURS = ("network", "optimizer", "draws", "torch", "cuda")
"""How the names of PyTorch's arrays begin."""

Arrays = dict[str, NDArray[Any]]


def write_checkpoint(path: Path, run: Mapping[str, Any], facts: Mapping[str, Any], arrays: Arrays) -> None:
    """Replace a checkpoint, whole or not at all.

    Args:
        path: The file.
        run: What the training is, as JSON has it; one that goes on must be the same.
        facts: What else is to be told, as JSON has it.
        arrays: The state.
    """
    about = json.dumps({"format": FORMAT, "run": run, "facts": facts})
    with whole_file(path) as part:
        part.write_bytes(pack({ABOUT: np.array(about), **arrays}))


def read_checkpoint(path: Path, run: Mapping[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """A checkpoint's facts and arrays.

    Raises:
        InputError: There is none, or it is of another training.
    """
    try:
        with np.load(path, allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        about = json.loads(str(arrays.pop(ABOUT)))
        kept, facts, is_ours = dict(about["run"]), dict(about["facts"]), about["format"] == FORMAT
    except OSError as error:
        why = error.strerror or "it is torn"
        raise InputError(f"--resume: '{path}' cannot be read ({why}); name the folder of an earlier training") from None
    except Exception:  # a torn archive, a pickled array and other people's files each raise a class of their own
        raise InputError(f"--resume: '{path}' is no checkpoint of such a training; train anew in another folder") from None
    if not is_ours:
        raise InputError(f"--resume: '{path}' has a format that this package does not read; train anew in another folder")
    for name, own in run.items():
        if kept.get(name) != own:
            there = f"{name} = {shown(kept.get(name))}, not {shown(own)}"
            raise InputError(f"--resume: '{path}' is of a training with {there}; give what it was begun with")
    return facts, arrays


def torch_state(network: torch.nn.Module, optimizer: torch.optim.Optimizer, draws: torch.Generator) -> Arrays:
    """Weights, what the optimizer remembers of each, and where the random numbers are."""
    arrays = {f"network.{name}": plain(tensor) for name, tensor in network.state_dict().items()}
    for k, kept in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{k}.{name}": plain(tensor) for name, tensor in kept.items()}
    arrays |= {"draws": plain(draws.get_state()), "torch": plain(torch.get_rng_state())}
    return arrays | ({"cuda": plain(torch.cuda.get_rng_state())} if torch.cuda.is_available() else {})


def restore_torch(arrays: Arrays, network: torch.nn.Module, optimizer: torch.optim.Optimizer, draws: torch.Generator) -> None:
    """Go on from :func:`torch_state`.

    Raises:
        KeyError, RuntimeError: The arrays are of another network.
    """
    tensors = {name: torch.as_tensor(array) for name, array in arrays.items() if name.partition(".")[0] in OURS}
    network.load_state_dict({name: tensors[f"network.{name}"] for name in network.state_dict()})
    memory: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part == "optimizer":
            k, _, what = rest.partition(".")
            memory.setdefault(int(k), {})[what] = tensor
    optimizer.load_state_dict({"state": memory, "param_groups": optimizer.state_dict()["param_groups"]})
    draws.set_state(tensors["draws"])
    torch.set_rng_state(tensors["torch"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])


def plain(tensor: torch.Tensor) -> NDArray[Any]:
    """A tensor's numbers."""
    return np.array(tensor.detach().cpu().numpy())
