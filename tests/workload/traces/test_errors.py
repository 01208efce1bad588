"""Every kind of bad trace: one line that names the file, the row or field, the value, and the remedy."""

import gzip

import pyarrow as pa
import pytest
from pyarrow import parquet

from sageserve_env.errors import InputError
from sageserve_env.workload import Mapping, Trace
from sageserve_env.workload.traces.files import table as files
from tests.workload.helpers import regular_trace, write_rows

GOOD = "1,bloom-176b,eastus,NIW,10,5"
HEADER = "arrival_s,model,region,tier,prompt_tokens,output_tokens"


def message(path, world, **arguments):
    with pytest.raises(InputError) as error:
        Trace(path, **arguments).stream(world, 0)
    text = str(error.value)
    assert "\n" not in text
    assert path.name in text
    return text


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("-1,bloom-176b,eastus,NIW,10,5", ["row 2", "arrival_s", "-1", "negative"]),
        ("nan,bloom-176b,eastus,NIW,10,5", ["row 2", "arrival_s", "nan", "finite"]),
        ("inf,bloom-176b,eastus,NIW,10,5", ["row 2", "arrival_s", "inf", "finite"]),
        ("0.5,bloom-176b,eastus,NIW,10,5", ["row 2", "arrival_s", "0.5", "earlier than", "sort"]),
        ("soon,bloom-176b,eastus,NIW,10,5", ["row 2", "arrival_s", "'soon'", "not a number"]),
        (",bloom-176b,eastus,NIW,10,5", ["row 2", "arrival_s", "nothing"]),
        ("2,bloom-176b,eastus,NIW,0,5", ["row 2", "prompt_tokens", "'0'", "less than 1"]),
        ("2,bloom-176b,eastus,NIW,-7,5", ["row 2", "prompt_tokens", "'-7'", "less than 1"]),
        ("2,bloom-176b,eastus,NIW,1.5,5", ["row 2", "prompt_tokens", "'1.5'", "whole number"]),
        ("2,bloom-176b,eastus,NIW,nan,5", ["row 2", "prompt_tokens", "'nan'", "whole number"]),
        ("2,bloom-176b,eastus,NIW,3000000000,5", ["row 2", "prompt_tokens", "3000000000", "more than"]),
        ("2,bloom-176b,eastus,NIW,10,0", ["row 2", "output_tokens", "'0'", "less than 1"]),
        ("2,bloom-176b,eastus,NIW,10,many", ["row 2", "output_tokens", "'many'", "not a number"]),
        ("2,bloom-176b,eastus,NIW,10,", ["row 2", "output_tokens", "nothing"]),
        ("2,gpt-5,eastus,NIW,10,5", ["row 2", "model", "'gpt-5'", "bloom-176b"]),
        ("2,,eastus,NIW,10,5", ["row 2", "model", "nothing"]),
        ("2,bloom-176b,mars,NIW,10,5", ["row 2", "region", "'mars'", "westus"]),
        ("2,bloom-176b,eastus,FAST,10,5", ["row 2", "tier", "'FAST'", "IW-F, IW-N, NIW"]),
        ("2,bloom-176b,eastus,NIW,10", ["row 2", "5 fields", "6"]),
        ("2,bloom-176b,eastus,NIW,10,5,6", ["row 2", "7 fields", "6"]),
    ],
)
def test_bad_rows(tmp_path, world, row, words):
    text = message(write_rows(tmp_path / "t.csv", [GOOD, row, "3,bloom-176b,eastus,NIW,1,1"]), world)
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("westus|eastus|centralus", ["row 1", "region_order", "does not begin", "'eastus'"]),
        ("eastus|mars|westus", ["row 1", "'mars'", "westus"]),
        ("eastus|westus", ["row 1", "region_order", "'eastus|westus'", "eastus|westus|centralus"]),
        ("eastus|westus|westus", ["row 1", "region_order", "eastus|westus|centralus"]),
    ],
)
def test_bad_orders(tmp_path, world, order, words):
    text = message(write_rows(tmp_path / "t.csv", [f"{GOOD},{order}"], HEADER + ",region_order"), world)
    assert all(word in text for word in words), text


@pytest.mark.parametrize("bad_row", [1, 500, 1501, 2500])
def test_row_numbers_count_over_blocks(tmp_path, world, monkeypatch, bad_row):
    monkeypatch.setattr(files, "BLOCK_BYTES", 2048)
    path = regular_trace(tmp_path / "t.csv", 2500)
    lines = path.read_text().splitlines()
    lines[bad_row] = lines[bad_row].replace("us,", "us,x", 1)
    path.write_text("\n".join(lines))
    assert f"row {bad_row}: tier" in message(path, world)
    lines[bad_row] = "1,2"
    path.write_text("\n".join(lines))
    assert f"row {bad_row}: has 2 fields" in message(path, world)


def test_an_unknown_name_far_in_is_found_before_anything_plays(tmp_path, world):
    path = regular_trace(tmp_path / "t.csv", 40_000)
    with path.open("a") as file:
        file.write("50000,gpt-5,eastus,NIW,1,1\n")
    assert "row 40001: model 'gpt-5'" in message(path, world)


@pytest.mark.parametrize("missing", HEADER.split(","))
def test_missing_columns(tmp_path, world, missing):
    names = [name for name in HEADER.split(",") if name != missing]
    text = message(write_rows(tmp_path / "t.csv", ["1,1,1,1,1"], ",".join(names)), world)
    assert missing in text
    assert "missing" in text or "not a trace" in text


