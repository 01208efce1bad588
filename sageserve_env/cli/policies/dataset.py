"""``sageserve dataset``: episodes of a mix of behaviours, for offline learning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sageserve_env.cli.options import QuietOption


def dataset(
    policy: Annotated[
        str,
        typer.Option("--policy", "-p", metavar="NAME", help="The expert: an installed controller; options follow: :name=value."),
    ] = "reactive",
    env: Annotated[str, typer.Option("--env", "-e", metavar="ID", help="Id of an environment.")] = "SageServe/Mini-v0",
    episodes: Annotated[int, typer.Option("--episodes", metavar="N", help="How many.")] = 20,
    mix: Annotated[
        str, typer.Option("--mix", metavar="KIND=SHARE,...", help="Shares of random, noisy and expert episodes.")
    ] = "random=0.3,noisy=0.3,expert=0.4",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of Minari datasets.")] = Path("runs/datasets"),
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME-vN", help="Of the dataset; NAME of the policy by default.")
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="train|validation", help="Days of the episodes.")] = "train",
    seed: Annotated[int, typer.Option("--seed", help="Of episodes, their order and noise.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Record episodes for offline learning as a Minari dataset (docs/datasets.md).

    Try:

      sageserve dataset --policy reactive --env SageServe/Mini-v0 --episodes 3 --out runs/datasets
    """
    from rich.progress import track

    from sageserve_env.cli.console import messages, wrote
    from sageserve_env.cli.options import check_seed
    from sageserve_env.cli.policies.simulate import policy_options
    from sageserve_env.datasets.minari_files import dataset_id, require_new, write_dataset
    from sageserve_env.datasets.mix import read_mix
    from sageserve_env.datasets.record import Recording
    from sageserve_env.evaluation.policy import hushed, load_policy
    from sageserve_env.registration import IDS, problem_name

    check_seed(seed)
    shares, (expert, *words) = read_mix(mix), policy.split(":")
    env_id = IDS[problem_name(env, "--env")]
    full_name = dataset_id(env_id, f"{expert}-v0" if name is None else name)
    recording = Recording(load_policy(expert, **policy_options(words, None)), env_id, shares, episodes, seed=seed, split=split)
    require_new(out, full_name)
    console = messages()
    with hushed():
        shown = track(
            recording.episodes(), "recording", episodes, console=console, disable=quiet or not console.is_terminal, transient=True
        )
        folder = write_dataset(recording, list(shown), out, full_name)
    if not quiet:
        wrote(folder, f"; load_dataset('{full_name}') with MINARI_DATASETS_PATH={out}")
