"""Policies of no use: what they do."""

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.leaderboard import nulls
from sageserve_env.scenarios import load_problem
from sageserve_env.sim import Knobs
from sageserve_env.world import load_world
from sageserve_env.world.vms import region_capacity


@pytest.mark.parametrize("name", ["mini", "day", "paper", "globe"])
def test_fleets_fit_the_world(name: str) -> None:
    world = load_problem(name).world()
    vms = region_capacity(world)
    least = max(1, world.scaling.min_instances)
    for made, total in ((nulls.Nothing, 0), (nulls.Least, least * len(vms)), (nulls.Most, None)):
        fleet = made().fleet(world)
        assert (fleet <= vms).all()
        assert total is None or fleet.sum() == total
        knobs = Knobs.static(world)
        knobs.floor = knobs.cap = fleet
        knobs.validated(world)


def test_the_most_is_every_vm_of_each_region() -> None:
    world = load_problem("day").world()
    fleet = nulls.Most().fleet(world).reshape(len(world.regions), -1, len(world.vm_types))
    there = [[region.vm_capacity[kind.name] for kind in world.vm_types] for region in world.regions]
    assert fleet.sum(axis=1).tolist() == there
    shares = np.sort(fleet[0], axis=0)[-2:]  # two models share each type
    assert (shares[1] - shares[0] <= 1).all()


def test_the_least_respects_the_worlds_least() -> None:
    world = load_world("published")
    assert set(nulls.Least().fleet(world).ravel().tolist()) == {world.scaling.min_instances}


def test_agents_hold_and_draw() -> None:
    env = FleetEnv(problem=load_problem("mini").with_overrides(horizon_s=900.0), split="test")
    _, info = env.reset(seed=0)
    mask, before = info["action_mask"], env.telemetry().active
    hold, random = nulls.Hold(), nulls.Random()
    hold.reset(1)
    env.step(hold.act(None, mask))
    assert (env.telemetry().active == before).all()
    drawn = []
    for _ in range(2):
        random.reset(7)
        drawn.append([random.act(None, mask).tolist() for _ in range(50)])
    assert drawn[0] == drawn[1]
    assert set(np.ravel(drawn)) == set(range(mask.shape[1]))
