"""The process of a policy: it loads the policy and answers what it is asked, as JSON, so that nobody unpickles what it says."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.actions import KNOBS, ORDER, said_of
from sageserve_env.evaluation.locked.entrant import Entrant, described
from sageserve_env.evaluation.locked.wall.patience import Patience
from sageserve_env.evaluation.locked.wall.wire import TURN, Layout, Packer, fits, unpack
from sageserve_env.evaluation.policy import hushed
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.workload.request import Workload


def serve(connection: Connection, entrant: Entrant, awake_s: float) -> None:
    """Answer until the other side closes: turns, and tasks, which are a method of :class:`Played` and its arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to see
    os.dup2(2, 1)  # what a policy prints is no result
    Thread(target=_end_with_parent, daemon=True).start()
    played, patience = Played(entrant), Patience(connection, awake_s)
    with hushed(), suppress(EOFError):
        while True:
            patience.wait()
            connection.send_bytes(answer(played, connection.recv_bytes()))


def answer(played: Played, message: bytes) -> bytes:
    """What a policy says to a message, or what it raised: JSON, or a packed decision."""
    try:
        if message.startswith(TURN):
            said = played.turn(message)
            return said if isinstance(said, bytes) else as_json(said=said)
        task, arguments = pickle.loads(message)
        return as_json(said=getattr(played, task)(*arguments))
    except BaseException as error:
        return as_json(raised=type(error).__name__, message=_message(error), is_ours=isinstance(error, InputError))


def as_json(**facts: Any) -> bytes:
    """A message of plain JSON."""
    return json.dumps(facts).encode()


class Played:
    """The policy, and what it can be asked."""

    def __init__(self, entrant: Entrant) -> None:
        self._entrant = entrant
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
        self._turn, self._layout = self._act, layout
        self._policy.reset(seed)

    def begin_controller(
        self, scenario: Scenario, seed: int, future: tuple[Workload, int] | None, layout: Layout, reply: Layout
    ) -> None:
        """Begin an episode of a controller; a bound is shown the future. Layouts: of telemetry, and of knobs.

        Raises:
            InputError: It wants another fleet.
        """
        self._turn, self._layout, self._replies = self._decide, layout, Packer(reply)
        prepare = getattr(self._policy, "prepare", None)
        if prepare is not None and prepare(scenario.world) != scenario.world:
            raise InputError(f"policy '{self._entrant.text}' asks for a fleet of its own; a problem has one for all")
        if future is not None:
            self._policy.foresee(*future)
        self._policy.reset(scenario, np.random.default_rng(seed))

    def turn(self, message: bytes) -> Any:
        """The decision on what a message tells."""
        return self._turn(unpack(message, self._layout))

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
