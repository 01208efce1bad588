"""What goes over the wall comes out as it went in, and nobody can write to it."""

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.locked.wall.wire import layout, pack, unpack


def over(told):
    """A value on the other side."""
    kind = layout(told)
    return unpack(pack(told, kind), kind)


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
