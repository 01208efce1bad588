"""Fill in the tables of scores of docs/scenarios.md: random, static and reactive policies on every test day and variant.

Run it as ``python docs/make_cards.py`` for all problems (Week and Scale2025 take minutes), or name some: ``... mini azure``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import sageserve_env  # noqa: F401  registers the ids
from sageserve_env.registration import IDS
from sageserve_env.scenarios import load_problem

PAGE = Path(__file__).with_name("scenarios.md")
SEED = 2025

STATIC_SIZES = {
    "mini": (2, 3, 4, 6, 8),
    "day": (2, 3, 4, 8),
    "week": (2, 4, 8),
    "burst": (2, 4, 8),
    "azure": (1, 2, 3, 4),
    "scale2025": (16, 20, 25),
}
"""Instances of each endpoint, held for the episode."""

Act = Callable[[], Any]
TERMS = ("vm_usd", "breach_usd", "arrived", "breaches_iw_f", "breaches_iw_n", "breaches_niw")


def play(env: gym.Env[Any, Any], act: Act, options: dict[str, Any]) -> dict[str, float]:
    """Sums of the reward terms over one episode."""
    env.reset(seed=SEED, options=options)
    sums, done = dict.fromkeys(TERMS, 0.0), False
    while not done:
        _, _, terminated, truncated, info = env.step(act())
        done = terminated or truncated
        for name in TERMS:
            sums[name] += float(info[name])
    return sums


def policies(problem: str) -> Iterator[tuple[str, str, Callable[[gym.Env[Any, Any]], Act], dict[str, Any]]]:
    """Name, action mode, what makes the policy of an environment, and further options of reset."""
    yield "random", "delta", random_policy, {}
    yield "static, as it starts", "delta", still_policy, {}
    for size in STATIC_SIZES[problem]:
        yield f"static, {size} per endpoint", "delta", still_policy, {"initial_instances": size}
    yield "reactive", "knobs", reactive_policy, {}


def random_policy(env: gym.Env[Any, Any]) -> Act:
    """Any action, from a seeded space."""
    env.action_space.seed(SEED)
    return env.action_space.sample


def still_policy(env: gym.Env[Any, Any]) -> Act:
    """The middle choice of mode ``delta``: no change."""
    still = env.action_space.nvec // 2  # type: ignore[attr-defined]
    return lambda: still


def reactive_policy(env: gym.Env[Any, Any]) -> Act:
    """The paper's reactive scaling in mode ``knobs``: widest bounds, and the world's thresholds for ever."""
    world = load_problem(env.spec.kwargs["problem"]).world()  # type: ignore[union-attr]
    models = len(world.models)
    endpoints = len(world.regions) * models * len(world.pools)
    fleets = endpoints * len(world.vm_types)
    high, low = world.niw.release_utilization
    levels = [world.routing.utilization_threshold] * models + [high] * models + [low] * models
    thresholds = [world.scaling.scale_out_utilization] * endpoints + [world.scaling.scale_in_utilization] * endpoints
    action = np.array([0.0] * fleets + [1.0] * fleets + thresholds + levels, np.float32)
    return lambda: action


def table(problem: str) -> str:
    """The scores of a problem in Markdown: means over the episodes."""
    lines = [
        "| policy | VMs, $ | breaches, $ | together, $ | avoidable breaches, share of requests |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, mode, make, more in policies(problem):
        env = gym.make(IDS[problem], split="test", action_mode=mode)
        act = make(env)
        runs = [play(env, act, {**options, **more}) for options in load_problem(problem).split("test").held_out()]
        env.close()
        mean = {term: float(np.mean([run[term] for run in runs])) for term in TERMS}
        share = sum(mean[term] for term in TERMS if term.startswith("breaches_")) / mean["arrived"]
        vms, breaches = mean["vm_usd"], mean["breach_usd"]
        lines.append(f"| {name} | {vms:,.0f} | {breaches:,.0f} | {vms + breaches:,.0f} | {share:.1%} |")
        print(problem, lines[-1], flush=True)
    return "\n".join(lines)


def put(page: str, problem: str, text: str) -> str:
    """The page with what stands between the marks of a problem replaced."""
    start, end = f"<!-- scores of {problem} -->\n", f"<!-- end of {problem} -->"
    head, _, rest = page.partition(start)
    _, _, tail = rest.partition(end)
    if not tail:
        raise SystemExit(f"{PAGE} has no marks {start.strip()} and {end}")
    return f"{head}{start}{text}\n{end}{tail}"


def main() -> None:
    """Play, and rewrite the page after each problem."""
    for problem in sys.argv[1:] or IDS:
        scores = table(problem)
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), problem, scores), encoding="utf-8")


if __name__ == "__main__":
    main()
