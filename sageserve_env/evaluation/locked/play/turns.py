"""One turn of a policy: what it sees goes over, what it decides comes back and is carried out."""

from __future__ import annotations

from typing import Any

import numpy as np

from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.actions import ACTION, KNOBS, ORDER, Said, knobs_of, order_code, said_of
from sageserve_env.evaluation.locked.wall.process import PolicyFailure, PolicyProcess
from sageserve_env.evaluation.locked.wall.wire import Packer, layout
from sageserve_env.sim import Knobs


class AgentTurns:
    """Observation over, action back."""

    def __init__(self, env: FleetEnv, process: PolicyProcess, observation: Any) -> None:
        self._env, self._process, self._observation = env, process, observation
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
        """The action that was asked for.

        Raises:
            PolicyFailure: There is none in time.
        """
        self._action = as_array(self._process.answer())
        return {ACTION: self._action}

    def follow(self) -> tuple[bool, dict[str, Any]]:
        """Carry it out: whether the episode is over, and the info.

        Raises:
            PolicyFailure: It is not in the action space.
        """
        try:
            self._observation, _, _, is_over, info = self._env.step(self._action)
        except InputError as error:
            raise PolicyFailure("Nonsense", str(error)) from None
        return is_over, info

    def _told(self) -> dict[str, Any]:
        """What the agent sees."""
        mask = None
        if self._env.setup.has_masks:
            mask = self._env.action_masks().reshape(self._env.setup.mask_shape).view(np.int8)
        return {"observation": self._observation, "mask": mask}


class ControllerTurns:
    """Telemetry over, knobs back."""

    def __init__(self, env: FleetEnv, process: PolicyProcess) -> None:
        self._env, self._process = env, process
        self.layout = layout(vars(env.telemetry()))
        self._turns = Packer(self.layout, process.open_box(self.layout))
        held = said_of(Knobs.static(env.setup.world))
        self.reply = layout({name: array.astype(np.result_type(array, np.int64)) for name, array in held.items()})
        self._said: Any = None

    def ask(self, limit_s: float) -> None:
        """Ask for the next knobs.

        Raises:
            PolicyFailure: Nobody is there.
        """
        self._env.write_telemetry(self._turns.places)
        self._process.turn(limit_s)

    def decision(self) -> Said:
        """The knobs that were asked for.

        Raises:
            PolicyFailure: There are none in time.
        """
        said = self._process.answer(self.reply)
        if said is not self._said:
            self._said, self._knobs, self._decided = said, *as_knobs(said)
        return self._decided

    def follow(self) -> tuple[bool, dict[str, Any]]:
        """Carry them out: whether the episode is over, and the info.

        Raises:
            PolicyFailure: They do not fit the world.
        """
        try:
            *_, is_over, info = self._env.follow(self._knobs)
        except InputError as error:
            raise PolicyFailure("Nonsense", str(error)) from None
        return is_over, info


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
