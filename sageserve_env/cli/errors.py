"""How the command line fails: one line on standard error and an exit status, never a traceback for what a user can mend."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from sageserve_env.errors import InputError

BAD_INPUT, INTERRUPTED = 2, 130


class CleanGroup(TyperGroup):
    """The root command: bad input and bad usage give ``error: <one line>`` and status 2, Ctrl-C gives 130."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command and exit."""
        try:  # without Typer's standalone mode, failures come here
            status = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except InputError as error:
            fail(str(error))
        except (KeyboardInterrupt, typer.Abort):
            status = INTERRUPTED
        except Exception as error:
            # Usage errors of Typer: newer versions bundle Click, older ones import it, so its class has no fixed name.
            describe = getattr(error, "format_message", None)
            if describe is None:
                raise
            if not describe():  # a group without a command: its help has been shown
                sys.exit(BAD_INPUT)
            fail(usage_line(error, describe()))
        if status == INTERRUPTED:
            sys.stderr.write("interrupted\n")
        sys.exit(status or 0)


def usage_line(error: Exception, message: str) -> str:
    """A usage error with the command to ask for help."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "sageserve"
    return f"{message.strip().rstrip('.')}; see {path} --help"


def fail(message: str) -> NoReturn:
    """Say what is wrong, on one line, and exit."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(BAD_INPUT)
