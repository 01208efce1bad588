"""The command line, ``sageserve``. Each command imports what it needs when it runs, so that help is there at once."""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper

import typer

from sageserve_env.cli.checks.doctor import doctor, version
from sageserve_env.cli.checks.reproduce import reproduce
from sageserve_env.cli.checks.validate import validate
from sageserve_env.cli.errors import CleanGroup
from sageserve_env.cli.interrupt import end_at_once_when_interrupted
from sageserve_env.cli.policies.compare import compare
from sageserve_env.cli.policies.dataset import dataset
from sageserve_env.cli.policies.evaluate import evaluate
from sageserve_env.cli.policies.generalise import generalise
from sageserve_env.cli.policies.leaderboard import app as leaderboard_app
from sageserve_env.cli.policies.search import search
from sageserve_env.cli.policies.simulate import simulate
from sageserve_env.cli.policies.train import train
from sageserve_env.cli.policies.tune import tune
from sageserve_env.cli.worlds.problem import app as problem_app
from sageserve_env.cli.worlds.workload import app as workload_app
from sageserve_env.cli.worlds.world import app as world_app

HELP = """Simulate fleets of LLM servers, request by request.

Start with: [bold]sageserve simulate o365-hour --out runs/first[/bold]"""

app = typer.Typer(
    name="sageserve",
    cls=CleanGroup,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command()(simulate)
app.command()(compare)
app.command()(train)
app.command()(tune)
app.command()(search)
app.command()(evaluate)
app.add_typer(leaderboard_app, name="leaderboard")
app.command()(generalise)
app.command()(dataset)
app.add_typer(workload_app, name="workload")
app.add_typer(world_app, name="world")
app.add_typer(problem_app, name="problem")
app.command()(validate)
app.command()(reproduce)
app.command()(doctor)
app.command()(version)


def main() -> None:
    """The ``sageserve`` command, once ``sageserve_command`` has loaded it."""
    end_at_once_when_interrupted()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks, or a file name that is no text
    try:
        app()
    finally:  # all is done: Ctrl-C while Python shuts down changes nothing
        signal.signal(signal.SIGINT, signal.SIG_IGN)
