"""What goes over the wall comes out as it went in, and nobody can write to it."""

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.locked.actions import knobs_of, said_of
from sageserve_env.evaluation.locked.wall.wire import PACKED, Packer, fits, is_packed, layout, unpack
from sageserve_env.scenarios import load_problem
from sageserve_env.sim import Knobs


def over(told):
    """A value on the other side."""
    kind = layout(told)
    return unpack(Packer(kind).pack(told), kind, len(PACKED))


def test_telemetry_goes_over_whole() -> None:
    env = FleetEnv(problem="mini", split="test")
    env.reset(seed=0)
    told = vars(env.telemetry())
    taken = over(told)
    assert list(taken) == list(told)
    for name, value in told.items():
        assert type(taken[name]) is type(value)
        assert np.array_equal(taken[name], value)
        assert np.asarray(taken[name]).dtype == np.asarray(value).dtype


@pytest.mark.parametrize("mask", [None, np.ones((2, 3), np.int8)])
@pytest.mark.parametrize("observation", [np.zeros(3, np.float32), {"a": np.arange(6).reshape(2, 3), "none": np.zeros((2, 0))}])
def test_observations_and_masks_go_over(observation, mask) -> None:
    taken = over({"observation": observation, "mask": mask})
    assert (taken["mask"] is None) == (mask is None)
    groups = observation.items() if isinstance(observation, dict) else [(None, observation)]
    for name, array in groups:
        other = taken["observation"] if name is None else taken["observation"][name]
        assert np.array_equal(other, array)
        assert other.shape == array.shape
        assert other.flags.aligned


def test_what_goes_over_cannot_be_written_to() -> None:
    """The bytes of a message are nobody's to change; what was sent stays as it was."""
    given = {"a": np.arange(3), "b": np.zeros((2, 0))}
    taken = over(given)
    for name, array in taken.items():
        assert given[name].flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)


def test_knobs_come_back_packed() -> None:
    said = said_of(Knobs.static(load_problem("mini").world(), "EDF"))
    kind = layout(said)
    message = Packer(kind).pack(said)
    assert is_packed(message, kind)
    assert not is_packed(message[:-8], kind)
    taken = unpack(message, kind, len(PACKED))
    assert knobs_of(taken).admission_order == "EDF"
    assert all(np.array_equal(taken[name], value) for name, value in said.items())


@pytest.mark.parametrize(
    ("given", "does_fit"),
    [
        (np.zeros(3, np.int32), True),
        (np.zeros(3, np.int64), True),
        (np.zeros(3), False),  # would lose halves
        (np.zeros(3, np.uint64), False),
        (np.zeros(3, bool), False),
        (np.zeros(2, np.int64), False),
        (np.full(3, "many"), False),
    ],
)
def test_what_would_lose_something_does_not_fit(given, does_fit: bool) -> None:
    assert fits({"floor": given}, layout({"floor": np.zeros(3, np.int64)})) == does_fit


def test_telemetry_is_written_where_it_goes_as_it_is_read() -> None:
    env = FleetEnv(problem="mini", split="test")
    env.reset(seed=0)
    for _ in range(3):
        env.follow(Knobs.static(env.setup.world))
    packer = Packer(layout(vars(env.telemetry())))
    env.write_telemetry(packer.places)
    assert list(packer.places) == list(vars(env.telemetry()))
    assert all(np.array_equal(packer.places[name], value) for name, value in vars(env.telemetry()).items())