def test_no_header(tmp_path, world):
    text = message(write_rows(tmp_path / "t.csv", [GOOD], GOOD), world)
    assert "columns 1, bloom-176b" in text
    assert "the nearest is sageserve-env (arrival_s,prompt_tokens,output_tokens,model,region,tier)" in text


def test_empty_files(tmp_path, world):
    path = tmp_path / "t.csv"
    path.touch()
    assert "is empty" in message(path, world)
    assert "has no requests" in message(write_rows(path, []), world)
    path.write_text(HEADER)
    assert "has no requests" in message(path, world)
    schema = pa.schema({"t_s": pa.float64(), "prompt_tokens": pa.int32(), "output_tokens": pa.int32()})
    parquet.write_table(schema.empty_table(), tmp_path / "t.parquet")
    assert "has no requests" in message(tmp_path / "t.parquet", world)


def test_what_is_not_a_file(tmp_path, world):
    assert "does not exist" in message(tmp_path / "nowhere.csv", world)
    (tmp_path / "folder.csv").mkdir()
    assert "is a directory" in message(tmp_path / "folder.csv", world)
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04" + bytes(100))
    assert "a zip archive or a spreadsheet; unpack it" in message(tmp_path / "t.xlsx", world)


def test_truncated_files(tmp_path, world):
    path = regular_trace(tmp_path / "t.csv", 20_000)
    from pyarrow import csv

    parquet.write_table(csv.read_csv(path), tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[: len(whole) // 2])
    assert "Parquet" in message(tmp_path / "t.parquet", world)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(path.read_bytes())[:-5000])
    assert "cannot be read" in message(tmp_path / "t.csv.gz", world)


def test_damaged_parquet_pages(tmp_path, world):
    path = tmp_path / "t.parquet"
    table = pa.table({"t_s": [float(k) for k in range(5000)], "prompt_tokens": [1] * 5000, "output_tokens": [1] * 5000})
    parquet.write_table(table, path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[100:2000] = bytes(1900)
    path.write_bytes(data)
    assert "cannot be read" in message(path, world)


def test_parquet_of_wrong_types(tmp_path, world):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"t_s": [0.0, 1.0], "prompt_tokens": [5, 6], "output_tokens": [1.0, 1.5]}), path)
    assert "row 2: output_tokens = 1.5 is not a whole number" in message(path, world)
    parquet.write_table(pa.table({"t_s": [0.0, None], "prompt_tokens": [5, 6], "output_tokens": [1, 1]}), path)
    assert "row 2: t_s = nothing" in message(path, world)
    parquet.write_table(pa.table({"t_s": [[0.0], [1.0]], "prompt_tokens": [5, 6], "output_tokens": [1, 1]}), path)
    assert "row 1: t_s" in message(path, world)


def test_binary_and_text_that_is_not_utf8(tmp_path, world):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 100)
    message(path, world)
    path.write_bytes(HEADER.encode() + b"\n1,bloom-\xff,eastus,NIW,10,5\n")
    assert "UTF-8" in message(path, world) or "UTF8" in message(path, world)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('{"timestamp": 1, "input_length": 5', "JSON"),
        ('{"timestamp": 1, "input_length": 0, "output_length": 1}', "row 2: input_length = 0 is less than 1"),
        ('{"timestamp": 1, "input_length": 1.5, "output_length": 1}', "row 2: input_length = 1.5"),
        ('{"timestamp": 1, "output_length": 1}', "row 2: input_length = nothing"),
        ('{"timestamp": -5, "input_length": 5, "output_length": 1}', "row 2: timestamp = -5 is negative"),
    ],
)
def test_bad_json_lines(tmp_path, world, line, word):
    path = tmp_path / "t.jsonl"
    path.write_text('{"timestamp": 0, "input_length": 5, "output_length": 1}\n' + line + "\n")
    assert word in message(path, world)


def test_bad_dates(tmp_path, world):
    header = "TIMESTAMP,ContextTokens,GeneratedTokens"
    rows = ["2023-11-16 18:15:46,1,1", "yesterday,1,1"]
    assert "row 2: TIMESTAMP = 'yesterday'" in message(write_rows(tmp_path / "t.csv", rows, header), world)
    rows = ["2023-11-16 18:15:46,1,1", "2023-11-16 18:15:45,1,1"]
    assert "row 2: TIMESTAMP is -1 s, earlier than" in message(write_rows(tmp_path / "t.csv", rows, header), world)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"models": {"bloom-176b": -1}}, "models: share of bloom-176b = -1"),
        ({"models": {"bloom-176b": 0}}, "adds up to 0"),
        ({"models": {}}, "adds up to 0"),
        ({"tiers": {"FAST": 1}}, "tier 'FAST'"),
        ({"tiers": {"NIW": float("nan")}}, "share of NIW = nan"),
        ({"regions": {"eastus": "much"}}, "share of eastus = 'much'"),
    ],
)
def test_bad_mappings(arguments, word):
    with pytest.raises(InputError, match="mapping") as error:
        Mapping(**arguments)
    assert word in str(error.value)


def test_a_mapping_to_another_world(tmp_path, world):
    path = write_rows(tmp_path / "t.csv", ["0,1,1"], "t_s,prompt_tokens,output_tokens")
    assert "model 'gpt-5' is not in the world" in message(path, world, mapping=Mapping({"gpt-5": 1}))
    assert "region 'mars' is not in the world" in message(path, world, mapping=Mapping(regions={"mars": 1}))
