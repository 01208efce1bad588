"""The example planner: deterministic, honest, and no worse than what it could have held where it sees the future."""

import numpy as np

from examples import planner
from sageserve_env.env import FleetEnv


def test_planner_is_deterministic_on_futures_of_its_own() -> None:
    first, again = (planner.run_planner(hours=1.5, candidates=4, futures=2, seed=0) for _ in range(2))
    assert first == again


def test_a_planner_that_sees_the_future_is_not_worse_than_holding() -> None:
    sees = planner.run_planner(hours=2, candidates=4, futures=0, seed=0)
    fleet = FleetEnv(problem="mini", split="test", horizon_s=7200.0)
    fleet.reset(seed=0, options=planner.DAY)
    held = 0.0
    for _ in range(fleet.setup.n_steps):
        info = fleet.step(np.full(fleet.action_space.shape, 2))[4]
        held += info["vm_usd"] + info["breach_usd"]
    assert sum(sees.values()) <= held
