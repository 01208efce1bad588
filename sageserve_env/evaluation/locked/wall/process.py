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
from multiprocessing import get_all_start_methods, get_context
from threading import Event, Thread
from typing import Any

from sageserve_env.errors import printable
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.protocol import Limits
from sageserve_env.evaluation.locked.wall import worker
from sageserve_env.evaluation.locked.wall.patience import Patience
from sageserve_env.evaluation.locked.wall.wire import Layout, is_packed, unpack

LONGEST_ANSWER = 1 << 24
"""Bytes."""

TICK_S = 0.05
"""How often the clock is looked at."""

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
    """A policy in a new process, for one episode.

    Args:
        entrant: Who.
        limits: How long it may take.
        awake_s: Seconds for which both sides wait awake, see :mod:`~sageserve_env.evaluation.locked.wall.patience`.
    """

    def __init__(self, entrant: Entrant, limits: Limits, awake_s: float = 0.0) -> None:
        context = forking(entrant)
        self._connection, theirs = context.Pipe()
        self._wire = socket.socket(fileno=os.dup(self._connection.fileno()))
        self._patience = Patience(self._connection, awake_s)
        self._process = context.Process(target=worker.serve, args=(theirs, entrant, awake_s), daemon=True)
        self._limits, self._due_s, self._is_late, self._is_closed = limits, math.inf, False, Event()
        self._heard = b""
        self._understood: Any = None
        self._process.start()
        theirs.close()
        self._watch = Thread(target=self._end_when_late, daemon=True)
        self._watch.start()

    def load(self) -> Described:
        """Have it load its policy.

        Raises:
            PolicyFailure: It cannot.
        """
        said = self.ask(self._limits.start_s, "load")
        try:
            return Described(**said)
        except TypeError:
            raise PolicyFailure("Nonsense", "it does not say what it is") from None

    def ask(self, limit_s: float, task: str, *arguments: Any) -> Any:
        """Ask for something, and wait for the answer, plain JSON.

        Args:
            limit_s: Seconds that it may take.
            task: A method of :class:`~sageserve_env.evaluation.locked.wall.worker.Played`.
            arguments: Of the method.

        Raises:
            PolicyFailure: It raised, took too long, ended, or said what is no answer.
        """
        return self._answer(limit_s, task, pickle.dumps((task, arguments), protocol=5))

    def turn(self, limit_s: float, message: bytes, reply: Layout | None = None) -> Any:
        """Ask for a decision, as :meth:`ask` does.

        Args:
            limit_s: Seconds that it may take.
            message: What the policy sees, packed in the layout that the episode was begun with.
            reply: Layout of a decision that comes packed; any other comes as plain JSON.

        Raises:
            PolicyFailure: There is none.
        """
        return self._answer(limit_s, "a decision", message, reply)

    def _answer(self, limit_s: float, task: str, message: bytes, reply: Layout | None = None) -> Any:
        self._due_s = time.monotonic() + limit_s
        try:
            self._connection.send_bytes(message)
            self._patience.wait()
            answer = self._read(self._connection.recv_bytes(LONGEST_ANSWER), reply)
        except (EOFError, OSError):
            if self._is_late:
                raise PolicyFailure("TimeLimit", f"{task} took more than {limit_s:g} s") from None
            raise PolicyFailure("ProcessEnded", f"its process ended during {task}, or said too much") from None
        except (ValueError, RecursionError):
            raise PolicyFailure("Nonsense", f"what it said to {task} cannot be read") from None
        finally:
            self._due_s = math.inf
        if not isinstance(answer, dict) or ("said" not in answer and "raised" not in answer):
            raise PolicyFailure("Nonsense", f"what it said to {task} is no answer")
        if "raised" in answer:
            raise PolicyFailure(str(answer["raised"]), str(answer.get("message", "")), bool(answer.get("is_ours")))
        return answer["said"]

    def _read(self, message: bytes, reply: Layout | None) -> Any:
        """What a message says: the same object where it says again what the last one said."""
        if message != self._heard:
            self._heard = b""
            if reply is not None and is_packed(message, reply):
                self._understood = {"said": unpack(message, reply)}
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

    def _end_when_late(self) -> None:
        while not self._is_closed.wait(TICK_S):
            if time.monotonic() > self._due_s:
                self._is_late = True
                self._cut()
                return

    def _cut(self) -> None:
        """End it, and wake who waits for it: a process that it began may hold the line open."""
        self._process.kill()
        with suppress(OSError):  # where the other side is gone
            self._wire.shutdown(socket.SHUT_RDWR)
