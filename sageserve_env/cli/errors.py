"""How the command line fails: one line on standard error and an exit status, never a traceback for what a user can mend."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from gymnasium.error import DependencyNotInstalled
from typer.core import TyperGroup

from sageserve_env.errors import InputError

BAD_INPUT, INTERRUPTED = 2, 130


class CleanGroup(TyperGroup):
    """The root command: what a user can mend gives ``error: <one line>`` and status 2, Ctrl-C gives 130."""

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
        except (KeyboardInterrupt, typer.Abort) as error:
            if isinstance(error.__cause__, EOFError):  # Typer takes it for the end of a dialogue
                raise error.__cause__ from None
            status = INTERRUPTED
        except Exception as error:
            fail(explanation(error))
        if status == INTERRUPTED:
            sys.stderr.write("interrupted\n")
        sys.exit(status or 0)


def explanation(error: Exception) -> str:
    """What the user can do about an error.

    Raises:
        Exception: The error itself, where it is none of theirs.
        SystemExit: Nothing is left to say: help has been shown.
    """
    if isinstance(error, InputError | DependencyNotInstalled):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}; check space and permissions"
    if isinstance(error, MemoryError):
        return f"memory is used up ({error}); take a smaller world or workload"
    # Usage errors of Typer: newer versions bundle Click, older ones import it, so its class has no fixed name.
    describe = getattr(error, "format_message", None)
    if describe is None:
        raise error
    if not describe():  # a group without a command: its help has been shown
        sys.exit(BAD_INPUT)
    return usage_line(error, describe())


def usage_line(error: Exception, message: str) -> str:
    """A usage error with the command to ask for help."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "sageserve"
    return f"{message.strip().rstrip('.')}; see {path} --help"


def fail(message: str) -> NoReturn:
    """Say what is wrong, on one line, and exit."""
    sys.stderr.write(f"error: {InputError(message)}\n")
    sys.exit(BAD_INPUT)
