"""``sageserve problem``: what the problems are, what they ask of a fleet, and what a breach must cost there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sageserve_env.scenarios import Problem

app = typer.Typer(help="List problems, and measure what they ask of a fleet.", no_args_is_help=True)

ProblemArgument = Annotated[str, typer.Argument(metavar="NAME|ID", help="A problem, e.g. mini or SageServe/Mini-v0.")]
DayOption = Annotated[str | None, typer.Option("--day", help="One of the test split's days; each of them by default.")]
MostOption = Annotated[
    int, typer.Option("--most", metavar="N", help="Instances of an endpoint in the largest fleet that is tried.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the traffic.")]


@app.command("list")
def list_problems() -> None:
    """List the problems."""
    from sageserve_env.cli.console import output
    from sageserve_env.scenarios import PROBLEMS, load_problem
    from sageserve_env.tables import TextTable

    made = TextTable("Problems", ["id", "what it is"], ["endpoints", "steps", "test\nepisodes"])
    for name in PROBLEMS:
        problem = load_problem(name)
        world, episodes = problem.world(), problem.split("test").held_out()
        endpoints = world.n_endpoints
        steps = round(problem.horizon_s / problem.control_interval_s)
        made.add_row(problem.id, problem.summary, str(endpoints), f"{steps:,}", str(len(episodes)))
    output().print(made)


@app.command("card")
def show_card(
    problem: ProblemArgument,
    plans: Annotated[
        Path | None, typer.Option("--plans", metavar="FILE", help="Plans found in hindsight, of sageserve search.")
    ] = None,
) -> None:
    """Play the reference policies, as they are and tuned, on the test days as recorded; prints Markdown.

    Example: sageserve problem card mini
    """
    from sageserve_env.evaluation.problems.card import card_rows, markdown
    from sageserve_env.scenarios import load_problem

    typer.echo(markdown(list(card_rows(load_problem(problem), None if plans is None else str(plans)))))


@app.command("needs")
def show_needs(problem: ProblemArgument, day: DayOption = None, most: MostOption = 12, seed: SeedOption = 0) -> None:
    """Measure the least fleets that serve 95 % of IW-F, hour by hour, on the test days as recorded.

    Example: sageserve problem needs mini --day friday-o365-a
    """
    from sageserve_env.cli.console import output
    from sageserve_env.evaluation.problems.needs import needs
    from sageserve_env.scenarios import load_problem
    from sageserve_env.tables import TextTable

    chosen = load_problem(problem)
    models = [model.name for model in chosen.world().models]
    made = TextTable(
        f"What {chosen.id} needs: instances for 95 % of IW-F in time, regions together, by hour",
        ["day", "model"],
        ["least", "most", "swing", "most of an\nendpoint", "its\nswing", "attainable\nIW-F", "requests"],
    )
    for options in chosen_days(chosen, day):
        found = needs(chosen, options, seed, most=most)
        for m, model in enumerate(models):
            hours = found.instances()[:, :, m]
            total = hours.sum(axis=1)
            sizes = str(total.min()), str(total.max()), f"{found.swing[m]:.1f}", str(hours.max()), f"{found.endpoint_swing[m]:.1f}"
            made.add_row(options["day"], model, *sizes, f"{found.attainable:.1%}", f"{found.requests:,}")
    output().print(made)


@app.command("price")
def show_price(problem: ProblemArgument, day: DayOption = None, most: MostOption = 12, seed: SeedOption = 0) -> None:
    """Measure the price of a breach above which leaving requests late is dearer than serving them.

    Example: sageserve problem price mini --day friday-o365-a
    """
    from sageserve_env.cli.console import output
    from sageserve_env.evaluation.problems.needs import break_even_usd, needs
    from sageserve_env.scenarios import load_problem
    from sageserve_env.tables import TextTable

    chosen = load_problem(problem)
    made = TextTable(
        f"Where being late stops to pay in {chosen.id}", ["day"], ["price, $", "the problem's\nleast price, $", "ratio"]
    )
    asked = min(chosen.breach_prices_usd)
    for options in chosen_days(chosen, day):
        price, _ = break_even_usd(chosen, options, needs(chosen, options, seed, most=most), seed)
        made.add_row(options["day"], f"{price:.3f}", f"{asked:.3f}", f"{asked / price:.1f}" if price else "–")
    output().print(made)


def chosen_days(problem: Problem, day: str | None) -> list[dict[str, Any]]:
    """Options of the test days as recorded, or of one.

    Raises:
        InputError: The split has no such day.
    """
    from sageserve_env.evaluation.problems.card import test_days
    from sageserve_env.scenarios.options import choose_window

    if day is None:
        return test_days(problem)
    window = choose_window(day, problem.split("test").windows, f"split 'test' of {problem.name!r}")
    return [{"day": window.name, "variant": 0}]
