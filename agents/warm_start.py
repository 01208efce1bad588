"""Behaviour cloning: a new network learns to do what a reference policy would, before it learns from rewards.

The reference looks at the telemetry of an environment and says what it wants; what it wants is put as a ``delta`` action, and that
is what the network is to find likeliest. The first half of the episodes goes as the reference wants. In the second half the network
acts, and the reference says what it should have done (Ross, Gordon and Bagnell, 2011), so that it learns to find back, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import Policy, check_policy, hushed, load_policy
from sageserve_env.evaluation.runner import policy_rng
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry

FIRST_SEED = 1 << 20
"""Of the episodes, apart from those of the training that follows."""

RATE, GRADIENT_STEPS, BATCH = 3e-3, 800, 512
"""Of the supervised learning: rate of Adam, its steps, decisions that each of them draws."""

Acts = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.int64]]


@dataclass
class Shown:
    """Decisions of a reference policy.

    Attributes:
        observations: Shape (O,) each.
        masks: Shape (choices,) each.
        actions: What the reference wanted, shape (A,) each.
    """

    observations: list[NDArray[Any]] = field(default_factory=list)
    masks: list[NDArray[np.bool_]] = field(default_factory=list)
    actions: list[NDArray[np.int64]] = field(default_factory=list)


def clone(network: Any, eyes: Any, config: dict[str, Any], reference: str, episodes: int, seed: int) -> float:
    """Have a network do as a reference policy would.

    Args:
        network: With ``law(seen, masks)``, whose ``base_dist`` is categorical.
        eyes: Makes of observations what the network sees, and learns their moments.
        config: Arguments of the environments; ``action_mode`` is ``delta``.
        reference: Name of an installed policy, with options: ``forecast-program:tuned=mini``.
        episodes: Of the train split.
        seed: Of the episodes.

    Returns:
        Share of the decisions, of all fleets, in which the network does as the reference wants.

    Raises:
        InputError: There is no such policy, or the action mode is another.
    """
    if config.get("action_mode") != "delta":
        raise InputError(f"clone = '{reference}' needs action_mode = 'delta', not {config.get('action_mode')!r}; leave it out")
    name, *words = reference.split(":")
    options = policy_options(words, None)
    check_policy(load_policy(name, **options))
    env, shown, share = FleetEnv(split="train", **plain(config)), Shown(), 0.0
    with hushed():
        for k in range(episodes):
            acts = None if k < (episodes + 1) // 2 else likeliest(network, eyes)
            show(env, load_policy(name, **options), FIRST_SEED + seed * episodes + k, shown, acts)
            if k in ((episodes - 1) // 2, episodes - 1):
                share = fit(network, eyes, shown)
    env.close()
    return share


def plain(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a vector as a single environment takes them."""
    return {name: value for name, value in config.items() if name != "num_threads"}


def show(env: FleetEnv, policy: Policy, seed: int, shown: Shown, acts: Acts | None) -> None:
    """Play an episode, as the reference wants or as ``acts`` does, and keep what the reference wants at every step."""
    observation, _ = env.reset(seed=seed)
    episode, problem = env.episode, env.setup.problem
    policy.reset(Scenario(problem.name, env.setup.world, episode.workload, problem.control_interval_s), policy_rng(seed))
    most, is_over = env.setup.settings.max_delta, False
    while not is_over:
        telemetry, mask = env.telemetry(), env.action_masks()
        wanted = np.clip(wanted_change(telemetry, policy.decide(telemetry)), -most, most).ravel() + most
        shown.observations.append(observation)
        shown.masks.append(mask)
        shown.actions.append(wanted)
        observation, _, _, is_over, _ = env.step(wanted if acts is None else acts(observation, mask))


def wanted_change(telemetry: Telemetry, knobs: Knobs) -> NDArray[np.int64]:
    """By how many instances knobs would change each fleet, shape (N, K): into their bounds, with a tick's move within them."""
    now = (telemetry.active + telemetry.provisioning).astype(np.int64)
    tick = np.where(telemetry.utilization > knobs.scale_out_utilization, 1, 0)
    tick = np.where(telemetry.utilization < knobs.scale_in_utilization, -1, tick)
    return np.clip(now + tick[:, None], knobs.floor, knobs.cap) - now


def likeliest(network: Any, eyes: Any) -> Acts:
    """Acts as the network finds likeliest."""

    @torch.no_grad()
    def acts(observation: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        seen = eyes(observation[None], learns=False)
        law = network.law(seen, torch.as_tensor(mask[None], device=seen.device))
        return np.asarray(law.base_dist.logits.argmax(-1)[0].cpu().numpy())

    return acts


def fit(network: Any, eyes: Any, shown: Shown) -> float:
    """Raise the likelihood of what was shown; the share of it that the network finds likeliest then."""
    observations = np.stack(shown.observations)
    eyes(observations)
    seen = eyes(observations, learns=False)
    masks = torch.as_tensor(np.stack(shown.masks), device=seen.device)
    actions = torch.as_tensor(np.stack(shown.actions), device=seen.device)
    masks |= torch.nn.functional.one_hot(actions, network.choices).flatten(1).bool()  # clipped where it cannot be made in full
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    draws = torch.Generator().manual_seed(len(actions))
    for _ in range(GRADIENT_STEPS):
        part = torch.randint(len(actions), (min(BATCH, len(actions)),), generator=draws)
        loss = -network.law(seen[part], masks[part]).log_prob(actions[part]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = network.law(seen, masks).base_dist.logits.argmax(-1)
    return float((found == actions).float().mean())
