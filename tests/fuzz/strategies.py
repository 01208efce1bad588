"""Bad input for everything: what is put in place of good values, and what may come of it. Seeded: each run tries the same."""

from __future__ import annotations

import datetime
import math
import random
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.errors import InputError

LIMIT_S = 10
"""What takes longer has hung."""

NUMBERS = [0, -1, 0.5, 1e-300, 1e300, -1e300, math.inf, -math.inf, math.nan, 2**31, 2**63, 10**30, 10**400, 5e-324]
WORDS = [
    "",
    " ",
    "none",
    "inf",
    "[red]",
    "[/]",
    "a|b",
    "a,b",
    '"',
    "'",
    "$x$",
    "x" * 5000,
    "日本",
    "\x1b[31m",
    "a\nb",
    "\x00",
    "..",
    "/",
    "~",
]
KINDS: list[Any] = [
    None,
    True,
    [],
    {},
    (),
    set(),
    b"bytes",
    1j,
    object(),
    object,
    print,
    np.nan,
    np.array([1.0, np.nan]),
    np.zeros((0, 3)),
    np.float32(1.5),
    np.datetime64("NaT"),
    datetime.date(2024, 1, 1),
    Decimal("1.5"),
    Path("/"),
    range(3),
    iter([1]),
]
VALUES = [*NUMBERS, *WORDS, *KINDS]

TEXTS = [
    *(str(number) for number in NUMBERS if number != 10**400),
    *(word for word in WORDS if "\x00" not in word),  # no argument of a process can hold it
    "9" * 5000,
    "1e999",
    "0x10",
    "1_000",
    "٣",
    "-",
    "--",
    "\udcff",
    "/proc/none/x",
    "/dev/null",
]


class Hung(BaseException):
    """Nothing may catch it."""


@contextmanager
def within_limit() -> Iterator[None]:
    """Raise in the midst of what takes too long."""

    def hung(number: int, frame: Any) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@dataclass
class Trial:
    """Counts inputs, and keeps what came of those that were taken amiss.

    Attributes:
        allowed: What a bad input may raise.
    """

    allowed: tuple[type[BaseException], ...] = (InputError,)
    inputs: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    def attempt(self, what: str, run: Callable[[], Any]) -> None:
        """Run with one input: it may be taken, or be refused with one line."""
        self.inputs += 1
        try:
            with within_limit():
                run()
        except self.allowed as error:
            self.refused += 1
            if isinstance(error, InputError) and not (str(error).isprintable() and 0 < len(str(error)) < 300):
                self.failures.append(f"{what}: the line is {str(error)[:400]!r}")
        except Hung:
            self.failures.append(f"{what}: took more than {LIMIT_S} s")
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.failures.append(f"{what}: {type(error).__name__}: {str(error)[:200]} ({Path(place.filename).name}:{place.lineno})")

    def conclude(self, least: int) -> None:
        """Nothing was taken amiss, and enough was tried and refused."""
        assert not self.failures, f"{len(self.failures)} of {self.inputs}:\n" + "\n".join(self.failures[:60])
        assert self.inputs >= least
        assert self.refused > self.inputs / 4, f"only {self.refused} of {self.inputs} were refused: are they bad?"


def sample(seed: int, cases: Iterable[Any], count: int) -> list[Any]:
    """So many of the cases, the same each time, spread over all of them."""
    found = list(cases)
    return found if len(found) <= count else random.Random(seed).sample(found, count)


def short(value: Any) -> str:
    """A value in a report."""
    try:
        return repr(value)[:60]
    except ValueError:
        return f"<{type(value).__name__} that cannot be shown>"


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A file's content, damaged in one of the ways in which files are."""
    return rng.choice(DAMAGES)(content, rng)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flip(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _insert(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice(PIECES) + content[place:]


def _replace_a_field(content: bytes, rng: random.Random) -> bytes:
    """One number or word by a piece."""
    marks = [k for k, byte in enumerate(content) if byte in b",:\n\t "]
    if len(marks) < 2:
        return _insert(content, rng)
    start = rng.randrange(len(marks) - 1)
    return content[: marks[start] + 1] + rng.choice(PIECES) + content[marks[start + 1] :]


def _repeat_a_part(content: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:end] * rng.randint(1, 3) + content[end:]


def _drop_a_part(content: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[end:]


def _encode(content: bytes, rng: random.Random) -> bytes:
    codec = rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"])
    return content.decode("latin-1").encode(codec, "replace")


DAMAGES = [_cut, _flip, _insert, _replace_a_field, _replace_a_field, _replace_a_field, _repeat_a_part, _drop_a_part, _encode]

PIECES = [
    b"",
    b"nan",
    b"inf",
    b"-inf",
    b"-1",
    b"0",
    b"1e300",
    b"1e-300",
    b"9" * 400,
    b"1" + b"0" * 5000,
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[[[[" * 2000,
    b'{"a":' * 2000,
    b'"',
    b"'",
    b'""',
    b"\x00",
    b"\xff\xfe",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b",",
    b",,,,,",
    b"|",
    b"x" * 100_000,
    b"\x1b[31m",
    "日本".encode(),
    b"2024-01-01",
    b"2024-02-30 25:61:61",
    b"1700158546",
    b"NaT",
    b"1.5",
    b"2147483648",
    b"9223372036854775808",
    b"=1+1",
    b"# comment",
    b"\xef\xbb\xbf",
]
