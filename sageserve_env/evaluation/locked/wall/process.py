"""A policy behind a wall: a process that is asked, answers in time or is ended, and whose answers are read as plain JSON."""

from __future__ import annotations

import json
import math
import os
import pickle
import socket
import sys
import time
from contextlib import suppress
from multiprocessing import get_all_start_methods, get_context, reduction
from threading import Event, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import printable
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.wall import worker
from sageserve_env.evaluation.locked.wall.mailbox import LONGEST_ANSWER, TOOK, Mailbox, new_file
from sageserve_env.evaluation.locked.wall.wire import PACKED, Layout, is_packed, unpack

TICK_S = 0.05
"""How often the clock is looked at."""

READ_S = 1.0
"""For an answer that came in time to be read; one that has begun and does not end is late."""

LONGEST_MESSAGE = 200

PRELOADED = "sageserve_env.evaluation.locked.preload"


class PolicyFailure(Exception):
    """A policy did not answer as it should.

    Attributes:
        kind: Class of the exception: what the policy raised, ``TimeLimit``, ``ProcessEnded`` or ``Nonsense``.
        message: What is to be said of it.
        is_ours: Whether the policy refused its input by an ``InputError``.
    """

    def __init__(self, kind: str, message: str, is_ours: bool = False) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message, self.is_ours = printable(kind)[:80], printable(message)[:LONGEST_MESSAGE], is_ours


def forking(entrant: Entrant) -> Any:
    """What begins processes: a server that has this package and an installed policy's module and plays nothing forks each anew.

    Where there is no such server, a process is begun from nothing, which takes a second.
    """
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    others = [name for name in ("ray",) if name in sys.modules]  # the main module of Ray's processes imports it
    context.set_forkserver_preload(["__main__", PRELOADED, *others, *entrant.installed_modules])  # heeded before it runs
    return context


