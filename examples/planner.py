"""Plan with the simulator itself: the cross-entropy method over forks of one state, on Mini's test Thursday.

Every half hour the planner copies the state of the fleet into the rows of a vector environment, plays a different plan in each,
keeps the best, and acts on its beginning. The rows are exact copies, so **the planner sees the true future**: what it reaches
estimates from above what a controller could reach, and is no score of a controller.

    python examples/planner.py --hours 6 --candidates 32
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np

import sageserve_env  # noqa: F401  registers the ids
from sageserve_env.env import EnvSnapshot
from sageserve_env.scenarios import load_problem

ID = "SageServe/Mini-v0"
THURSDAY = {"day": "thursday-o365-a", "variant": 0, "start_s": 0.0}
STEPS_A_SEGMENT = 6  # half an hour: the fleet is given a target for so long, and then planned anew
SEGMENTS = 6  # three hours ahead: far beyond the twenty minutes that an instance takes to start
ROUNDS = 4
ELITE_SHARE = 0.125
FIRST_SPREAD = 0.3
LEAST_SPREAD = 0.08  # half an instance of twelve: actions go from -1 to 1


class Planner:
    """Cross-entropy method: plans drawn around a mean; the mean and the spread of the best of them; again.

    A plan is an array of shape (SEGMENTS, endpoints): the action of mode ``target`` in each half hour.
    """

    def __init__(self, candidates: int, seed: int, horizon_s: float) -> None:
        self.envs = gym.make_vec(
            ID,
            num_envs=candidates,
            vectorization_mode="vector_entry_point",
            split="test",
            action_mode="target",
            horizon_s=horizon_s,
        )
        self.rng = np.random.default_rng(seed)
        self.best: np.ndarray | None = None

    def plan(self, snapshot: EnvSnapshot, holding: np.ndarray, steps_left: int) -> np.ndarray:
        """The best plan found from a snapshot; ``holding`` is the action that changes nothing."""
        hold = np.tile(holding, (SEGMENTS, 1))
        if self.best is None:
            self.best = hold
        else:  # what was planned, half an hour later
            self.best = np.concatenate([self.best[1:], self.best[-1:]])
        mean, spread = self.best, np.full_like(self.best, FIRST_SPREAD)
        for _ in range(ROUNDS):
            plans = self.rng.normal(mean, spread, (self.envs.num_envs, *mean.shape)).clip(-1, 1).astype(np.float32)
            plans[0], plans[1] = self.best, hold
            order = np.argsort(-self.returns(snapshot, plans, steps_left), kind="stable")
            elite = plans[order[: max(2, int(ELITE_SHARE * len(plans)))]]
            self.best = elite[0]
            mean, spread = elite.mean(axis=0), np.maximum(elite.std(axis=0), LEAST_SPREAD)
        return self.best

    def returns(self, snapshot: EnvSnapshot, plans: np.ndarray, steps_left: int) -> np.ndarray:
        """Sum of rewards of each plan, played in a row of its own from the same state."""
        self.envs.restore(snapshot)
        total = np.zeros(len(plans))
        for step in range(min(SEGMENTS * STEPS_A_SEGMENT, steps_left)):
            total += self.envs.step(plans[:, step // STEPS_A_SEGMENT])[1]
        return total


def make(mode: str, horizon_s: float) -> gym.Env:
    """Mini with another action mode."""
    return gym.make(ID, split="test", action_mode=mode, horizon_s=horizon_s)


def run_planner(hours: float, candidates: int, seed: int) -> dict[str, float]:
    """Dollars of an episode under the planner."""
    env = make("target", hours * 3600)
    env.reset(seed=seed, options=THURSDAY)
    fleet = env.unwrapped
    planner = Planner(candidates, seed, hours * 3600)
    action = shares(fleet)
    sums, steps = {"vm_usd": 0.0, "breach_usd": 0.0}, fleet.setup.n_steps
    for step in range(steps):
        if step % STEPS_A_SEGMENT == 0:
            action = planner.plan(fleet.snapshot(), action, steps - step)[0]
        add(sums, env.step(action)[4])
    planner.envs.close()
    env.close()
    return sums


def shares(fleet: gym.Env) -> np.ndarray:
    """The action of mode ``target`` that asks for the instances that are active."""
    least = fleet.setup.world.scaling.min_instances
    active = fleet.telemetry().active.reshape(len(fleet.setup.world.regions), -1)
    most = np.array([[sum(region.vm_capacity.values())] for region in fleet.setup.world.regions])
    return (2 * (active - least) / (most - least) - 1).ravel().astype(np.float32)


def run_held(hours: float, seed: int, instances: int | None = None) -> dict[str, float]:
    """Dollars of an episode in which the fleet never changes."""
    env = make("delta", hours * 3600)
    more = {} if instances is None else {"initial_instances": instances}
    return run_constant(env, env.action_space.nvec // 2, seed, {**THURSDAY, **more})


def run_reactive(hours: float, seed: int) -> dict[str, float]:
    """Dollars of an episode under the paper's reactive scaling: mode ``knobs`` with the world's own thresholds for ever."""
    world = load_problem("mini").world()
    regions = len(world.regions)
    high, low = world.niw.release_utilization
    utilizations = [world.scaling.scale_out_utilization] * regions + [world.scaling.scale_in_utilization] * regions
    action = [0.0] * regions + [1.0] * regions + utilizations + [world.routing.utilization_threshold, high, low]
    return run_constant(make("knobs", hours * 3600), 2 * np.array(action, np.float32) - 1, seed, THURSDAY)


def run_constant(env: gym.Env, action: np.ndarray, seed: int, options: dict) -> dict[str, float]:
    """Dollars of an episode of one action."""
    env.reset(seed=seed, options=options)
    sums, done = {"vm_usd": 0.0, "breach_usd": 0.0}, False
    while not done:
        _, _, _, done, info = env.step(action)
        add(sums, info)
    env.close()
    return sums


def add(sums: dict[str, float], info: dict) -> None:
    for name in sums:
        sums[name] += info[name]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the traffic and of the plans")
    parser.add_argument("--candidates", type=int, default=48, help="plans of each round, at least 3")
    parser.add_argument("--hours", type=float, default=24.0, help="length of the episode, from Thursday 00:00")
    asked = parser.parse_args(arguments)
    if asked.candidates < 3:
        parser.error(f"--candidates {asked.candidates}: give at least 3")
    print(f"{'policy':28}{'VMs, $':>10}{'breaches, $':>13}{'together, $':>13}")
    show("reactive", run_reactive(asked.hours, asked.seed))
    show("3 per region, held", run_held(asked.hours, asked.seed, 3))
    show("4 per region, held", run_held(asked.hours, asked.seed, 4))
    show("planner (sees the future)", run_planner(asked.hours, asked.candidates, asked.seed))


def show(name: str, sums: dict[str, float]) -> None:
    print(f"{name:28}{sums['vm_usd']:10,.0f}{sums['breach_usd']:13,.0f}{sum(sums.values()):13,.0f}", flush=True)


if __name__ == "__main__":
    main()
