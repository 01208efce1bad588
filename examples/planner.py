"""Plan with the simulator itself: the cross-entropy method over futures that are drawn anew, on Mini's first test day.

Every half hour the planner forks the state of the fleet: some futures of requests, drawn by the law that is known then. It plays
different plans in the rows of a vector environment, each plan in every future, keeps the best, and acts on its beginning. It does
not see what will really come, so what it reaches is the score of a controller that knows the law of the traffic. With
``--futures 0`` it copies the state instead (``snapshot``): every row then sees **the true future**, and what it reaches is a bound.

    python examples/planner.py --hours 6 --candidates 16 --futures 4
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np

import sageserve_env  # noqa: F401  registers the ids
from sageserve_env.env import EnvSnapshot, FleetEnv
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import play_policy

ID = "SageServe/Mini-v0"
DAY = {"day": 0, "variant": 0, "start_s": 0.0}
STEPS_A_SEGMENT = 6  # half an hour: the fleet is given a target for so long, and then planned anew
SEGMENTS = 6  # three hours ahead: far beyond the twenty minutes that an instance takes to start
ROUNDS = 4
ELITE_SHARE = 0.125
FIRST_SPREAD = 0.3
LEAST_SPREAD = 0.08  # half an instance of twelve: actions go from -1 to 1

Costs = dict[str, float]


class Planner:
    """Cross-entropy method: plans drawn around a mean; the mean and the spread of the best of them; again.

    A plan is an array of shape (SEGMENTS, endpoints): the action of mode ``target`` in each half hour.
    """

    def __init__(self, candidates: int, futures: int, seed: int, horizon_s: float) -> None:
        self.candidates, self.futures = candidates, futures
        self.envs = gym.make_vec(
            ID,
            num_envs=candidates * max(futures, 1),
            vectorization_mode="vector_entry_point",
            split="test",
            action_mode="target",
            horizon_s=horizon_s,
        )
        self.rng = np.random.default_rng(seed)
        self.best: np.ndarray | None = None

    def plan(self, fleet: FleetEnv, holding: np.ndarray, steps_left: int) -> np.ndarray:
        """The best plan found from now on; ``holding`` is the action that changes nothing."""
        starts = [fleet.fork(int(self.rng.integers(2**32))) for _ in range(self.futures)] or [fleet.snapshot()]
        hold = np.tile(holding, (SEGMENTS, 1))
        if self.best is None:
            self.best = hold
        else:  # what was planned, half an hour later
            self.best = np.concatenate([self.best[1:], self.best[-1:]])
        mean, spread = self.best, np.full_like(self.best, FIRST_SPREAD)
        for _ in range(ROUNDS):
            plans = self.rng.normal(mean, spread, (self.candidates, *mean.shape)).clip(-1, 1).astype(np.float32)
            plans[0], plans[1] = self.best, hold
            order = np.argsort(-self.returns(starts, plans, steps_left), kind="stable")
            elite = plans[order[: max(2, int(ELITE_SHARE * len(plans)))]]
            self.best = elite[0]
            mean, spread = elite.mean(axis=0), np.maximum(elite.std(axis=0), LEAST_SPREAD)
        return self.best

    def returns(self, starts: list[EnvSnapshot], plans: np.ndarray, steps_left: int) -> np.ndarray:
        """Mean sum of rewards of each plan over the futures, which are the same for all plans."""
        for k, start in enumerate(starts):
            self.envs.unwrapped.restore(start, list(range(k * len(plans), (k + 1) * len(plans))))
        each = np.tile(plans, (len(starts), 1, 1))
        total = np.zeros(len(each))
        for step in range(min(SEGMENTS * STEPS_A_SEGMENT, steps_left)):
            total += self.envs.step(each[:, step // STEPS_A_SEGMENT])[1]
        return total.reshape(len(starts), len(plans)).mean(axis=0)


def run_planner(hours: float, candidates: int, futures: int, seed: int) -> Costs:
    """Dollars of an episode under the planner."""
    fleet = FleetEnv(problem="mini", split="test", action_mode="target", horizon_s=hours * 3600)
    fleet.reset(seed=seed, options=DAY)
    planner = Planner(candidates, futures, seed, hours * 3600)
    action, steps = shares(fleet), fleet.setup.n_steps
    costs = {"vm_usd": 0.0, "breach_usd": 0.0}
    for step in range(steps):
        if step % STEPS_A_SEGMENT == 0:
            action = planner.plan(fleet, action, steps - step)[0]
        info = fleet.step(action)[4]
        for name in costs:
            costs[name] += float(info[name])
    planner.envs.close()
    fleet.close()
    return costs


def shares(fleet: FleetEnv) -> np.ndarray:
    """The action of mode ``target`` that asks for the instances that are active."""
    world = fleet.setup.world
    least, active = world.scaling.min_instances, fleet.telemetry().active.reshape(len(world.regions), -1)
    most = np.array([[sum(region.vm_capacity.values())] for region in world.regions])
    return (2 * (active - least) / (most - least) - 1).ravel().astype(np.float32)


def run_policy(hours: float, seed: int, name: str, **options: object) -> Costs:
    """Dollars of an episode under a reference policy."""
    fleet = FleetEnv(problem="mini", split="test", horizon_s=hours * 3600)
    score = play_policy(fleet, load_policy(name, **options), DAY, seed)
    return {name: score.terms[name] for name in ("vm_usd", "breach_usd")}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the traffic and of the plans")
    parser.add_argument("--candidates", type=int, default=16, help="plans of each round, at least 3")
    parser.add_argument("--futures", type=int, default=4, help="futures that each plan is played in; 0: the true one")
    parser.add_argument("--hours", type=float, default=24.0, help="length of the episode, from midnight")
    asked = parser.parse_args(arguments)
    if asked.candidates < 3:
        parser.error(f"--candidates {asked.candidates}: give at least 3")
    if asked.futures < 0:
        parser.error(f"--futures {asked.futures}: give 0 or more")
    print(f"{'policy':32}{'VMs, $':>10}{'breaches, $':>13}{'together, $':>13}")
    show("reactive", run_policy(asked.hours, asked.seed, "reactive"))
    show("4 per region, held", run_policy(asked.hours, asked.seed, "static", instances=4))
    show("forecast-program", run_policy(asked.hours, asked.seed, "forecast-program"))
    label = f"planner, {asked.futures} futures" if asked.futures else "planner that sees the future"
    show(label, run_planner(asked.hours, asked.candidates, asked.futures, asked.seed))


def show(name: str, costs: Costs) -> None:
    print(f"{name:32}{costs['vm_usd']:10,.0f}{costs['breach_usd']:13,.0f}{sum(costs.values()):13,.0f}", flush=True)


if __name__ == "__main__":
    main()
