"""Recorded episodes as a Minari dataset, with where they come from and Croissant metadata beside the data."""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sageserve_env
from sageserve_env.datasets.croissant import file_object, metadata
from sageserve_env.datasets.record import Recorded, Recording
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import policy_name
from sageserve_env.extras import need
from sageserve_env.files.writing import require_writable, whole_folder
from sageserve_env.registration import problem_name

EXTRA, USE = "datasets", "a Minari dataset"

ROOT = "MINARI_DATASETS_PATH"
"""The variable by which Minari is told where datasets are."""

DATA, PROVENANCE, CROISSANT = "data", "provenance.json", "croissant.json"

LICENCE = "https://opensource.org/license/mit"

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-v[0-9]+")


def dataset_id(env_id: str, name: str) -> str:
    """What Minari calls a dataset.

    Args:
        env_id: Id of the environment.
        name: Of the dataset, with its version.

    Raises:
        InputError: The name is none that Minari takes.

    Example:
        >>> dataset_id("SageServe/Mini-v0", "reactive-v0")
        'sageserve/mini/reactive-v0'
    """
    if NAME.fullmatch(name) is None:
        raise InputError(f"--name = '{name}' is no name of a dataset; give small letters, digits and hyphens, such as expert-v0")
    return f"sageserve/{problem_name(env_id, '--env')}/{name}"


def require_new(folder: Path, name: str) -> None:
    """Refuse, before anything is played, a dataset that is there already or cannot be written.

    Raises:
        MissingExtra: Minari is not installed.
        InputError: As said.
    """
    need("minari", EXTRA, USE)
    need("h5py", EXTRA, USE)
    if (folder / name).exists():
        raise InputError(f"'{folder / name}' is there already; give another --name or --out")
    require_writable(folder)


def write_dataset(recording: Recording, recorded: Sequence[Recorded], folder: Path, name: str) -> Path:
    """Write a dataset, whole or not at all; ``minari.load_dataset(name)`` finds it where ``MINARI_DATASETS_PATH`` is the folder.

    Args:
        recording: What the episodes are of.
        recorded: The episodes.
        folder: Of datasets.
        name: Of this one, from :func:`dataset_id`.

    Returns:
        The dataset's own folder.

    Raises:
        MissingExtra: Minari is not installed.
        InputError: It is there already, or cannot be written.
    """
    require_new(folder, name)
    provenance = recording.provenance(list(recorded))
    with whole_folder(folder / name, seal=DATA) as fresh:
        scratch = fresh / "scratch"
        with datasets_in(scratch):
            create(recording, recorded, name, provenance)
        (scratch / name / DATA).rename(fresh / DATA)
        shutil.rmtree(scratch)
        (fresh / PROVENANCE).write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")
        files = [file_object(path, fresh) for path in sorted(fresh.rglob("*.*")) if path.is_file()]
        told = metadata(
            name.replace("/", "-"),
            f"{description(recording)} Digest of the data: {provenance['data_digest']}. {provenance['kept']}",
            licences=[LICENCE],
            version=sageserve_env.__version__,
            files=files,
        )
        (fresh / CROISSANT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return folder / name


def create(recording: Recording, recorded: Sequence[Recorded], name: str, provenance: dict[str, Any]) -> None:
    """Have Minari write the episodes."""
    minari = need("minari", EXTRA, USE)
    buffers = [
        minari.data_collector.EpisodeBuffer(
            id=number,
            seed=each.seed,
            observations=each.observations,
            actions=each.actions,
            rewards=each.rewards,
            terminations=[False] * len(each.rewards),
            truncations=each.is_truncated,
            infos=each.infos,
        )
        for number, each in enumerate(recorded)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what of a link and of an address it would like to know
        dataset = minari.create_dataset_from_buffers(
            name,
            buffers,
            env=recording.env,
            eval_env=recording.env_id,
            algorithm_name=provenance["policy"],
            author=f"sageserve-env {sageserve_env.__version__}",
            description=description(recording),
            requirements=[f"sageserve-env=={sageserve_env.__version__}"],
        )
        shown = {key: provenance[key] for key in ("problem_digest", "dynamics_digest", "data_digest", "seed", "kept")}
        dataset.storage.update_metadata({**shown, "mix": json.dumps(provenance["mix"])})
        kinds = [{"kind": each.kind, "actions": each.digests[0], "outcomes": each.digests[1]} for each in recorded]
        dataset.storage.update_episode_metadata(kinds)


def description(recording: Recording) -> str:
    """A dataset in a sentence or two."""
    shares = ", ".join(f"{share:.0%} {kind}" for kind, share in recording.shares.items())
    return (
        f"{len(recording.kinds)} episodes of {recording.env_id}, split {recording.split}, by actions of mode target: {shares}; "
        f"the expert follows the controller {policy_name(recording.policy)}. Infos hold the terms of each interval, and its cost, "
        "the avoidable breaches."
    )


@contextmanager
def datasets_in(folder: Path) -> Iterator[None]:
    """Have Minari look for datasets in a folder."""
    before = os.environ.get(ROOT)
    os.environ[ROOT] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[ROOT]
        else:
            os.environ[ROOT] = before
