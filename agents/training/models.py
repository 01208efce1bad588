"""Models of the algorithms, new ones, as settings want them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from agents.training.algorithms import Algorithm
from agents.training.settings import Settings
from sageserve_env.env.actions import MAX_DELTA
from sageserve_env.errors import InputError, shown

OURS = ("policy", "env", "learning_rate", "seed", "device", "tensorboard_log", "verbose")
"""Arguments of an algorithm's class that settings have names of their own for, or none."""

NEAREST_TO_END = 0.999
"""Of means that go through tanh."""


@dataclass(frozen=True)
class LinearRate:
    """A learning rate that goes linearly from one value to another."""

    start: float
    end: float

    def __call__(self, remaining: float) -> float:
        """The rate where a share ``remaining`` of the training is left."""
        return self.end + (self.start - self.end) * remaining


def new_model(algorithm: Algorithm, settings: Settings, envs: Any, seed: int, device: str) -> Any:
    """A new model.

    Raises:
        InputError: The algorithm does not take an argument, or not its value.
        MissingExtra: Its package is not installed.
    """
    given = dict(settings.algorithm)
    network = {"net_arch": [int(units) for units in settings.layers], "activation_fn": activation(settings.activation)}
    given["policy_kwargs"] = {**network, **given.get("policy_kwargs", {})}
    cls = algorithm.load()
    known = [name for name in inspect.signature(cls).parameters if name not in OURS]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InputError(f"algorithm: {shown(unknown[0])} is no argument of {algorithm.class_name}; it takes {', '.join(known)}")
    rate = LinearRate(settings.learning_rate, settings.final_learning_rate)
    try:
        model = cls(algorithm.policy, envs, learning_rate=rate, seed=seed, device=device, **given)
    except (TypeError, ValueError, AssertionError) as error:
        raise InputError(f"algorithm: {algorithm.class_name} refuses its arguments ({error}); give others") from None
    begin_at(model, settings)
    return model


def activation(name: str) -> Any:
    """The module of an activation."""
    return {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[name]


@torch.no_grad()
def begin_at(model: Any, settings: Settings) -> None:
    """Have a new model act as the settings want, on average; networks of values are left as they are."""
    policy, space = model.policy, model.action_space
    if hasattr(policy, "action_net"):
        bias = policy.action_net.bias
        if isinstance(space, spaces.MultiDiscrete):
            bias[int(settings.environment.get("max_delta", MAX_DELTA)) :: int(space.nvec[0])] = settings.initial_choice
        elif isinstance(space, spaces.Discrete):
            bias[0] = settings.initial_choice
        else:
            bias[:] = settings.initial_action
    elif getattr(policy, "actor", None) is not None:
        policy.actor.mu.bias[:] = float(np.arctanh(np.clip(settings.initial_action, -NEAREST_TO_END, NEAREST_TO_END)))
