"""Starting fleets on several VM types: whenever there is a way to place every instance, one is found."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.sim import Knobs
from sageserve_env.sim.fleet import initial_instances
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import Pool
from tests.sim.helpers import ALL, requests, simulate, toy_model, toy_world


def shared(vms, runs_on, starting):
    """A region with ``vms`` of each type, models that run on given types, and how many of each start."""
    kinds = tuple(replace(toy_world().vm_types[0], name=name) for name in vms)
    world = toy_world(models=len(runs_on), vm_types=kinds)
    models = tuple(
        replace(model, profiles={name: toy_model() for name in names}) for model, names in zip(world.models, runs_on, strict=True)
    )
    pools = (Pool("all", ALL, {f"m{place}": count for place, count in enumerate(starting)}),)
    return replace(world, models=models, pools=pools, regions=(replace(world.regions[0], vm_capacity=vms),))


def test_the_first_type_is_taken_first_where_nobody_needs_it():
    world = shared({"x1": 3, "x2": 3}, [("x1", "x2"), ("x2",)], [4, 1])
    assert initial_instances(world).tolist() == [[3, 1], [0, 1]]


def test_a_type_is_left_to_a_model_that_runs_on_no_other():
    world = shared({"x2": 2, "x4": 2}, [("x2", "x4"), ("x2",)], [2, 1])
    assert initial_instances(world).tolist() == [[1, 1], [1, 0]]


def test_every_fleet_that_is_valid_is_placed():
    rng, placed, refused = np.random.default_rng(0), 0, 0
    for case in range(400):
        names = [f"x{1 << place}" for place in range(int(rng.integers(1, 5)))]
        vms = {name: int(rng.integers(0, 6)) for name in names}
        runs_on = [tuple(name for name in names if rng.random() < 0.5) or (names[-1],) for _ in range(int(rng.integers(1, 5)))]
        starting = [int(rng.integers(0, 5)) for _ in runs_on]
        world = shared(vms, runs_on, starting)
        try:
            validate(world)
        except InputError:
            refused += 1
            with pytest.raises(InputError):
                initial_instances(world)
            continue
        placed += 1
        counts = initial_instances(world)
        assert counts.sum(axis=1).tolist() == starting, case
        assert np.all(counts.sum(axis=0) <= list(vms.values())), case
        assert all(counts[m, k] == 0 or name in runs_on[m] for m in range(len(runs_on)) for k, name in enumerate(names)), case
    assert min(placed, refused) > 50


def test_models_compete_for_the_vms_of_a_size_that_both_run_on():
    # A small model runs on 1 or 2 GPUs, a large one on 2 or 4: both want the one VM of 2 GPUs.
    world = shared({"x1": 1, "x2": 1, "x4": 1}, [("x1", "x2"), ("x2", "x4")], [1, 1])
    sim = simulate(world, requests((0.0, 8, 2)))
    assert sim.telemetry().active.tolist() == [[1, 0, 0], [0, 1, 0]]
    knobs = Knobs.static(world)
    knobs.floor[:] = knobs.cap[:] = [[1, 1, 0], [0, 1, 1]]
    sim.apply(knobs)
    sim.advance(sim.now_s + 60.0)
    assert sim.telemetry().active.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert sim.metrics().blocked_scale_outs > 0
    knobs.floor[:] = knobs.cap[:] = [[1, 1, 0], [0, 0, 1]]
    sim.apply(knobs)
    sim.advance(sim.now_s + 60.0)
    assert sim.telemetry().active.tolist() == [[1, 1, 0], [0, 0, 1]]
