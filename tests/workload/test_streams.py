"""What every stream promises, for every kind of workload and transform: order, determinism, positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sageserve_env.workload import Mapping, O365Week, Trace, azure2024, o365_june, servegen, write_trace
from tests.workload.helpers import make_world, play, regular_trace, same

WORLD = make_world()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces")
    regular_trace(path / "plain.csv", 3000)
    write_trace(O365Week(0, 900, scale=0.3), WORLD, path / "o365.parquet")
    write_trace(O365Week(0, 900, scale=0.3), WORLD, path / "o365.csv.gz")
    return path


SOURCES = {
    "o365": lambda folder, rows: O365Week(86_400, 300, chunk_rows=rows),
    "o365 gamma": lambda folder, rows: O365Week(86_400, 300, cv=2.5, chunk_rows=rows),
    "june": lambda folder, rows: o365_june(chunk_rows=rows).slice(3600, 300),
    "azure2024": lambda folder, rows: azure2024("conv", start_s=40_000, duration_s=60, chunk_rows=rows),
    "servegen": lambda folder, rows: servegen("m-large", scale=0.02, duration_s=900, chunk_rows=rows),
    "csv": lambda folder, rows: Trace(folder / "plain.csv", chunk_rows=rows),
    "csv.gz": lambda folder, rows: Trace(folder / "o365.csv.gz", chunk_rows=rows),
    "parquet": lambda folder, rows: Trace(folder / "o365.parquet", chunk_rows=rows),
    "mapped": lambda folder, rows: Trace(
        folder / "plain.csv", chunk_rows=rows, mapping=Mapping({"bloom-176b": 1, "llama-2-70b": 1})
    ),
}

TRANSFORMS = {
    "as it is": lambda w: w,
    "scale up": lambda w: w.scale(3.3),
    "scale down": lambda w: w.scale(0.2),
    "slice": lambda w: w.slice(7.5, w.duration_s / 2),
    "later": lambda w: w.shift(12.25),
    "earlier": lambda w: w.shift(-12.25),
    "burst": lambda w: w.burst(8, 5.0, 25.0),
    "tiers": lambda w: w.tier_mix({"IW-F": 1, "NIW": 2}),
    "noise": lambda w: w.noise(0.5, 40.0),
    "chain": lambda w: w.burst(2, 3.0, 10.0).scale(1.7).slice(5.0, 40.0).noise(0.3, 10.0, seed=1).tier_mix({"IW-F": 1, "NIW": 1}),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_stream(folder, source, transform):
    def make(rows=32_768):
        return TRANSFORMS[transform](SOURCES[source](folder, rows))

    workload = make()
    whole = play(workload.stream(WORLD, 7))
    assert whole.size > 20
    assert np.all(np.diff(whole["arrival_s"]) >= 0)
    assert whole["arrival_s"][0] >= 0
    assert whole["arrival_s"][-1] < workload.duration_s
    assert whole["prompt_tokens"].min() >= 1
    assert whole["output_tokens"].min() >= 1
    for field, bound in {"model": 4, "origin": 3, "tier": 3, "preference": 2}.items():
        assert whole[field].max() < bound
    assert same(whole, play(workload.stream(WORLD, 7))), "the same seed"
    assert same(whole, play(make(rows=37).stream(WORLD, 7))), "another chunk size"
    if (source, transform) not in {("csv", "as it is")}:
        assert source in ("parquet", "csv.gz") or not same(whole, play(workload.stream(WORLD, 8))), "another seed"


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("source", SOURCES)
def test_positions(folder, source, transform):
    workload = TRANSFORMS[transform](SOURCES[source](folder, 61))
    whole = play(workload.stream(WORLD, 7))
    stream = workload.stream(WORLD, 7)
    marks, taken = [], 0
    while True:
        marks.append((taken, stream.snapshot()))
        size = stream.next_chunk().size
        taken += size
        if size == 0:
            break
    fresh = workload.stream(WORLD, 7)
    for which in (len(marks) - 1, len(marks) // 2, 0, len(marks) // 3):
        taken, mark = marks[which]
        for player in (stream, fresh):
            player.restore(mark)
            assert same(whole[taken:], play(player))


@settings(max_examples=25, deadline=None)
@given(
    moves=st.lists(st.tuples(st.sampled_from(["next", "mark", "back"]), st.integers(0, 100)), max_size=30),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_path_through_positions(tmp_path_factory, moves, seed):
    path = tmp_path_factory.getbasetemp() / "moves.csv"
    if not path.exists():
        regular_trace(path, 400)
    for workload in (O365Week(0, 60, chunk_rows=29), Trace(path, chunk_rows=29).burst(3, 4.0, 20.0)):
        whole = play(workload.stream(WORLD, seed))
        stream = workload.stream(WORLD, seed)
        taken, marks = 0, [(0, stream.snapshot())]
        for move, number in moves:
            if move == "next":
                chunk = stream.next_chunk()
                assert same(chunk, whole[taken : taken + chunk.size])
                taken += chunk.size
            elif move == "mark":
                marks.append((taken, stream.snapshot()))
            else:
                taken, mark = marks[number % len(marks)]
                stream.restore(mark)
        assert same(whole[taken:], play(stream))


def test_chunks_are_not_written_to_later(folder):
    for source in SOURCES.values():
        stream = source(folder, 50).burst(1, 5.0, 25.0).stream(WORLD, 1)
        first = stream.next_chunk()
        copy = first.copy()
        stream.next_chunk()
        stream.next_chunk()
        assert same(first, copy)
