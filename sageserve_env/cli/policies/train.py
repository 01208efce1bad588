"""``sageserve train``: learn a problem with a reinforcement-learning algorithm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sageserve_env.cli.options import QuietOption

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS, MOST_STEPS = 200_000, 10**12
MOST_SEEDS = 1000


def train(
    env: Annotated[str, typer.Option("--env", "-e", metavar="ID", help="Id of an environment.")] = "SageServe/Mini-v0",
    algo: Annotated[
        str, typer.Option("--algo", "-a", metavar="NAME", help="ppo, maskable-ppo, recurrent-ppo, sac, tqc or dqn; cma-es or cem.")
    ] = "maskable-ppo",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings that differ from the shipped ones (.yaml).")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", metavar="N", help=f"Environment steps of each seed (default {STEPS:,}); not of cma-es, cem."),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", metavar="A,B,...", help="Seeds of weights, actions and episodes.")] = "0",
    parallel: Annotated[int, typer.Option("--parallel", metavar="N", help="Seeds at a time, a process each.")] = 1,
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="Where networks learn: cpu, cuda, cuda:1.")] = "cpu",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Gets a folder for each seed.")] = Path("runs/train"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in DIR.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Train agents on the train split, and keep the best by what they are worth on the validation split.

    Try:

      sageserve train --algo maskable-ppo --env SageServe/Mini-v0 --seeds 0,1,2 --steps 200000 --out runs/mini

      sageserve train --algo cma-es --env SageServe/Mini-v0 --out runs/evolution/mini
    """
    from importlib import import_module

    from sageserve_env.cli.console import progress, wrote
    from sageserve_env.registration import problem_name
    from sageserve_env.world.checks import require_choice, require_count, require_text

    problem_name(env, "--env")
    learned = import_module("agents.training.algorithms")
    evolved = import_module("agents.evolution.settings").ALGORITHMS
    require_choice("--algo", algo, (*learned.ALGORITHMS, *evolved))
    chosen = read_seeds(seeds, learned.LARGEST_SEED)
    require_text("--device", device)
    if algo in evolved:
        require_nothing_learned(algo, steps, parallel, device)
        unit, each, begin = "generations", *evolution(env, algo, config)
    else:
        require_count("--steps", STEPS if steps is None else steps, 1, MOST_STEPS)
        unit, each, begin = "steps", *learning(env, algo, config, steps or STEPS, parallel, device)
    with progress("training", unit, each * len(chosen), quiet) as move:
        curves = begin(chosen, out, resume=resume, report=lambda done, rate: move(done, told=f"{rate:,.1f} days/s"))
    if not quiet:
        show(env, algo, curves)
        wrote(out)


def learning(
    env: str, algo: str, config: Path | None, steps: int, parallel: int, device: str
) -> tuple[int, Callable[..., dict[int, list[dict[str, Any]]]]]:
    """Steps of a seed, and what trains seeds by Stable-Baselines3.

    Raises:
        InputError: The settings or the device cannot be used.
        MissingExtra: The extra ``agents`` is not installed.
    """
    from functools import partial
    from importlib import import_module

    from sageserve_env.extras import need
    from sageserve_env.registration import problem_name

    problem = problem_name(env, "--env")
    settings = import_module("agents.training.settings").settings_for(algo, problem, config)
    for module in ("torch", "stable_baselines3", "sb3_contrib"):
        need(module, "agents", f"--algo = '{algo}'")
    require_device(device)
    words = ["--steps", str(steps), *([] if device == "cpu" else ["--device", device])]
    training, several = import_module("agents.training.train"), import_module("agents.training.seeds")
    plan = training.Plan(algo, problem, 0, steps, settings, device, command=command_of(env, algo, config, words))
    return steps, partial(several.train_seeds, plan, parallel=parallel)


def evolution(env: str, algo: str, config: Path | None) -> tuple[int, Callable[..., dict[int, list[dict[str, Any]]]]]:
    """Generations of a seed, and what evolves seeds.

    Raises:
        InputError: The settings cannot be used.
        MissingExtra: The extra ``tune`` is not installed.
    """
    from functools import partial
    from importlib import import_module

    from sageserve_env.extras import need
    from sageserve_env.registration import problem_name

    problem = problem_name(env, "--env")
    settings = import_module("agents.evolution.settings").settings_for(algo, problem, config)
    if algo == "cma-es":
        need("cma", "tune", f"--algo = '{algo}'")
    evolve_seeds = import_module("agents.evolution.seeds").evolve_seeds
    return settings.generations, partial(evolve_seeds, problem, settings, command=command_of(env, algo, config, []))


def require_nothing_learned(algo: str, steps: int | None, parallel: int, device: str) -> None:
    """Refuse options of gradient descent.

    Raises:
        InputError: One was given.
    """
    from sageserve_env.errors import InputError, shown

    given = {"--steps": (steps, None), "--parallel": (parallel, 1), "--device": (device, "cpu")}
    for name, (value, usual) in given.items():
        if value != usual:
            raise InputError(f"{name} = {shown(value)}: {algo} has none; its generations and threads are settings, see --config")


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


def command_of(env: str, algo: str, config: Path | None, words: list[str]) -> str:
    """The command of one seed, for its card; ``--seeds`` is the card's seed."""
    import shlex

    options = [] if config is None else ["--config", str(config)]
    return shlex.join(["sageserve", "train", "--algo", algo, "--env", env, *words, *options])


def show(env: str, algo: str, curves: dict[int, list[dict[str, Any]]]) -> None:
    """Print what the best agent of each seed is worth."""
    from importlib import import_module

    from sageserve_env.cli.console import output
    from sageserve_env.tables import TextTable

    rank = import_module("agents.common.scoring").rank_of
    columns = ["steps", "dollars", "of VMs", "of breaches", "feasible"]
    table = TextTable(f"{env}, {algo}: the best agent on the validation split, mean of its episodes", ["seed"], columns)
    for seed, curve in curves.items():
        best = min(curve, key=lambda point: point["cost"] if "cost" in point else rank(point))
        dollars = (f"{best[name]:,.0f}" for name in ("usd", "vm_usd", "breach_usd"))
        table.add_row(str(seed), f"{best['steps']:,}", *dollars, f"{best['feasible']} of {best['episodes']}")
    output().print(table)