class PolicyProcess:
    """A policy in a new process, for one episode. It is asked one thing at a time, and answers while others are looked after.

    Args:
        entrant: Who.
        has_core: Whether it has a core to spare when it waits.

    Attributes:
        seen_s: Seconds from the last question until its answer was read here: what limits are set to.
        took_s: Seconds that the policy says it took for that answer, at most those seen, and its limit: what is told of it.
    """

    def __init__(self, entrant: Entrant, has_core: bool = False) -> None:
        context = forking(entrant)
        self._connection, theirs = context.Pipe()
        self._wire = socket.socket(fileno=os.dup(self._connection.fileno()))
        with suppress(OSError):  # systems differ in the most that they allow; nobody waits while what is told of an episode is read
            self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_ANSWER)
        self._process = context.Process(target=worker.serve, args=(theirs, entrant, has_core), daemon=True)
        self._task, self._limit_s, self._asked_s, self._due_s = "", math.inf, 0.0, math.inf
        self._is_turn, self._is_read, self._is_late, self._is_closed = False, False, False, Event()
        self._heard = b""
        self._understood: Any = None
        self.seen_s = self.took_s = 0.0
        self._file = new_file()
        self._box: Mailbox | None = None
        self._process.start()
        theirs.close()
        with suppress(OSError):  # who asks it something sees that it is gone
            reduction.send_handle(self._connection, self._file, self._process.pid)
        self._watch = Thread(target=self._end_when_late, daemon=True)
        self._watch.start()

    def ask(self, limit_s: float, task: str, *arguments: Any) -> None:
        """Ask for something.

        Args:
            limit_s: Seconds that it may take.
            task: A method of :class:`~sageserve_env.evaluation.locked.wall.worker.Played`.
            arguments: Of the method.

        Raises:
            PolicyFailure: Its process has ended.
        """
        self._begin(limit_s, task)
        try:
            self._connection.send_bytes(pickle.dumps((task, arguments), protocol=5))
        except OSError:
            raise self._ended() from None

    def open_box(self, layout: Layout) -> NDArray[np.uint8]:
        """The memory in which it finds what it sees at each turn, in a layout with which the episode is begun."""
        self._box = Mailbox(self._file, layout.dtype.itemsize, self._connection)
        return self._box.question

    def turn(self, limit_s: float) -> None:
        """Ask for a decision on what is in the box.

        Args:
            limit_s: Seconds that it may take.

        Raises:
            PolicyFailure: Its process has ended.
        """
        assert self._box is not None
        self._begin(limit_s, "a decision")
        self._is_turn = True
        try:
            self._box.ask()
        except OSError:
            raise self._ended() from None

    def described(self) -> Described:
        """The answer to ``load``.

        Raises:
            PolicyFailure: It could not be loaded.
        """
        said = self.answer()
        try:
            return Described(**said)
        except TypeError:
            raise PolicyFailure("Nonsense", "it does not say what it is") from None

    def answer(self, reply: Layout | None = None) -> Any:
        """The answer to what was asked last, waited for.

        Args:
            reply: Layout of a decision that comes packed; any other comes as plain JSON.

        Raises:
            PolicyFailure: It raised, took too long, ended, or said what is no answer.
        """
        if self._has_answer():
            self._due_s = max(self._due_s, time.monotonic() + READ_S)
        self._is_read = True
        try:
            message, took_s = self._box.answer() if self._box is not None and self._is_turn else self._told()
            self.seen_s = time.monotonic() - self._asked_s
            self.took_s = min(took_s if 0.0 <= took_s <= self.seen_s else self.seen_s, self._limit_s)
            answer = self._read(message, reply)
        except (EOFError, OSError):
            raise self._ended() from None
        except (ValueError, RecursionError):
            raise PolicyFailure("Nonsense", f"what it said to {self._task} cannot be read") from None
        finally:
            self._due_s, self._is_read = math.inf, False
        if not isinstance(answer, dict) or ("said" not in answer and "raised" not in answer):
            raise PolicyFailure("Nonsense", f"what it said to {self._task} is no answer")
        if "raised" in answer:
            raise PolicyFailure(str(answer["raised"]), str(answer.get("message", "")), bool(answer.get("is_ours")))
        return answer["said"]

    def _begin(self, limit_s: float, task: str) -> None:
        """Begin to count the seconds."""
        self._task, self._limit_s, self._asked_s = task, limit_s, time.monotonic()
        self._is_turn, self._due_s = False, self._asked_s + limit_s

    def _told(self) -> tuple[bytes, float]:
        """An answer on the line, and the seconds that it says it took."""
        message = self._connection.recv_bytes(LONGEST_ANSWER)
        if len(message) < TOOK.size:
            raise ValueError
        return message[TOOK.size :], *TOOK.unpack(message[: TOOK.size])

    def _ended(self) -> PolicyFailure:
        """Why there is no answer."""
        if self._is_late:
            return PolicyFailure("TimeLimit", f"{self._task} took more than {self._limit_s:g} s")
        return PolicyFailure("ProcessEnded", f"its process ended during {self._task}, or said too much")

    def _read(self, message: bytes, reply: Layout | None) -> Any:
        """What a message says: the same object where it says again what the last one said."""
        if message != self._heard:
            self._heard = b""
            if reply is not None and is_packed(message, reply):
                self._understood = {"said": unpack(message, reply, len(PACKED))}
            else:
                self._understood = json.loads(message)
            self._heard = message
        return self._understood

    def close(self) -> None:
        """End the process."""
        self._is_closed.set()
        self._cut()
        self._watch.join()
        self._process.join()
        self._wire.close()
        self._connection.close()
        if self._box is None:
            os.close(self._file)

    def _end_when_late(self) -> None:
        """End the process when its answer is due; seconds in which this process itself stood still are nobody's fault."""
        looked_s = time.monotonic()
        while not self._is_closed.wait(TICK_S):
            now_s = time.monotonic()
            stood_s, looked_s = now_s - looked_s - TICK_S, now_s
            if stood_s > TICK_S:
                self._asked_s, self._due_s = self._asked_s + stood_s, self._due_s + stood_s
            if now_s > self._due_s and (self._is_read or not self._has_answer()):
                self._is_late = True
                self._cut()
                return

    def _has_answer(self) -> bool:
        """Whether an answer is there, or has begun to come."""
        return self._box.has_answer() if self._box is not None and self._is_turn else self._connection.poll()

    def _cut(self) -> None:
        """End it, and wake who waits for it: a process that it began may hold the line open."""
        self._process.kill()
        with suppress(OSError):  # where the other side is gone
            self._wire.shutdown(socket.SHUT_RDWR)
