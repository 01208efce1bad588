"""Arguments that make no sense get one line that names them, and change nothing."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.sim import Knobs, Simulator
from sageserve_env.sim.knobs import RANGES, limits
from tests.sim.helpers import ArrayWorkload, requests, state_bytes, toy_world

WORLD = toy_world(regions=2, models=2, instances=2)
SHAPES = limits(len(WORLD.regions), len(WORLD.models), len(WORLD.pools), len(WORLD.vm_types)).shapes
ROWS = requests((0.0, 5, 3), (1.0, 5, 3))


@pytest.fixture
def sim():
    sim = Simulator(WORLD, ArrayWorkload(ROWS))
    sim.advance(0.5)
    return sim


@pytest.mark.parametrize("until_s", ["x", None, [1.0], np.nan, np.inf, -np.inf, 1e300, 1e9, 0.4, 1j, True, 10**400, np.zeros(1)])
def test_advance(sim, until_s):
    before = state_bytes(sim)
    with pytest.raises(InputError, match=r"advance\(until_s=.*\): give seconds from now, 0\.5, to 31622400"):
        sim.advance(until_s)
    assert state_bytes(sim) == before


@pytest.mark.parametrize("until_s", [1, np.float32(1.5), np.int64(2), 2.0])
def test_any_number_is_a_time(sim, until_s):
    sim.advance(until_s)
    assert sim.now_s == until_s


@pytest.mark.parametrize("knobs", [None, "x", 3, {}, Knobs, SimpleNamespace(floor=1)])
def test_apply_what_is_no_knobs(sim, knobs):
    with pytest.raises(InputError, match=r"knobs = .* is no Knobs; give Knobs, such as Knobs\.static\(world\)"):
        sim.apply(knobs)


def wrong_values(name):
    """Values of a knob that it must not have, and what the message says."""
    most = RANGES[name][1]
    good = getattr(Knobs.static(WORLD), name)
    yield from ((np.full_like(good, value, float), "is out of range") for value in (np.nan, np.inf, -np.inf, -1e-9, 1e300))
    yield np.full_like(good, most, float) * 2, "is out of range"
    yield good[:1], "has shape"
    yield good[..., None], "has shape"
    yield 0.5, "has shape"
    yield None, "has shape"
    yield [[1], [1, 2]], "unequal rows"
    yield good.astype(str), "has dtype"
    yield good.astype(complex), "has dtype"
    yield good.astype(object), "has dtype"
    yield good.astype(bool), "has dtype"


@pytest.mark.parametrize("name", RANGES)
def test_a_knob_out_of_its_range(sim, name):
    before = state_bytes(sim)
    for value, message in wrong_values(name):
        with pytest.raises(InputError, match=rf"knob {name}.*{message}") as caught:
            sim.apply(replace(Knobs.static(WORLD), **{name: value}))
        assert len(str(caught.value)) < 300
    assert state_bytes(sim) == before


def test_every_knob_has_a_range():
    assert set(RANGES) == set(SHAPES) == {field.name for field in fields(Knobs)} - {"admission_order"}


@pytest.mark.parametrize("name", RANGES)
def test_the_ends_of_a_range_are_in_it(sim, name):
    knobs = Knobs.static(WORLD)
    knobs.floor[:], knobs.cap[:] = 0, RANGES["cap"][1]
    for value in RANGES[name]:
        sim.apply(replace(knobs, **{name: np.full(SHAPES[name], value).tolist()}))
        sim.apply(knobs)
    sim.advance(60.0)
    assert sim.metrics().total.completed == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"floor": np.full((4, 1), 1.5)}, "knob floor holds a number that is not a whole count"),
        ({"floor": np.full((4, 1), 3)}, r"knob floor\[0, 0\] = 3 is above cap = 2; lower the one or raise the other"),
        ({"niw_release": np.tile([0.2, 0.6], (2, 1))}, r"niw_release\[:, 1\]\[0\] = 0\.6 is above niw_release\[:, 0\] = 0\.2"),
        *(({"admission_order": order}, "knob admission_order") for order in ("LIFO", None, 0, [], np.zeros(3))),
    ],
)
def test_knobs_that_do_not_go_together(sim, change, message):
    with pytest.raises(InputError, match=message):
        sim.apply(replace(Knobs.static(WORLD), **change))


@pytest.mark.parametrize("slots", [0, -1, 1.5, "x", None, True, 2**31])
def test_max_in_flight(slots):
    with pytest.raises(InputError, match=r"max_in_flight = .* is out of range; give a whole number, 1 to 2147483647"):
        Simulator(WORLD, ArrayWorkload(ROWS), max_in_flight=slots)


@pytest.mark.parametrize("world", [None, "published", {}, 3])
def test_what_is_no_world(world):
    with pytest.raises(InputError, match=r"world = .* is no World; give load_world"):
        Simulator(world, ArrayWorkload(ROWS))


def test_a_region_of_tiny_weight_comes_before_one_that_cannot_serve():
    knobs = Knobs.static(WORLD)
    knobs.region_weight[:, 0], knobs.routing_threshold[:] = 1e-300, 0.0
    knobs.floor[2:] = knobs.cap[2:] = 0  # nobody is active in region 1
    sim = Simulator(WORLD, ArrayWorkload(requests(*[(1.0 + k, 300, 50) for k in range(20)])), log_requests=True)
    sim.apply(knobs)
    sim.advance(500.0)
    assert sim.request_log()["region"].tolist() == [0] * 20
