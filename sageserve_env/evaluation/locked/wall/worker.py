"""The process of a policy: it loads the policy and answers what it is asked, as JSON, so that nobody unpickles what it says."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from multiprocessing import parent_process, reduction
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.actions import KNOBS, ORDER, said_of
from sageserve_env.evaluation.locked.entrant import Entrant, described
from sageserve_env.evaluation.locked.wall.mailbox import TOOK, Mailbox, nap
from sageserve_env.evaluation.locked.wall.wire import Layout, Packer, fits, unpack
from sageserve_env.evaluation.policy import hushed
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.workload.request import Workload


def serve(line: Connection, entrant: Entrant, has_core: bool) -> None:
    """Answer until the other side closes: tasks on the line, a method of :class:`Played` and its arguments; turns in its box."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to see
    os.dup2(2, 1)  # what a policy prints is no result
    with suppress(AttributeError, OSError):  # where there is such a thing, it interrupts nobody when it wakes up
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    Thread(target=_end_with_parent, daemon=True).start()
    played = Played(entrant, partial(Mailbox, reduction.recv_handle(line), line=line, pause=nap if has_core else None))
    with hushed(), suppress(EOFError):
        while True:
            if played.box is not None and played.box.wait_for_question():
                since_s, question = time.perf_counter(), played.box.question.tobytes()
                said = answer(played.turn, question)
                played.box.reply(said, time.perf_counter() - since_s)
            else:
                task, arguments = pickle.loads(line.recv_bytes() if played.box is None else played.box.taken())
                since_s = time.perf_counter()
                said = answer(getattr(played, task), *arguments)
                line.send_bytes(TOOK.pack(time.perf_counter() - since_s) + said)


def answer(ask: Callable[..., Any], *arguments: Any) -> bytes:
    """What a policy says when it is asked, or what it raised: JSON, or a packed decision."""
    try:
        said = ask(*arguments)
        return said if isinstance(said, bytes) else as_json(said=said)
    except BaseException as error:
        return as_json(raised=type(error).__name__, message=_message(error), is_ours=isinstance(error, InputError))


def as_json(**facts: Any) -> bytes:
    """A message of plain JSON."""
    return json.dumps(facts).encode()


class Played:
    """The policy, and what it can be asked.

    Args:
        entrant: Who.
        new_box: Makes the box for turns, for questions of a size.

    Attributes:
        box: Where turns come, once an episode has begun.
    """

    def __init__(self, entrant: Entrant, new_box: Callable[..., Mailbox]) -> None:
        self._entrant, self._new_box = entrant, new_box
        self.box: Mailbox | None = None
        self._policy: Any = None
        self._turn: Callable[[Any], Any]
        self._layout: Layout
        self._replies: Packer

    def load(self) -> dict[str, Any]:
        """Make the policy; the fields of :class:`~sageserve_env.evaluation.locked.entrant.Described`."""
        self._policy = self._entrant.load()
        return asdict(described(self._policy, self._entrant))

    def begin_agent(self, seed: int, layout: Layout) -> None:
        """Begin an episode of an agent; layout: of what it is told in each turn."""
        self._turn = self._act
        self._open(layout)
        self._policy.reset(seed)

    def begin_controller(
        self, told: dict[str, Any], seed: int, future: tuple[Workload, int] | None, layout: Layout, reply: Layout
    ) -> None:
        """Begin an episode of a controller, in the scenario of these arguments; a bound is shown the future.

        Layouts: of telemetry, and of knobs.

        Raises:
            InputError: It wants another fleet.
        """
        self._turn, self._replies = self._decide, Packer(reply)
        self._open(layout)
        scenario = Scenario(**told)
        prepare = getattr(self._policy, "prepare", None)
        if prepare is not None and prepare(scenario.world) != scenario.world:
            raise InputError(f"policy '{self._entrant.text}' asks for a fleet of its own; a problem has one for all")
        if future is not None:
            self._policy.foresee(*future)
        self._policy.reset(scenario, np.random.default_rng(seed))

    def _open(self, layout: Layout) -> None:
        """Take turns from the box from now on."""
        self._layout = layout
        if self.box is None:
            self.box = self._new_box(size=layout.dtype.itemsize)

    def turn(self, question: bytes) -> Any:
        """The decision on what a question tells."""
        return self._turn(unpack(question, self._layout))

    def _act(self, told: dict[str, Any]) -> Any:
        """An agent's action, as a list or number."""
        return np.asarray(self._policy.act(told["observation"], told["mask"])).tolist()

    def _decide(self, told: dict[str, Any]) -> bytes | dict[str, Any]:
        """A controller's knobs, packed; or, where they have not the shapes of knobs or are no numbers, as lists and text.

        Raises:
            TypeError: It decided something else.
        """
        knobs = self._policy.decide(Telemetry(**told))
        if not isinstance(knobs, Knobs):
            raise TypeError(f"decide() gave a {type(knobs).__name__}, not Knobs")
        said = said_of(knobs)
        if said[ORDER] >= 0 and fits(said, self._replies.kind):
            return self._replies.pack(said)
        return {name: np.asarray(getattr(knobs, name)).tolist() for name in KNOBS}


def _message(error: BaseException) -> str:
    try:
        return str(error)[:1000]
    except Exception:  # its own text may fail
        return ""


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        sys.stderr.flush()
        os._exit(1)
