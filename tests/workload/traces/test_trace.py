"""Replay of trace files: layouts, labels, positions, and memory."""

import gzip
import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sageserve_env.errors import InputError
from sageserve_env.workload import Mapping, Trace, load_workload, preference_orders
from sageserve_env.workload.traces.files import table as files
from tests.workload.helpers import REGIONS, make_world, play, regular_trace, same, write_rows


def test_rows_come_out_as_they_stand(tmp_path, world):
    path = write_rows(
        tmp_path / "t.csv",
        ["0,llama-2-70b,westus,IW-F,10,5", "0.25,bloom-176b,eastus,NIW,200000,1", "0.25,llama-3.2-3b,centralus,IW-N,3.0,70000"],
    )
    requests = play(Trace(path).stream(world, 0))
    assert requests["arrival_s"].tolist() == [0, 0.25, 0.25]
    assert requests["prompt_tokens"].tolist() == [10, 200_000, 3]
    assert requests["output_tokens"].tolist() == [5, 1, 70_000]
    assert requests["model"].tolist() == [0, 1, 3]
    assert requests["origin"].tolist() == [0, 2, 1]
    assert requests["tier"].tolist() == [0, 2, 1]
    assert Trace(path).duration_s == 1.0


def test_columns_may_stand_in_any_order_with_others_between(tmp_path, world):
    header = "note,tier,output_tokens,prompt_tokens,region,model,arrival_s"
    path = write_rows(tmp_path / "t.csv", ["x,NIW,5,10,eastus,bloom-176b,1.5"], header)
    assert play(Trace(path).stream(world, 0)).tolist() == [(1.5, 10, 5, 1, 2, 2, pytest.approx(0, abs=1))]


def test_region_order_gives_the_preference(tmp_path, world):
    header = "arrival_s,model,region,tier,prompt_tokens,output_tokens,region_order"
    orders = preference_orders(3)
    rows = ["|".join(REGIONS[k] for k in orders[r, p]) for r in range(3) for p in range(2)]
    path = write_rows(
        tmp_path / "t.csv", [f"{k},bloom-176b,{row.split('|')[0]},IW-F,1,1,{row}" for k, row in enumerate(rows)], header
    )
    requests = play(Trace(path).stream(world, 0))
    assert requests["origin"].tolist() == [0, 0, 1, 1, 2, 2]
    assert requests["preference"].tolist() == [0, 1, 0, 1, 0, 1]


def test_missing_orders_are_drawn_evenly_and_by_seed(tmp_path, world):
    trace = Trace(regular_trace(tmp_path / "t.csv", 4000))
    a, b = play(trace.stream(world, 1)), play(trace.stream(world, 2))
    assert a["preference"].mean() == pytest.approx(0.5, abs=0.04)
    assert not same(a, b)
    assert same(a, play(trace.stream(world, 1)))


def test_csv_gzip_parquet_and_json_give_the_same(tmp_path, world):
    path = regular_trace(tmp_path / "t.csv", 1000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    lines = path.read_text().splitlines()
    names = lines[0].split(",")
    numbers = {"arrival_s": float, "prompt_tokens": int, "output_tokens": int}
    objects = [{n: numbers.get(n, str)(v) for n, v in zip(names, line.split(","), strict=True)} for line in lines[1:]]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in objects))
    table = pa.Table.from_pylist(objects)
    parquet.write_table(
        table.set_column(1, "model", table["model"].dictionary_encode()), tmp_path / "t.parquet", row_group_size=300
    )
    expected = play(Trace(path).stream(world, 5))
    for name in ("t.csv.gz", "t.jsonl", "t.parquet"):
        assert same(expected, play(Trace(tmp_path / name).stream(world, 5))), name


def test_upstream_azure_layout(tmp_path, world):
    rows = ["2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:50.9951690,396,109", "2023-11-17 18:15:46.6805900,1,2"]
    path = write_rows(tmp_path / "azure.csv", rows, "TIMESTAMP,ContextTokens,GeneratedTokens")
    requests = play(Trace(path).stream(world, 0))
    np.testing.assert_allclose(requests["arrival_s"], [0, 4.314579, 86_400], atol=1e-7)
    assert requests["prompt_tokens"].tolist() == [374, 396, 1]


def test_upstream_azure_2024_layout_has_a_time_zone(tmp_path, world):
    rows = ["2024-05-10 00:00:00.009930+00:00,2162,5", "2024-05-10 00:00:01.509930+00:00,2399,6"]
    path = write_rows(tmp_path / "azure.csv", rows, "TIMESTAMP,ContextTokens,GeneratedTokens")
    np.testing.assert_allclose(play(Trace(path).stream(world, 0))["arrival_s"], [0, 1.5], atol=1e-7)


