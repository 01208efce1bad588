"""Workloads of the user's own: whatever they hand over, it is served as it is or refused by name; nothing in between."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from sageserve_env.env.core import all_requests
from sageserve_env.errors import InputError
from sageserve_env.sim import Simulator
from sageserve_env.workload import REQUEST_DTYPE, O365Week, Trace, Transformed, describe, write_trace
from sageserve_env.workload.play import play
from sageserve_env.workload.transforms.operations import Slice
from tests.sim.helpers import ArrayWorkload, requests, toy_world
from tests.workload.helpers import make_world, regular_trace

ROWS = requests((0.0, 5, 3), (1.0, 5, 3), (2.0, 5, 3), (3.0, 5, 3))
WORLD = toy_world(regions=2, models=2)


class Given:
    """Hands over what it is given, chunk by chunk."""

    name = "own"

    def __init__(self, *chunks, duration_s=10.0):
        self.chunks, self.duration_s = chunks, duration_s

    def stream(self, world, seed):
        left = iter([*self.chunks, np.zeros(0, REQUEST_DTYPE)])
        return SimpleNamespace(next_chunk=lambda: next(left), snapshot=lambda: None, restore=lambda snapshot: None)


USERS = {
    "simulator": lambda workload: Simulator(WORLD, workload).advance(5.0),
    "environment": lambda workload: all_requests(workload, WORLD, 0),
    "transform": lambda workload: Simulator(WORLD, Transformed(workload, Slice(0.0, 9.0))).advance(5.0),
    "describe": lambda workload: describe(workload, WORLD),
}


def changed(field, value, row=2):
    rows = ROWS.copy()
    rows[field][row] = value
    return rows


BAD_ROWS = [
    ("arrival_s", np.nan, "arrival_s = nan is outside"),
    ("arrival_s", -1.0, r"arrival_s = -1\.0 is outside"),
    ("arrival_s", np.inf, "arrival_s = inf is outside"),
    ("arrival_s", 10.0, r"arrival_s = 10\.0 is outside of the workload; give 0 or more, less than its duration_s = 10"),
    ("arrival_s", 0.5, r"arrival_s = 0\.5 is before the 1\.0"),
    ("prompt_tokens", 0, "prompt_tokens = 0 cannot be served; give 1 or more"),
    ("prompt_tokens", -(2**31), "prompt_tokens = -2147483648"),
    ("output_tokens", -7, "output_tokens = -7"),
    ("model", 2, "model = 2 does not exist in the world; give 0 to 1"),
    ("origin", 255, "origin = 255 does not exist in the world; give 0 to 1"),
    ("tier", 3, "tier = 3 does not exist in the world; give 0 to 2"),
    ("preference", 1, "preference = 1 does not exist in the world; give 0 to 0"),
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(("field", "value", "message"), BAD_ROWS)
def test_a_bad_request_is_named(user, field, value, message):
    with pytest.raises(InputError, match=rf"workload 'own' request 3: {message}"):
        USERS[user](Given(changed(field, value)))


def test_requests_are_counted_over_chunks():
    with pytest.raises(InputError, match=r"request 5: arrival_s = 0\.0 is before the 3\.0 of the one before it; sort"):
        all_requests(Given(ROWS, ROWS.copy()), WORLD, 0)


BAD_CHUNKS = [
    (None, "gave None"),
    ([], r"gave \[\]"),
    ("abc", "gave 'abc'"),
    (np.zeros(3), "gave an array of dtype float64"),
    (np.zeros((2, 2), REQUEST_DTYPE), r"gave an array of shape \(2, 2\)"),
    (np.zeros((), REQUEST_DTYPE), r"gave an array of shape \(\)"),
    (np.zeros(2, np.dtype([*REQUEST_DTYPE.descr[:1], ("prompt_tokens", "i8")])), "gave an array of dtype"),
    (np.zeros(2, REQUEST_DTYPE.newbyteorder()), "gave an array of dtype"),
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(("chunk", "message"), BAD_CHUNKS)
def test_what_is_no_chunk(user, chunk, message):
    with pytest.raises(InputError, match=rf"workload 'own': next_chunk\(\) {message}"):
        USERS[user](Given(chunk))


def test_any_layout_of_memory_is_played():
    frozen, strided = ROWS.copy(), np.repeat(ROWS, 2)[::2]
    frozen.flags.writeable = False
    shifted = np.frombuffer(b"x" + ROWS.tobytes(), np.uint8)[1:].view(REQUEST_DTYPE)
    for rows in (frozen, strided, shifted, ROWS.view(np.recarray)):
        sim = Simulator(WORLD, Given(rows))
        sim.advance(100.0)
        assert sim.metrics().total.completed == 4


def test_a_buffer_that_is_used_again():
    buffer = ROWS.copy()
    with pytest.raises(InputError, match=r"gave the memory of the chunk before; give a new array each time"):
        all_requests(Given(buffer, buffer), WORLD, 0)


BAD_LENGTHS = (0.0, -1.0, np.nan, np.inf, "x", 1e300)

BAD_WORKLOADS = [
    (None, "workload = NoneType object has no name, duration_s, stream"),
    ("o365-day", "workload = str object has no name"),
    (Given, "is a class"),
    (SimpleNamespace(name="x", duration_s=1.0), "has no stream"),
    (SimpleNamespace(name="", duration_s=1.0, stream=None), "workload: name = '' is not a name"),
    *(
        (Given(duration_s=value), r"workload 'own': duration_s = .* is not valid")
        for value in (0.0, -1.0, np.nan, np.inf, "x", 1e300)
    ),
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(("workload", "message"), BAD_WORKLOADS)
def test_what_is_no_workload(user, workload, message):
    with pytest.raises(InputError, match=message):
        USERS[user](workload)


def test_a_stream_that_lacks_a_method():
    workload = SimpleNamespace(name="own", duration_s=1.0, stream=lambda world, seed: iter([]))
    with pytest.raises(InputError, match=r"stream\(world, seed\) gave a list_iterator without next_chunk; see"):
        play(workload, WORLD, 0)
    plain = SimpleNamespace(next_chunk=lambda: np.zeros(0, REQUEST_DTYPE))
    workload.stream = lambda world, seed: plain
    sim = Simulator(WORLD, workload)
    sim.advance(2.0)  # all that needs no snapshot works
    with pytest.raises(InputError, match="without snapshot"):
        sim.snapshot()
    plain.snapshot = lambda: None
    kept = sim.snapshot()
    with pytest.raises(InputError, match="without restore"):
        sim.restore(kept)


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, "x", None])
def test_a_seed_is_checked_for_every_workload(seed):
    with pytest.raises(InputError, match="seed = "):
        Simulator(WORLD, Given(ROWS), seed=seed)


# --- what a stream plays ------------------------------------------------------------------------------------------------------


def plays(workload, world=WORLD, seed=0):
    return play(workload, world, seed).identity


def test_a_workload_of_ones_own_is_known_by_its_attribute_its_fields_or_its_class_and_length():
    assert plays(ArrayWorkload(ROWS)) == plays(ArrayWorkload(ROWS.copy()))
    assert plays(ArrayWorkload(ROWS)) != plays(ArrayWorkload(changed("prompt_tokens", 6)))
    assert plays(ArrayWorkload(ROWS)) != plays(ArrayWorkload(ROWS), seed=1)
    assert plays(Given(ROWS)) == plays(Given(ROWS[:2])) != plays(Given(ROWS, duration_s=11.0))
    one, other = Given(ROWS), Given(ROWS[:2])
    one.identity, other.identity = ("v1", 4), ("v1", 2)
    assert plays(one) != plays(other)


def test_our_own_are_known_by_what_defines_them(tmp_path):
    world = make_world()
    week = {
        "slice": O365Week(60.0, 600.0),
        "later": O365Week(120.0, 600.0),
        "more": O365Week(60.0, 600.0, scale=2.0),
        "burst": O365Week(60.0, 600.0).burst(2, 5.0, 60.0),
    }
    trace = Trace(regular_trace(tmp_path / "a.csv", 50))
    kinds = {**week, "trace": trace, "scaled": trace.scale(2.0), "twice": trace.scale(2.0).scale(2.0), "three": trace.scale(3.0)}
    digests = {name: plays(workload, world) for name, workload in kinds.items()}
    assert len(set(digests.values())) == len(kinds)
    assert digests["slice"] == plays(O365Week(60.0, 600.0, name="another", chunk_rows=7), world)
    copied = regular_trace(tmp_path / "elsewhere.csv", 50)
    assert digests["trace"] == plays(Trace(copied), world)
    assert digests["scaled"] == plays(pickle.loads(pickle.dumps(Trace(copied).scale(2.0))), world)
    assert digests["trace"] != plays(Trace(regular_trace(tmp_path / "b.csv", 50, every_s=0.25)), world)


def streams(tmp_path):
    path = regular_trace(tmp_path / "a.csv", 200)
    yield O365Week(0.0, 60.0), O365Week(0.0, 90.0)
    yield Trace(path), Trace(regular_trace(tmp_path / "b.csv", 200, every_s=0.25))
    yield Trace(path).scale(2.0), Trace(path).scale(3.0)


def test_a_position_of_another_stream_is_refused_and_moves_nothing(tmp_path):
    world = make_world()
    for workload, another in streams(tmp_path):
        stream, twin = workload.stream(world, 1), workload.stream(world, 1)
        stream.next_chunk(), twin.next_chunk()
        for wrong in (workload.stream(world, 2).snapshot(), another.stream(world, 1).snapshot(), None, 7, b"abc"):
            with pytest.raises(InputError, match="snapshot of a stream"):
                stream.restore(wrong)
        assert stream.next_chunk().tobytes() == twin.next_chunk().tobytes()


def test_written_traces_are_checked(tmp_path):
    with pytest.raises(InputError, match="request 3: tier = 3"):
        write_trace(Given(changed("tier", 3)), WORLD, tmp_path / "out.csv")
    assert not list(tmp_path.iterdir())
