"""Rows that cannot be served are an error, left out or clamped; rows out of order are an error or sorted; all are counted."""

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import Trace
from sageserve_env.workload.traces import blocks
from sageserve_env.workload.traces.files import table
from tests.workload.helpers import MODELS, play, regular_trace, same, write_rows

HEADER = "t_s,prompt_tokens,output_tokens"
BAD = ["1,0,2", "2,-3,2", "3,1.5,2", "4,,2", "5,x,2", "6,1,3000000000", ",1,2", "nan,1,2", "-7,1,2"]


def rows(path, lines):
    return write_rows(path, ["0,7,1", *lines, "9,8,1"], HEADER)


@pytest.mark.parametrize("bad", BAD)
def test_invalid_rows_are_left_out(tmp_path, world, bad):
    path = rows(tmp_path / "t.csv", [bad])
    with pytest.raises(InputError, match="row 2"):
        Trace(path).stream(world, 0)
    trace = Trace(path, invalid_rows="skip")
    assert play(trace.stream(world, 0))["prompt_tokens"].tolist() == [7, 8]
    assert trace.facts()["rows"] == "2 played, 1 skipped, 0 clamped"


def test_invalid_labels_are_left_out(tmp_path, world):
    header = "arrival_s,model,region,tier,prompt_tokens,output_tokens"
    lines = ["0,bloom-176b,eastus,NIW,1,1", "1,,eastus,NIW,1,1", "2,bloom-176b,eastus,FAST,1,1", "3,bloom-176b,eastus,NIW,2,1"]
    trace = Trace(write_rows(tmp_path / "t.csv", lines, header), invalid_rows="skip")
    assert play(trace.stream(world, 0))["prompt_tokens"].tolist() == [1, 2]


def test_token_counts_are_clamped_and_all_else_is_an_error(tmp_path, world):
    trace = Trace(rows(tmp_path / "t.csv", ["1,0,2", "2,5,-3", "3,4,1e12"]), invalid_rows="clamp")
    requests = play(trace.stream(world, 0))
    assert requests["prompt_tokens"].tolist() == [7, 1, 5, 4, 8]
    assert requests["output_tokens"][:3].tolist() == [1, 2, 1]
    assert requests["output_tokens"][3] > 1_000_000
    assert trace.facts()["rows"] == "5 played, 0 skipped, 3 clamped"
    for bad in ("1,,2", "1,1.5,2", "1,x,2", "nan,1,2"):
        with pytest.raises(InputError, match="row 2"):
            Trace(rows(tmp_path / "t.csv", [bad]), invalid_rows="clamp").stream(world, 0)


def test_damage_is_never_left_out(tmp_path, world):
    with pytest.raises(InputError, match="row 2: has 2 fields"):
        Trace(rows(tmp_path / "t.csv", ["1,1"]), invalid_rows="skip").stream(world, 0)
    with pytest.raises(InputError, match="has no requests but 2 that were left out"):
        Trace(write_rows(tmp_path / "t.csv", ["0,0,0", "1,0,0"], HEADER), invalid_rows="skip").stream(world, 0)


def test_rows_left_out_move_neither_labels_nor_row_numbers(tmp_path, world, monkeypatch):
    monkeypatch.setattr(table, "BLOCK_BYTES", 256)
    lines = [f"{k},{k + 1},1" for k in range(200)]
    whole = play(Trace(write_rows(tmp_path / "whole.csv", lines, HEADER)).stream(world, 5))
    bad = [line if k % 7 else f"{k},0,1" for k, line in enumerate(lines)]
    trace = Trace(write_rows(tmp_path / "t.csv", bad, HEADER), invalid_rows="skip", chunk_rows=3)
    assert same(play(trace.stream(world, 5)), whole[np.arange(200) % 7 != 0])
    bad[190] = "3,4,1"
    with pytest.raises(InputError, match="row 191: t_s is 3 s, earlier"):
        Trace(write_rows(tmp_path / "t.csv", bad, HEADER), invalid_rows="skip").stream(world, 5)


@pytest.mark.parametrize("chunk_rows", [7, 10**6])
def test_sorting_is_stable_and_has_positions(tmp_path, world, monkeypatch, chunk_rows):
    monkeypatch.setattr(table, "BLOCK_BYTES", 512)
    path = regular_trace(tmp_path / "t.csv", 300)
    header, *lines = path.read_text().splitlines()
    order = np.random.default_rng(0).permutation(300)
    shuffled = write_rows(tmp_path / "shuffled.csv", [lines[k] for k in order], header)
    with pytest.raises(InputError, match=r"sort the trace by time, or give --sort"):
        Trace(shuffled).stream(world, 0)
    trace = Trace(shuffled, sort=True, chunk_rows=chunk_rows)
    expected, found = play(Trace(path).stream(world, 0)), play(trace.stream(world, 0))
    for field in ("arrival_s", "prompt_tokens", "output_tokens", "model", "origin", "tier"):
        assert found[field].tolist() == expected[field].tolist()
    assert trace.facts()["order"] == "sorted by time"
    stream = trace.stream(world, 0)
    first, place = stream.next_chunk(), stream.snapshot()
    rest = play(stream)
    stream.restore(place)
    assert same(rest, play(stream))
    assert same(found, np.concatenate([first, rest]))


def test_sorting_with_rows_left_out_and_unknown_names(tmp_path, world):
    path = rows(tmp_path / "t.csv", ["5,3,1", "2,0,1", "1,4,1", "1,5,1"])
    trace = Trace(path, sort=True, invalid_rows="skip")
    assert play(trace.stream(world, 0))["prompt_tokens"].tolist() == [7, 4, 5, 3, 8]
    header = "arrival_s,model,region,tier,prompt_tokens,output_tokens"
    lines = [f"{9 - k},{MODELS[k % 4] if k != 6 else 'gpt-5'},eastus,NIW,1,1" for k in range(9)]
    with pytest.raises(InputError, match="row 7: model 'gpt-5'"):
        Trace(write_rows(tmp_path / "t.csv", lines, header), sort=True).stream(world, 0)


def test_too_many_rows_to_sort(tmp_path, world, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_SORTED_ROWS", 100)
    with pytest.raises(InputError, match="has more than 100 rows; sort it by time yourself"):
        Trace(regular_trace(tmp_path / "t.csv", 101), sort=True).stream(world, 0)


@pytest.mark.parametrize("arguments", [{"invalid_rows": "drop"}, {"invalid_rows": None}, {"sort": "yes"}])
def test_bad_arguments(tmp_path, arguments):
    with pytest.raises(InputError, match="is not known; give one of"):
        Trace(rows(tmp_path / "t.csv", []), **arguments)


def test_a_file_that_went_away(tmp_path, world):
    trace = Trace(rows(tmp_path / "t.csv", []))
    trace.path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        trace.stream(world, 0)


def test_one_row(tmp_path, world):
    trace = Trace(write_rows(tmp_path / "t.csv", ["0,5,6"], HEADER))
    assert trace.duration_s == 1
    assert play(trace.stream(world, 0)).size == 1
