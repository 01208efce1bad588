"""One turn of a policy: what it sees goes over, what it decides comes back and is carried out."""

from __future__ import annotations

from typing import Any

import numpy as np

from sageserve_env.env.fleets import Fleet
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.actions import ACTION, KNOBS, ORDER, Said, knobs_of, order_code, said_of
from sageserve_env.evaluation.locked.wall.process import PolicyFailure, PolicyProcess
from sageserve_env.evaluation.locked.wall.wire import Packer, layout
from sageserve_env.sim import Knobs
from sageserve_env.world.schema import World


class AgentTurns:
    """Observation over, action back."""

    def __init__(self, fleet: Fleet, process: PolicyProcess) -> None:
        self._fleet, self._process = fleet, process
        self.layout = layout(self._told())
        self._turns = Packer(self.layout, process.open_box(self.layout))

    def ask(self, limit_s: float) -> None:
        """Ask for the next action.

        Raises:
            PolicyFailure: Nobody is there.
        """
        self._turns.write(self._told())
        self._process.turn(limit_s)

    def decision(self) -> Said:
        """The action that was asked for, which is what the fleet does next.

        Raises:
            PolicyFailure: There is none in time, or it is not in the action space.
        """
        action = as_array(self._process.answer())
        try:
            self._fleet.act(action)
        except InputError as error:
            raise PolicyFailure("Nonsense", str(error)) from None
        return {ACTION: action}

    def _told(self) -> dict[str, Any]:
        """What the agent sees."""
        mask, setup = None, self._fleet.setup
        if setup.has_masks:
            mask = self._fleet.action_masks().reshape(setup.mask_shape).view(np.int8)
        return {"observation": self._fleet.observation(), "mask": mask}


class ControllerTurns:
    """Telemetry over, knobs back."""

    def __init__(self, fleet: Fleet, process: PolicyProcess) -> None:
        self._fleet, self._process, self._world = fleet, process, fleet.setup.world
        self.layout = layout(vars(fleet.telemetry()))
        self._turns = Packer(self.layout, process.open_box(self.layout))
        held = said_of(Knobs.static(self._world))
        self.reply = layout({name: array.astype(np.result_type(array, np.int64)) for name, array in held.items()})
        self._said: Any = None

    def ask(self, limit_s: float) -> None:
        """Ask for the next knobs.

        Raises:
            PolicyFailure: Nobody is there.
        """
        self._fleet.write_telemetry(self._turns.places)
        self._process.turn(limit_s)

    def decision(self) -> Said:
        """The knobs that were asked for, which are in force next.

        Raises:
            PolicyFailure: There are none in time, or they do not fit the world.
        """
        said = self._process.answer(self.reply)
        if said is not self._said:
            knobs, self._decided = as_knobs(said)
            self._said, self._knobs = said, checked(knobs, self._world)
        self._fleet.follow(self._knobs)
        return self._decided


def checked(knobs: Knobs, world: World) -> Knobs:
    """Knobs that fit a world.

    Raises:
        PolicyFailure: They do not.
    """
    try:
        return knobs.validated(world)
    except InputError as error:
        raise PolicyFailure("Nonsense", str(error)) from None


def as_knobs(said: Any) -> tuple[Knobs, Said]:
    """Knobs that a policy said, and what it decided by them.

    Raises:
        PolicyFailure: They are none.
    """
    if not isinstance(said, dict) or set(said) != KNOBS:
        raise PolicyFailure("Nonsense", "what it decided are no knobs")
    if isinstance(said[ORDER], np.ndarray):  # they came packed
        try:
            return knobs_of(said), said
        except InputError as error:
            raise PolicyFailure("Nonsense", str(error)) from None
    values = {name: as_array(value) for name, value in said.items() if name != ORDER}
    return Knobs(**values, admission_order=said[ORDER]), {**values, ORDER: order_code(said[ORDER])}


def as_array(said: Any) -> Any:
    """Numbers that a policy said.

    Raises:
        PolicyFailure: They are none.
    """
    try:
        array = np.asarray(said)
    except (ValueError, TypeError, OverflowError):
        raise PolicyFailure("Nonsense", f"{said!r:.80} is no array") from None
    if array.dtype.kind not in "biuf":
        raise PolicyFailure("Nonsense", f"{said!r:.80} is no array of numbers")
    return array
