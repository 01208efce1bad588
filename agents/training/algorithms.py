"""The algorithms: which class of which package, and for which action modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.extras import need

CHOICES = ("delta", "discrete")
"""Action modes of choices."""

BOXES = ("target", "knobs", "multi_timescale")
"""Action modes of numbers from -1 to 1."""


@dataclass(frozen=True)
class Algorithm:
    """An algorithm of Stable-Baselines3 or sb3-contrib.

    Attributes:
        name: On the command line.
        module: That has the class.
        class_name: Of the algorithm.
        action_modes: That its class can learn.
        has_buffer: Whether it learns from a replay buffer.
        has_masks: Whether it keeps to action masks.
        is_recurrent: Whether its policy has a memory.
        policy: Name of the policy's class.
    """

    name: str
    module: str
    class_name: str
    action_modes: tuple[str, ...]
    has_buffer: bool = False
    has_masks: bool = False
    is_recurrent: bool = False
    policy: str = "MlpPolicy"

    def load(self) -> Any:
        """The class.

        Raises:
            MissingExtra: Its package is not installed.
        """
        return getattr(need(self.module, "agents", f"--algo = '{self.name}'"), self.class_name)


ALGORITHMS = {
    each.name: each
    for each in (
        Algorithm("ppo", "stable_baselines3", "PPO", (*CHOICES, *BOXES)),
        Algorithm("maskable-ppo", "sb3_contrib", "MaskablePPO", CHOICES, has_masks=True),
        Algorithm("recurrent-ppo", "sb3_contrib", "RecurrentPPO", (*CHOICES, *BOXES), is_recurrent=True, policy="MlpLstmPolicy"),
        Algorithm("sac", "stable_baselines3", "SAC", BOXES, has_buffer=True),
        Algorithm("tqc", "sb3_contrib", "TQC", BOXES, has_buffer=True),
        Algorithm("dqn", "stable_baselines3", "DQN", ("discrete",), has_buffer=True),
    )
}


def algorithm_named(name: str) -> Algorithm:
    """An algorithm by its name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in ALGORITHMS:
        raise InputError(f"--algo = '{name}' is not known; choose one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]
