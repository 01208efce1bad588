from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from baselines import ReactivePolicy, StaticPolicy
from baselines.static import StaticByModelPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.scenarios import Scenario
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import load_world, published, siloed


@dataclass
class Watched:
    """A policy, and the instances that it saw at each instant."""

    policy: object
    active: list = field(default_factory=list)
    started: list = field(default_factory=list)

    def reset(self, scenario, rng):
        self.policy.reset(scenario, rng)

    def decide(self, telemetry):
        self.active.append(telemetry.active.sum(axis=1))
        self.started.append((telemetry.active + telemetry.provisioning).sum(axis=1))
        return self.policy.decide(telemetry)


def run(policy, world, scale=1.0, duration_s=900.0):
    workload = O365Week(start_s=126_000.0, duration_s=duration_s, scale=scale)
    return run_episode(Scenario("slice", world, workload, control_interval_s=15.0), policy)


@pytest.mark.parametrize("world", [published(instances=4), siloed()], ids=lambda world: world.name)
def test_static_holds_the_initial_fleet(world):
    watched = Watched(StaticPolicy())
    fleet = run(watched, world, duration_s=300.0).metrics.fleet_total
    assert fleet.scale_outs == fleet.scale_ins == fleet.provisioning_h == fleet.draining_h == 0
    assert (np.array(watched.active) == watched.active[0]).all()


def test_static_goes_to_a_size_and_stays():
    watched = Watched(StaticPolicy(instances=6))
    result = run(watched, published(instances=4))
    assert result.metrics.fleet_total.scale_outs == 12 * 2
    assert (np.array(watched.started)[1:] == 6).all()
    assert result.metrics.fleet_total.active == 72


def test_static_by_model_holds_a_size_for_each_model():
    watched = Watched(StaticByModelPolicy({"bloom-176b": 6, "llama-2-70b": 3}))
    result = run(watched, published(instances=4))
    held = [{"bloom-176b": 6, "llama-2-70b": 3}.get(model.name, 4) for model in result.world.models]
    assert np.array(watched.started)[-1].tolist() == held * 3


def test_static_checks_its_options():
    scenario = Scenario("s", published(), O365Week(duration_s=60.0))
    for policy, message in (
        (StaticPolicy(instances=26), "4 of the 26 instances"),
        (StaticPolicy(instances=-1), "instances = -1 is out of range"),
        (StaticPolicy(instances=1), "instances = 1 is below the least that world 'published' allows; give 2 or more"),
        (StaticByModelPolicy({"bloom-176b": 1}), r"instances\['bloom-176b'\] = 1 is below the least"),
        (StaticByModelPolicy({"bloom-176b": 97}), "of the 97 instances of bloom-176b"),
        (StaticByModelPolicy({"gpt-5": 3}), "instances = 'gpt-5' is not a model"),
        (StaticByModelPolicy(3), "instances = 3 is no dict"),
        (ReactivePolicy(min_instances=1), "min_instances = 1 is below the least"),
        (StaticPolicy(admission_order="LIFO"), "admission_order = 'LIFO'"),
    ):
        with pytest.raises(InputError, match=message):
            policy.reset(scenario, np.random.default_rng(0))


def test_reactive_scales_out_in_a_burst_and_never_below_two():
    watched = Watched(ReactivePolicy())
    metrics = run(watched, published(instances=3), scale=12.0).metrics
    started = np.array(watched.started)
    assert metrics.fleet_total.scale_outs > 0
    assert started.max() > 3
    assert started.min() >= 2


def test_reactive_scales_in_when_idle_and_never_below_two():
    watched = Watched(ReactivePolicy())
    metrics = run(watched, published(instances=5), scale=0.05).metrics
    assert metrics.fleet_total.scale_outs == 0
    assert np.array(watched.started)[-1].tolist() == [2] * 12
    assert metrics.fleet_total.active == 24


def test_reactive_takes_the_worlds_thresholds_unless_told():
    world = published()
    scenario = Scenario("s", world, O365Week(duration_s=60.0))
    policy = ReactivePolicy()
    policy.reset(scenario, np.random.default_rng(0))
    knobs = policy.decide(None)
    assert (knobs.floor == 2).all()
    assert (knobs.cap == 100).all()
    assert set(knobs.scale_out_utilization) == {0.7}
    assert set(knobs.scale_in_utilization) == {0.3}
    assert set(knobs.cool_down_s) == {15.0}
    policy = ReactivePolicy(min_instances=3, scale_out_utilization=0.5, scale_in_utilization=0.2, cool_down_s=60.0)
    policy.reset(scenario, np.random.default_rng(0))
    knobs = policy.decide(None)
    assert set(knobs.floor.ravel()) == {3}
    assert set(knobs.scale_out_utilization) == {0.5}
    assert set(knobs.cool_down_s) == {60.0}


def test_reactive_knows_vm_types():
    world = load_world(Path(__file__).parents[2] / "examples" / "world_two_vm_types.yaml")
    policy = ReactivePolicy()
    policy.reset(Scenario("s", world, O365Week(duration_s=60.0)), np.random.default_rng(0))
    knobs = policy.decide(None)
    assert (knobs.floor.sum(axis=1) == 2).all()
    assert (knobs.floor <= knobs.cap).all()
