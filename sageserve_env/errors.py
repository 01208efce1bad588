"""The one error that bad input raises, and text made fit for a line."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

LONGEST = 290
"""Characters of a message; of a longer one the middle is left out, since the thing is named first and the remedy last."""


class InputError(ValueError):
    """Something that the user supplied cannot be used.

    The message is a single line of printable characters that names the thing (file, row or field), its value and the remedy. The
    command line prints it and exits with status 2.

    Example:
        >>> raise InputError("trace.csv row 7: arrival_s = -1.0 is negative; times count from 0")
        Traceback (most recent call last):
        ...
        sageserve_env.errors.InputError: trace.csv row 7: arrival_s = -1.0 is negative; times count from 0
    """

    def __init__(self, message: str) -> None:
        line = printable(" ".join(message.split()))
        half = (LONGEST - 3) // 2
        super().__init__(line if len(line) <= LONGEST else f"{line[:half]} … {line[-half:]}")


def printable(text: str) -> str:
    r"""Text as it is, control characters and what no terminal shows as escapes.

    Example:
        >>> printable("a\x1b[31m\n")
        'a\\x1b[31m\\n'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """A value in a message: its ``repr``, short however large or nested it is.

    Example:
        >>> shown([1] * 1000), shown("x")
        ('[1, 1, 1, 1, 1, 1, ...]', "'x'")
    """
    try:
        return reprlib.repr(value)
    except Exception:  # a value's own repr may fail, and Python refuses to print integers of thousands of digits
        return f"a value of type {type(value).__name__}"


def quoted(names: Iterable[str]) -> str:
    """Names in quotes, separated by commas."""
    return ", ".join(f"'{name}'" for name in names)
