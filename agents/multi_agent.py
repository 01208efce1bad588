"""An agent for each region on the PettingZoo environment, with the network of the single-file PPO shared among them.

``python -m agents.multi_agent --env SageServe/Mini-v0 --steps 100000 --out runs/regions``

trains agents by region on shared rewards, the same on individual ones, and the single agent that sees and sets all, with as many
environment steps each, and prints what each is worth on the validation split. An agent of a region sees its own endpoints, spot VMs
and the time, so it cannot know what other regions do; the single agent's network has the same layers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.common.rewards import priced
from agents.single_file_ppo import Args, Places, Step, parsed, places_of, train
from sageserve_env.adapters.multi_agent import MultiAgentFleetEnv
from sageserve_env.cli.console import output
from sageserve_env.cli.errors import explanation, fail
from sageserve_env.env import VectorFleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.tables import TextTable

SINGLE = "single agent"

WAYS = ("shared", "individual")
"""Rewards of agents by region."""


class Regions:
    """PettingZoo environments side by side: the agents of all of them are one batch.

    Args:
        args: Of the training.
        rewards: ``"shared"`` or ``"individual"``.
    """

    def __init__(self, args: Args, rewards: str) -> None:
        if args.lagrangian:
            raise InputError("lagrangian = True: prices of breaches are the single agent's; leave it out")
        config = {name: value for name, value in args.config.items() if name != "num_threads"}
        config["reward"] = priced(config["problem"], "money", args.breach_factor)
        self._envs = [MultiAgentFleetEnv(agents="region", rewards=rewards, split="train", **config) for _ in range(args.num_envs)]
        self._names = self._envs[0].possible_agents
        self.size = len(self._envs) * len(self._names)
        self.places, self.whole = places_of_a_region(args, self._envs[0])
        self._told: list[dict[str, Any]] = []

    def reset(self, seed: int) -> NDArray[Any]:
        """Begin."""
        begun = [env.reset(seed=seed + k) for k, env in enumerate(self._envs)]
        self._told = [infos for _, infos in begun]
        return self._stacked([seen for seen, _ in begun])

    def masks(self) -> NDArray[np.bool_] | None:
        """Of mode ``delta``."""
        each = [infos[name].get("action_mask") for infos in self._told for name in self._names]
        return None if each[0] is None else np.array([np.concatenate(mask) for mask in each], np.bool_)

    def step(self, actions: NDArray[Any]) -> Step:
        """Act in every environment; one that ends begins anew."""
        parts = [
            env.step(dict(zip(self._names, own, strict=True))) for env, own in zip(self._envs, self._by_env(actions), strict=True)
        ]
        seen, rewards, _, ends, self._told = (list(each) for each in zip(*parts, strict=True))
        final, names = self._stacked(seen), self._names
        is_over = np.array([end[name] for end in ends for name in names])
        terms = {name: np.array([infos[agent].get(name, 0.0) for infos in self._told for agent in names]) for name in TERMS}
        earned = np.array([reward[name] for reward in rewards for name in names])
        for k, end in enumerate(ends):
            if end[names[0]]:
                seen[k], self._told[k] = self._envs[k].reset()
        return Step(self._stacked(seen), earned, is_over, final, terms)

    def _by_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return actions.reshape(len(self._envs), len(self._names), -1)

    def _stacked(self, seen: list[dict[str, NDArray[Any]]]) -> NDArray[Any]:
        return np.stack([observations[name] for observations in seen for name in self._names])


def places_of_a_region(args: Args, env: MultiAgentFleetEnv) -> tuple[Places, Places]:
    """Where a region's endpoints are in its agent's observation, the same for all; and all endpoints in the single agent's."""
    whole = VectorFleetEnv(1, **args.config)
    fleet, world = places_of(whole), whole.setup.world
    names = [feature.name for feature in env.observation_features(env.possible_agents[0])]
    every = [feature.name for feature in whole.observation_features]
    whole.close()
    first = np.flatnonzero(fleet.regions == 0)
    entries = np.array([[names.index(every[entry]) for entry in fleet.entries[endpoint]] for endpoint in first], np.int64)
    return Places(entries, np.zeros(len(first), np.int64), fleet.models[first], len(world.vm_types)), fleet


def compare(args: Args) -> dict[str, list[dict[str, Any]]]:
    """Train each way with as many environment steps.

    Returns:
        The rows of each log.
    """
    out = Path(args.out)
    logs = {SINGLE: train(replace(args, out=str(out / "single")))}
    for rewards in WAYS:
        own = replace(args, out=str(out / rewards))
        logs[f"by region, {rewards} rewards"] = train(own, Regions(own, rewards))
    return logs


def main(words: list[str] | None = None) -> None:
    """Train each way and print a table."""
    try:
        logs = compare(parsed(words))
    except InputError as error:
        fail(explanation(error))
    shown = TextTable(
        "the last agent on the validation split, mean of its episodes", ["agents"], ["dollars", "feasible", "wall, s"]
    )
    for name, rows in logs.items():
        last = rows[-1]
        told = last["validation"]
        shown.add_row(name, f"{told['usd']:,.0f}", f"{told['feasible']} of {told['episodes']}", f"{last['wall_s']:,.0f}")
    output().print(shown)


if __name__ == "__main__":
    main()
