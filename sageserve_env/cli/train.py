"""``sageserve train``: learn a problem with a reinforcement-learning algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sageserve_env.cli.options import QuietOption

ALGORITHMS = ("ppo",)
MOST_STEPS = 10**12
LARGEST_TRAIN_SEED = 2**32 - 1
"""PyTorch's and NumPy's global generators take 32 bits."""


def train(
    env: Annotated[str, typer.Option("--env", "-e", metavar="ID", help="Id of an environment.")] = "SageServe/Mini-v0",
    algo: Annotated[str, typer.Option("--algo", "-a", metavar="NAME", help="The algorithm: ppo.")] = "ppo",
    steps: Annotated[int, typer.Option(metavar="N", help="Environment steps.")] = 200_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of weights, actions and episodes.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of checkpoint, log and results.")] = Path(
        "runs/ppo"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in DIR.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Train an agent on the train split, then play the test split beside a random policy and the starting fleet.

    Try:

      sageserve train --env SageServe/Mini-v0 --algo ppo --seed 0 --out runs/ppo
    """
    import json
    from importlib import import_module

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sageserve_env.cli.console import messages, output, wrote
    from sageserve_env.errors import InputError
    from sageserve_env.registration import problem_name
    from sageserve_env.tables import TextTable
    from sageserve_env.world.checks import require_count
    from sageserve_env.writing import write_text

    problem = problem_name(env, "--env")
    if algo not in ALGORITHMS:
        raise InputError(f"--algo = '{algo}' is not known; choose one of {', '.join(ALGORITHMS)}")
    require_count("--steps", steps, 1, MOST_STEPS)
    require_count("--seed", seed, 0, LARGEST_TRAIN_SEED)
    try:
        agent = import_module(f"agents.{algo}")
    except ImportError as error:
        raise InputError(f"--algo = '{algo}' cannot be loaded ({error}); run: pip install 'sageserve-env[agents]'") from None
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"), TimeRemainingColumn())
    with Progress(*columns, console=messages(), disable=quiet, transient=True) as bar:
        task = bar.add_task("training", total=steps)
        model = agent.train(
            problem, out, steps=steps, seed=seed, resume=resume, report=lambda done: bar.update(task, completed=done)
        )
    scores = agent.scores(problem, model)
    facts = {"env": env, "algo": algo, "seed": seed, "steps": model.num_timesteps, "scores": scores}
    write_text(out / agent.RESULTS, json.dumps(facts, indent=1) + "\n")
    if quiet:
        return
    shown = TextTable(f"{env}, test split: mean dollars of an episode", ["policy"], ["VMs", "avoidable breaches", "together"])
    for name, values in scores.items():
        shown.add_row(name, *(f"{values[key]:,.0f}" for key in ("vm_usd", "breach_usd", "total_usd")))
    output().print(shown)
    wrote(out)
