"""Turns go through memory that both processes share, so that none costs a message on the line, nor waking who waits there.

One side asks and one side answers. Who waits looks again and again whether it is its turn, with a pause between two looks; when it
has waited for long, it sleeps at the line, where the other wakes it.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

AWAKE_S, SLEEP_S = 0.01, 0.05
"""How long one looks before one sleeps, and how long one sleeps before one looks all the same."""

LONGEST_ANSWER = 1 << 24
"""Bytes."""

ROOM = 1 << 16
"""Bytes of an answer that fits in; a longer one takes the line."""

ASKED, ANSWERED, LENGTH, TOOK_S, ASKER_SLEEPS, ANSWERER_SLEEPS = range(6)
"""Words of eight bytes: questions and answers so far, bytes of the last answer (-1: it is on the line), seconds that it took."""

HEAD = 8 * 8

TOOK = struct.Struct("d")
"""Begin of an answer on the line that is none to a turn: the seconds that it took."""

WAKE = b"\n"
"""On the line: look into the box."""

NAP_S = 2e-5
"""Asked for; it takes the system three to five times as long."""

Pause = Callable[[], None]
"""Between two looks."""

give_way: Pause = getattr(os, "sched_yield", partial(time.sleep, 0))
"""For who has nothing else to do, and lets others have the core."""

nap: Pause = partial(time.sleep, NAP_S)
"""For who waits while another works: where many of them looked all the time, on few cores, episodes took longer."""


def new_file() -> int:
    """A file in memory for a box: its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("mailbox")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Mailbox:
    """One side of a box.

    Args:
        file: Of the box; it is closed here.
        size: Bytes of a question.
        line: To the other side.
        pause: Between two looks; None: who waits sleeps at once, as others want its core.

    Attributes:
        question: Its bytes, for the asker to write, shape (size,), uint8.
    """

    def __init__(self, file: int, size: int, line: Connection, pause: Pause | None = give_way) -> None:
        os.ftruncate(file, HEAD + size + ROOM)
        memory = memoryview(mmap.mmap(file, HEAD + size + ROOM))
        os.close(file)
        self._words, self._seconds, self._line = memory[:HEAD].cast("q"), memory[:HEAD].cast("d"), line
        self.question: NDArray[np.uint8] = np.frombuffer(memory[HEAD : HEAD + size], np.uint8)
        self._room = memory[HEAD + size :]
        self._pause = pause
        self._held: bytes | None = None

    def ask(self) -> None:
        """Say that the question is there."""
        self._words[ASKED] += 1
        if self._words[ANSWERER_SLEEPS]:
            self._line.send_bytes(WAKE)

    def has_answer(self) -> bool:
        """Whether the last question is answered."""
        return bool(self._words[ANSWERED] == self._words[ASKED])

    def answer(self) -> tuple[bytes, float]:
        """The answer, waited for, and the seconds that the other side says it took.

        Raises:
            OSError, EOFError: Nobody is there any more, or the answer is too long.
            ValueError: It is none.
        """
        while not self._wait(self.has_answer, ASKER_SLEEPS):
            pass  # a long answer comes on the line first
        length, took_s = self._words[LENGTH], self._seconds[TOOK_S]
        if length == -1:
            return self.taken(), took_s
        if not 0 <= length <= ROOM:
            raise ValueError
        return bytes(self._room[:length]), took_s

    def taken(self) -> bytes:
        """What comes on the line, calls to wake up apart.

        Raises:
            OSError, EOFError: Nobody is there any more, or it is too long.
        """
        while self._held is None:
            self._look_at_line()
        message, self._held = self._held, None
        return message

    def wait_for_question(self) -> bool:
        """Whether a question came; else something is to be :meth:`taken` from the line."""
        return self._wait(lambda: not self.has_answer(), ANSWERER_SLEEPS)

    def reply(self, said: bytes, took_s: float) -> None:
        """Answer the question."""
        is_long = len(said) > ROOM
        if is_long:
            self._line.send_bytes(said)
        else:
            self._room[: len(said)] = said
        self._words[LENGTH], self._seconds[TOOK_S] = -1 if is_long else len(said), took_s
        self._words[ANSWERED] = self._words[ASKED]
        if self._words[ASKER_SLEEPS]:
            self._line.send_bytes(WAKE)

    def _wait(self, is_there: Callable[[], bool], sleeper: int) -> bool:
        """Wait for the other side; whether it is what one waits for that came, and not something on the line."""
        until_s = time.perf_counter() + AWAKE_S
        while not is_there():
            if self._pause is not None and time.perf_counter() < until_s:
                self._pause()
                continue
            self._words[sleeper] = 1
            if not is_there() and self._line.poll(SLEEP_S):
                self._look_at_line()
            self._words[sleeper] = 0
            if self._held is not None:
                return is_there()
        return True

    def _look_at_line(self) -> None:
        """Take a message off the line, and hold it if it is more than a call to wake up."""
        message = self._line.recv_bytes(LONGEST_ANSWER)
        if message != WAKE:
            self._held = message
