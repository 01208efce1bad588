"""Digests: equal for equal values, whatever made them; different for neighbours."""

import dataclasses
import itertools
import pickle
from pathlib import PurePosixPath

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.identity import digest, parts, require_same
from sageserve_env.world import load_world, published


@dataclasses.dataclass(frozen=True)
class Pair:
    first: object
    second: object = None
    note: str = dataclasses.field(default="", compare=False)


PADDED = np.dtype([("seconds", "f8"), ("tokens", "i4")], align=True)

EQUAL = [
    (1, 1.0, np.int64(1), np.float32(1.0), True),
    (0.0, -0.0),
    ((1, "a"), [1, "a"]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1, 2}, frozenset({2, 1})),
    (Pair(1, note="here"), Pair(1.0, note="there")),
    (np.arange(6.0), np.arange(12.0)[::2] / 2),
    (float("nan"), np.float64("nan")),
]

DISTINCT = [
    None, "None", "", b"", 0, 0.5, 10**400, float("inf"), (), (0,), ((0,),), (0, 0), ("a", "b"), ("ab", ""), {}, {0: 0},
    Pair(1), Pair(None, 1), np.zeros(2), np.zeros(2, np.float32), np.zeros((1, 2)), np.zeros(2, PADDED), PurePosixPath("a"),
]  # fmt: skip


@pytest.mark.parametrize("values", EQUAL)
def test_equal_values(values):
    assert len({digest(value) for value in values}) == 1


def test_distinct_values():
    for one, other in itertools.combinations(DISTINCT, 2):
        assert digest(one) != digest(other), (one, other)
    assert digest("a", "b") != digest("ab")


def test_padding_does_not_count():
    clean, dirty = np.zeros(3, PADDED), np.full(3 * PADDED.itemsize, 7, np.uint8).view(PADDED)
    dirty["seconds"] = dirty["tokens"] = 0
    assert digest(clean) == digest(dirty)


def test_a_value_of_another_kind():
    with pytest.raises(TypeError, match="a function has no digest"):
        digest({"f": digest})


def test_a_world_is_itself_however_it_was_made():
    one = parts("world", load_world("published"))
    assert one == parts("world", published()) == parts("world", pickle.loads(pickle.dumps(load_world("published"))))
    assert one != parts("world", published(instances=3))


def test_the_first_difference_is_named():
    with pytest.raises(InputError, match=r"snapshot: it was taken with another seed; take a new one"):
        require_same({"world": "a", "seed": "1"}, {"world": "a", "seed": "2"}, "snapshot", "take a new one")
    with pytest.raises(InputError, match="another world"):
        require_same({}, {"world": "a"}, "snapshot", "take a new one")
