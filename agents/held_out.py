"""What a way to act costs on the held-out test days of a problem, in dollars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from sageserve_env.env import VectorFleetEnv
from sageserve_env.scenarios import load_problem

SEED = 2025
"""Seed of every held-out episode, as in the tables of docs/scenarios.md."""

Act = Callable[[Any, NDArray[np.bool_]], ArrayLike]
"""Actions (E, A), or one (A,) for all rows, of observations (E, O) and masks (E, sum of choices)."""

Costs = dict[str, float]


def evaluate(problem: str, act: Act, **config: Any) -> Costs:
    """Mean cost of an episode over every day and variant of the test split, all played at once.

    Args:
        problem: Name of a problem, e.g. ``"mini"``.
        act: Decides.
        **config: Further arguments of the environment; the action mode is ``delta``.

    Returns:
        Dollars: ``vm_usd``, ``breach_usd``, and their sum ``total_usd``.
    """
    episodes = load_problem(problem).split("test").held_out()
    envs = VectorFleetEnv(len(episodes), problem=problem, split="test", autoreset_mode=AutoresetMode.DISABLED, **config)
    observations = begin(envs, episodes)
    costs, ended = {"vm_usd": 0.0, "breach_usd": 0.0}, False
    while not ended:
        actions = np.broadcast_to(act(observations, envs.action_masks()), envs.action_space.shape or ())
        observations, _, _, truncated, infos = envs.step(actions)
        for name in costs:
            costs[name] += float(infos[name].mean())
        ended = bool(truncated.all())
    envs.close()
    return {**costs, "total_usd": costs["vm_usd"] + costs["breach_usd"]}


def begin(envs: VectorFleetEnv, episodes: list[dict[str, Any]]) -> Any:
    """Start each row with its own options; returns all observations."""
    seeds: list[int | None] = [SEED] * envs.num_envs
    observations, _ = envs.reset(seed=seeds)
    for row, options in enumerate(episodes):
        only = np.arange(envs.num_envs) == row
        observations, _ = envs.reset(seed=seeds, options={**options, "reset_mask": only})
    return observations


def hold(n_fleets: int, max_delta: int) -> Act:
    """Never change the fleet."""
    return lambda _, masks: np.full(n_fleets, max_delta)


def at_random(n_fleets: int, max_delta: int) -> Act:
    """Any action."""
    rng = np.random.default_rng(SEED)
    return lambda _, masks: rng.integers(0, 2 * max_delta + 1, (len(masks), n_fleets))
