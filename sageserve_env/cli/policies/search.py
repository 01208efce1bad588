"""``sageserve search``: the cheapest schedules of episodes that a search in hindsight finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sageserve_env.cli.options import QuietOption

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from baselines.search import Plan


def search(
    env: Annotated[str, typer.Option("--env", "-e", metavar="ID", help="Id of an environment.")] = "SageServe/Mini-v0",
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="Whose episodes: validation or test.")] = "test",
    day: Annotated[str | None, typer.Option("--day", metavar="D", help="One day of the split; all of them if left out.")] = None,
    variant: Annotated[int | None, typer.Option("--variant", metavar="V", help="One variant of the days; all if left out.")] = None,
    hours: Annotated[float | None, typer.Option("--hours", metavar="H", help="The first H hours of each episode.")] = None,
    evaluations: Annotated[
        int, typer.Option("--evaluations", metavar="N", help="Schedules to play for each episode, whole or in part.")
    ] = 20_000,
    minutes: Annotated[float | None, typer.Option("--minutes", metavar="M", help="Stop each episode after M minutes.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the changes that are tried; the episodes are always the same.")] = 0,
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="AGENT", help="Begin with the fleets of a saved agent, too."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Plans (.json); goes on from them where they are there.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Search in hindsight for cheap schedules that hold every service level: a bound, as the search sees the true future.

    It begins with the fleets of the reference policies. Replay what it finds with the policy plan:file=FILE.

    Try:

      sageserve search --env SageServe/Mini-v0 --day 0 --variant 0 --evaluations 2000 --out runs/plans.json
    """
    import time
    from importlib import import_module

    from sageserve_env.cli.console import progress, wrote
    from sageserve_env.cli.options import check_json
    from sageserve_env.registration import problem_name
    from sageserve_env.scenarios import load_problem
    from sageserve_env.world.checks import require_within

    searching = import_module("baselines.search")
    chosen = searching.Search(load_problem(problem_name(env, "--env")), split, seed, hours, agent)
    episodes = chosen.episodes(day, variant)
    if minutes is not None:
        require_within("--minutes", minutes, 0, 1e6, "minutes")
    known: dict[str, Any] = {}
    if out is not None:
        check_json("--out", out)
        known = searching.plans_by_episode(out, chosen.head())
    plans: list[Plan] = []
    for episode in episodes:
        until_s = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        name, before = " ".join(map(str, episode.values())), known.get(str(episode))
        with progress(name, "schedules", evaluations, quiet) as move:
            plans.append(
                searching.find(
                    chosen,
                    episode,
                    evaluations,
                    plan=before,
                    until_s=until_s,
                    report=lambda plan, move=move: move(plan.evaluations, told=f"{plan.usd:,.0f} $"),
                )
            )
        if out is not None:
            known[str(episode)] = plans[-1]
            searching.write_plans(out, chosen.head(), chosen.command(evaluations), list(known.values()))
    if not quiet:
        show(plans, f"{env}, {split} split: schedules found in hindsight")
        if out is not None:
            wrote(out)


def show(plans: Sequence[Plan], title: str) -> None:
    """What the search began with and what it found, an episode a row."""
    from sageserve_env.cli.console import output
    from sageserve_env.tables import TextTable

    table = TextTable(title, ["episode", "began with"], ["dollars", "found, dollars", "IW-F in time, %", "schedules played"])
    table.caption = "dollars in brackets: a service level was missed"
    for plan in plans:
        start, found = (
            f"{usd:,.0f}" if shortfall == 0 else f"({usd:,.0f})"
            for usd, shortfall in ((plan.start_usd, plan.start_shortfall), (plan.usd, plan.shortfall))
        )
        name = ", ".join(str(value) for value in plan.episode.values())
        table.add_row(name, plan.start, start, found, f"{100 * plan.attainment['IW-F']:.2f}", f"{plan.evaluations:,}")
    output().print(table)
