"""``sageserve tune``: the options of a reference policy, tuned on the validation split of a problem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sageserve_env.cli.options import QuietOption

if TYPE_CHECKING:
    from baselines.tuning import Log


def tune(
    policy: Annotated[
        str, typer.Option("--policy", "-p", metavar="NAME", help="The policy; options that stay follow a colon: lt-ua:late_s=3600.")
    ] = "reactive",
    env: Annotated[str, typer.Option("--env", "-e", metavar="ID", help="Id of an environment.")] = "SageServe/Mini-v0",
    budget: Annotated[int, typer.Option("--budget", metavar="N", help="Sets of options to try.")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Seed of what is tried; the episodes are always the same.")] = 0,
    hours: Annotated[float | None, typer.Option("--hours", metavar="H", help="Play the first H hours of each episode.")] = None,
    variant: Annotated[
        int | None, typer.Option("--variant", metavar="V", help="One perturbation of each day; all if left out.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes that play.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Tuning log (.json); goes on from it where it is there.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Tune a policy on the episodes of the validation split: least dollars among what holds every service level.

    The log has every trial. Play the best options with --policies NAME:tuned=FILE, on other episodes.

    Try:

      sageserve tune --policy reactive --env SageServe/Mini-v0 --budget 100 --workers 2 --out runs/tuned/reactive.json
    """
    from importlib import import_module

    from sageserve_env.cli.console import progress, wrote
    from sageserve_env.cli.options import check_json
    from sageserve_env.cli.policies.simulate import policy_options
    from sageserve_env.registration import problem_name
    from sageserve_env.scenarios import load_problem

    tuning = import_module("baselines.tuning")
    name, *pairs = policy.split(":")
    problem = problem_name(env, "--env")
    if out is not None:
        check_json("--out", out)
    task = tuning.Task(name, load_problem(problem), policy_options(pairs, None), seed, hours, variant)
    with progress("tuning", "trials", budget, quiet) as move:
        log = tuning.tune(task, budget, out=out, workers=workers, report=lambda log: move(len(log.trials)))
    if not quiet:
        show(log, f"{name} on {env}, validation split: mean of an episode")
    if out is not None and not quiet:
        wrote(out)


def show(log: Log, title: str) -> None:
    """The policy's own options beside the best found."""
    import json

    from sageserve_env.cli.console import output
    from sageserve_env.errors import printable
    from sageserve_env.tables import TextTable

    table = TextTable(title, ["options"], ["dollars", "worst tier below its level, %"])
    for label, trial in (("the policy's own", log.trials[0]), (f"best of {len(log.trials)}", log.best)):
        refused = trial.refused is not None
        table.add_row(label, *(("–", "–") if refused else (f"{trial.usd:,.0f}", f"{100 * trial.shortfall:.2f}")))
    output().print(table)
    options = ", ".join(f"{name} = {json.dumps(value)}" for name, value in log.best.options.items())
    output().print(printable(f"best: {options or 'the policy as it is'}"), soft_wrap=True)
