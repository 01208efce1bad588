"""What Stable-Baselines3 trained, as an agent in NumPy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.inference.conditioned import Conditioned
from agents.inference.mlp import LEAST_VARIANCE, Mlp
from agents.inference.residual import Residual
from agents.training.settings import Settings
from agents.training.vector import CLIP, Normalised
from sageserve_env.errors import InputError
from sageserve_env.extras import need

NO_CLIP = 1e8


def exported(model: Any, settings: Settings, seen: Normalised) -> Mlp | Residual | Conditioned:
    """The agent of a training.

    Args:
        model: PPO, MaskablePPO, SAC, TQC or DQN.
        settings: Of its training.
        seen: What was seen of observations.

    Raises:
        InputError: It has another kind of policy, such as one with a memory.
    """
    moments = (seen.seen.mean, seen.seen.variance) if settings.normalise_observations else None
    network = mlp_of(model, settings.view, moments=moments, frames=settings.frame_stack, is_sampled=settings.choose == "sampled")
    if settings.condition is not None:
        return Conditioned(network, settings.condition[0])
    return network if settings.residual is None else Residual(network, settings.residual)


def mlp_of(
    model: Any,
    view: dict[str, Any],
    *,
    moments: tuple[NDArray[Any], NDArray[Any]] | None = None,
    clip: float = CLIP,
    frames: int = 1,
    is_sampled: bool = False,
) -> Mlp:
    """The agent of a model of Stable-Baselines3 or sb3-contrib, however it was trained.

    Args:
        model: PPO, MaskablePPO, SAC, TQC or DQN, with perceptrons of tanh or ReLU on flat observations.
        view: Arguments of its environment that a policy may choose, such as ``{"action_mode": "target"}``.
        moments: Mean and variance by which observations were normalised, shape (O,) each; None: they were not.
        clip: Bound of normalised observations.
        frames: Observations that it saw, the latest last, zeros before the first.
        is_sampled: Draw actions; the actions of a DQN are never drawn.

    Raises:
        InputError: It has another kind of policy, such as one with a memory.
    """
    modules, head, log_std = network(model)
    n = int(np.prod(model.observation_space.shape)) // frames
    mean, variance = (np.zeros(n), np.full(n, 1.0 - LEAST_VARIANCE)) if moments is None else moments
    return Mlp(
        layers=[(as_array(layer.weight), as_array(layer.bias)) for layer in linear(modules)],
        mean=np.asarray(mean, np.float64),
        variance=np.asarray(variance, np.float64),
        view=view,
        head=head,
        sizes=sizes_of(model.action_space),
        activation=activation_of(modules),
        frames=frames,
        clip=NO_CLIP if moments is None else clip,
        log_std=log_std,
        is_sampled=is_sampled and head != "values",
    )


def activation_of(modules: Iterable[Any]) -> str:
    """What is between the layers.

    Raises:
        InputError: It is neither tanh nor ReLU.
    """
    nn = need("torch", "agents", "exporting an agent").nn
    known = {nn.Tanh: "tanh", nn.ReLU: "relu"}
    each = [part for module in modules if not isinstance(module, tuple) for part in module.modules()]
    found = {type(part) for part in each if not isinstance(part, nn.Linear | nn.Sequential)}
    if len(found) != 1 or not found <= set(known):
        names = ", ".join(sorted(kind.__name__ for kind in found)) or "nothing"
        raise InputError(f"the model has {names} between its layers; train it with tanh or ReLU")
    return known[found.pop()]


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
