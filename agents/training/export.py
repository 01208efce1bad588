"""What Stable-Baselines3 trained, as an agent in NumPy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.inference.mlp import Mlp
from agents.training.settings import Settings
from agents.training.vector import CLIP, Normalised
from sageserve_env.errors import InputError
from sageserve_env.extras import need


def exported(model: Any, settings: Settings, seen: Normalised) -> Mlp:
    """The agent of a model: its policy's network, with what observations are normalised by.

    Args:
        model: PPO, MaskablePPO, SAC, TQC or DQN, with perceptrons of ``tanh`` or ``relu``.
        settings: Of its training.
        seen: What was seen of observations.

    Raises:
        InputError: It has another kind of policy, such as one with a memory.
    """
    modules, head, log_std = network(model)
    n = seen.seen.mean.size
    is_on = settings.normalise_observations
    return Mlp(
        layers=[(as_array(layer.weight), as_array(layer.bias)) for layer in linear(modules)],
        mean=seen.seen.mean.astype(np.float64) if is_on else np.zeros(n),
        variance=seen.seen.variance.astype(np.float64) if is_on else np.full(n, 1.0 - 1e-8),
        view=settings.view,
        head=head,
        sizes=sizes_of(model.action_space),
        activation=settings.activation,
        frames=settings.frame_stack,
        clip=CLIP if is_on else 1e8,
        log_std=log_std,
        is_sampled=settings.choose == "sampled" and head != "values",
    )


def network(model: Any) -> tuple[list[Any], str, NDArray[Any] | None]:
    """Modules from observation to action, in order, their head, and the logarithm of a deviation that is no output.

    Raises:
        InputError: The policy is no perceptron.
    """
    policy = model.policy
    if hasattr(policy, "lstm_actor"):
        raise InputError("a policy with a memory (recurrent-ppo) has no form in NumPy yet; train ppo with frame_stack")
    if hasattr(policy, "actor") and policy.actor is not None:  # SAC and TQC
        return [policy.actor.latent_pi, (policy.actor.mu, policy.actor.log_std)], "squashed", None
    if hasattr(policy, "q_net"):
        return [policy.q_net.q_net], "values", None
    is_box = isinstance(model.action_space, spaces.Box)
    log_std = as_array(policy.log_std) if is_box else None
    return [policy.mlp_extractor.policy_net, policy.action_net], "gaussian" if is_box else "categorical", log_std


def linear(modules: Iterable[Any]) -> list[Any]:
    """The linear layers among modules; two side by side become one."""
    nn = need("torch", "agents", "exporting an agent").nn
    found: list[Any] = []
    for module in modules:
        if isinstance(module, tuple):
            found.append(side_by_side(nn, *module))
        else:
            found += [each for each in module.modules() if isinstance(each, nn.Linear)]
    return found


def side_by_side(nn: Any, first: Any, second: Any) -> Any:
    """One layer with the outputs of two on the same input."""
    joint = nn.Linear(first.in_features, first.out_features + second.out_features)
    for name in ("weight", "bias"):
        parts = [as_array(getattr(layer, name)) for layer in (first, second)]
        tensor = getattr(joint, name).data
        tensor.copy_(tensor.new_tensor(np.concatenate(parts)))
    return joint


def as_array(tensor: Any) -> NDArray[Any]:
    """A tensor's numbers, float32."""
    return np.array(tensor.detach().cpu().numpy(), np.float32)


def sizes_of(space: spaces.Space[Any]) -> list[int]:
    """Choices of each entry of an action; for a Box, its entries."""
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec]
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    return [int(np.prod(space.shape or ()))]
