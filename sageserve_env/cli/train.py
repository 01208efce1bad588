"""``sageserve train``: learn a problem with a reinforcement-learning algorithm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sageserve_env.cli.options import QuietOption

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STEPS = 10**12
MOST_SEEDS = 1000


def train(
    env: Annotated[str, typer.Option("--env", "-e", metavar="ID", help="Id of an environment.")] = "SageServe/Mini-v0",
    algo: Annotated[
        str, typer.Option("--algo", "-a", metavar="NAME", help="ppo, maskable-ppo, recurrent-ppo, sac, tqc or dqn.")
    ] = "maskable-ppo",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings that differ from the shipped ones (.yaml).")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Environment steps of each seed.")] = 200_000,
    seeds: Annotated[str, typer.Option("--seeds", metavar="A,B,...", help="Seeds of weights, actions and episodes.")] = "0",
    parallel: Annotated[int, typer.Option("--parallel", metavar="N", help="Seeds at a time, a process each.")] = 1,
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="Where networks learn: cpu, cuda, cuda:1.")] = "cpu",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Gets a folder for each seed.")] = Path("runs/train"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in DIR.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Train agents on the train split, and keep the best and the last by what they are worth on the validation split.

    Try:

      sageserve train --algo maskable-ppo --env SageServe/Mini-v0 --seeds 0,1,2 --steps 200000 --out runs/mini
    """
    from importlib import import_module

    from sageserve_env.cli.console import wrote
    from sageserve_env.extras import need
    from sageserve_env.registration import problem_name
    from sageserve_env.world.checks import require_count, require_text

    problem = problem_name(env, "--env")
    algorithms = import_module("agents.training.algorithms")
    algorithms.algorithm_named(algo)
    require_count("--steps", steps, 1, MOST_STEPS)
    chosen = read_seeds(seeds, algorithms.LARGEST_SEED)
    require_text("--device", device)
    settings = import_module("agents.training.settings").settings_for(algo, problem, config)
    for module in ("torch", "stable_baselines3", "sb3_contrib"):
        need(module, "agents", f"--algo = '{algo}'")
    require_device(device)
    training, several = import_module("agents.training.train"), import_module("agents.training.seeds")
    plan = training.Plan(algo, problem, chosen[0], steps, settings, device, command=command_of(env, algo, config, steps, device))
    with progress(steps * len(chosen), quiet) as report:
        curves = several.train_seeds(plan, chosen, out, parallel=parallel, resume=resume, report=report)
    if not quiet:
        show(env, algo, curves)
        wrote(out)


def read_seeds(text: str, largest: int) -> list[int]:
    """Seeds of a list, each 0 to ``largest``.

    Raises:
        InputError: It is no list of different seeds.
    """
    from sageserve_env.errors import InputError, shown

    words = text.split(",")
    if not all(word.strip().isdecimal() and len(word.strip()) <= 10 for word in words) or len(words) > MOST_SEEDS:
        raise InputError(f"--seeds = {shown(text)} is no list of seeds; give whole numbers such as 0,1,2")
    seeds = [int(word) for word in words]
    if len(set(seeds)) < len(seeds) or max(seeds) > largest:
        raise InputError(f"--seeds = {shown(text)}; give different whole numbers, 0 to {largest}")
    return seeds


def require_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        InputError: PyTorch cannot use it.
    """
    import torch

    from sageserve_env.errors import InputError, shown

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):  # an AssertionError where PyTorch was built without CUDA
        raise InputError(
            f"--device = {shown(device)} is none that PyTorch has here; give cpu, or cuda where there is one"
        ) from None


def command_of(env: str, algo: str, config: Path | None, steps: int, device: str) -> str:
    """The command of one seed, for its card; ``--seeds`` is the card's seed."""
    import shlex

    words = ["sageserve", "train", "--algo", algo, "--env", env, "--steps", str(steps)]
    words += [] if config is None else ["--config", str(config)]
    return shlex.join(words + ([] if device == "cpu" else ["--device", device]))


@contextmanager
def progress(total: int, quiet: bool) -> Iterator[Callable[[int, float], None]]:
    """A bar of steps, with simulated days a second; gives what is to be called."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sageserve_env.cli.console import messages

    console = messages()
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps, {task.fields[rate]} days/s,"))
    hidden = quiet or not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task("", total=total, rate="–")
        yield lambda steps, rate: bar.update(task, completed=steps, rate=f"{rate:,.1f}")


def show(env: str, algo: str, curves: dict[int, list[dict[str, Any]]]) -> None:
    """Print what the best agent of each seed is worth."""
    from importlib import import_module

    from sageserve_env.cli.console import output
    from sageserve_env.tables import TextTable

    rank = import_module("agents.common.scoring").rank_of
    columns = ["steps", "dollars", "of VMs", "of breaches", "feasible"]
    table = TextTable(f"{env}, {algo}: the best agent on the validation split, mean of its episodes", ["seed"], columns)
    for seed, curve in curves.items():
        best = min(curve, key=rank)
        dollars = (f"{best[name]:,.0f}" for name in ("usd", "vm_usd", "breach_usd"))
        table.add_row(str(seed), f"{best['steps']:,}", *dollars, f"{best['feasible']} of {best['episodes']}")
    output().print(table)