def test_upstream_mooncake_layout(tmp_path, world):
    path = tmp_path / "mooncake.jsonl"
    path.write_text(
        '{"timestamp": 0, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}\n'
        '{"timestamp": 27482, "input_length": 10, "output_length": 500, "hash_ids": []}\n'
    )
    requests = play(Trace(path).stream(world, 0))
    assert requests["arrival_s"].tolist() == [0, 27.482]
    assert requests["output_tokens"].tolist() == [52, 500]


def test_mapping_gives_shares(world):
    mapping = Mapping({"bloom-176b": 3, "llama-3.1-8b": 1}, {"IW-F": 1, "NIW": 1}, {"eastus": 1})
    requests = play(load_workload("azure2023-conv", mapping=mapping).stream(world, 0))
    assert requests.size == 19_366
    assert (requests["model"] == 1).mean() == pytest.approx(0.75, abs=0.02)
    assert set(requests["tier"]) == {0, 2}
    assert set(requests["origin"]) == {2}


def test_a_mapping_replaces_labels(tmp_path, world):
    trace = Trace(regular_trace(tmp_path / "t.csv", 100), mapping=Mapping({"bloom-176b": 1}))
    assert set(play(trace.stream(world, 0))["model"]) == {1}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("chunk_rows", [1, 999, 10**6])
def test_chunks_are_bounded_and_change_nothing(tmp_path, world, monkeypatch, suffix, chunk_rows):
    monkeypatch.setattr(files, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(files, "BLOCK_ROWS", 700)
    path = regular_trace(tmp_path / "t.csv", 3000)
    if suffix == ".parquet":
        from pyarrow import csv

        parquet.write_table(csv.read_csv(path), tmp_path / "t.parquet", row_group_size=1500)
        path = tmp_path / "t.parquet"
    stream = Trace(path, chunk_rows=chunk_rows).stream(world, 3)
    sizes = []
    while (chunk := stream.next_chunk()).size:
        sizes.append(chunk.size)
    assert max(sizes) <= min(chunk_rows, 700)
    assert sum(sizes) == 3000
    assert same(play(Trace(path, chunk_rows=chunk_rows).stream(world, 3)), play(Trace(path).stream(world, 3)))


def test_memory_does_not_grow_with_the_file(tmp_path, world, monkeypatch):
    monkeypatch.setattr(files, "BLOCK_BYTES", 1 << 18)
    peaks = []
    for n in (15_000, 90_000):
        path = tmp_path / f"{n}.csv"
        line = "bloom-176b,eastus,NIW,1000,100\n"
        path.write_text("arrival_s,model,region,tier,prompt_tokens,output_tokens\n" + "".join(f"{k / 8},{line}" for k in range(n)))
        tracemalloc.start()
        stream = Trace(path).stream(world, 0)
        count = 0
        while (chunk := stream.next_chunk()).size:
            count += chunk.size
        assert count == n
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + (1 << 20)


def test_the_check_is_made_once_for_each_state_of_the_file(tmp_path, world, monkeypatch):
    path = regular_trace(tmp_path / "t.csv", 50)
    trace = Trace(path)
    play(trace.stream(world, 0))
    monkeypatch.setattr("sageserve_env.workload.traces.trace.scan_blocks", lambda *_: pytest.fail("read again"))
    play(trace.stream(world, 1))
    play(Trace(path).stream(world, 1))
    monkeypatch.undo()
    write_rows(path, ["5,bloom-176b,eastus,NIW,1,1", "4,bloom-176b,eastus,NIW,1,1"])
    with pytest.raises(InputError, match="row 2"):
        trace.stream(world, 0)


def test_duration(tmp_path, world):
    path = regular_trace(tmp_path / "t.csv", 10)
    assert Trace(path).duration_s == 5.0
    assert Trace(path, duration_s=7200).duration_s == 7200
    with pytest.raises(InputError, match=r"duration_s = 3 ends before the last request, at 4\.5 s"):
        Trace(path, duration_s=3).stream(world, 0)


def test_names_of_another_world_are_found_before_anything_plays(tmp_path):
    path = regular_trace(tmp_path / "t.csv", 100)
    with pytest.raises(InputError, match=r"t\.csv row 2: model 'bloom-176b' is not in the world; it has llama-2-70b"):
        Trace(path).stream(make_world(models=("llama-2-70b",)), 0)


def test_dictionaries_may_hold_names_that_no_row_has(tmp_path, world):
    names = pa.DictionaryArray.from_arrays(pa.array([1, 1], pa.int32()), pa.array(["gpt-5", "bloom-176b"]))
    tiers = pa.DictionaryArray.from_arrays(pa.array([1, 1], pa.int32()), pa.array(["FAST", "NIW"]))
    table = pa.table(
        {
            "arrival_s": [0.0, 1.0],
            "model": names,
            "region": ["eastus"] * 2,
            "tier": tiers,
            "prompt_tokens": [1, 1],
            "output_tokens": [1, 1],
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    requests = play(Trace(tmp_path / "t.parquet").stream(world, 0))
    assert requests["model"].tolist() == [1, 1]
    assert requests["tier"].tolist() == [2, 2]
