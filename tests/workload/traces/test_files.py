"""Files as they are: CSV, JSON, compression, told by content; what is damaged is refused on one short line."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sageserve_env.errors import InputError
from sageserve_env.workload import Trace
from sageserve_env.workload.traces.files import csv_file, json_file, opening, raw_bytes, table
from tests.workload.helpers import play, regular_trace, same

HEADER = "t_s,prompt_tokens,output_tokens\n"
ROWS = HEADER + "0,1,2\n1,3,4\n"


def write(folder, data, name="t.csv"):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def tokens(path, world, **arguments):
    """Prompt and output tokens of all requests of a file."""
    requests = play(Trace(path, **arguments).stream(world, 0))
    return list(zip(requests["prompt_tokens"].tolist(), requests["output_tokens"].tolist(), strict=True))


def message(path, world, **arguments):
    with pytest.raises(InputError) as error:
        Trace(path, **arguments).stream(world, 0)
    text = str(error.value)
    assert len(text) < 300
    assert text.isprintable()
    return text


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.replace("\n", "\r\n"),
        ROWS.rstrip("\n"),
        "\n \n\r\n" + ROWS,
        ROWS.replace("1,3", "\n\n1,3"),
        ROWS.replace(",", " , "),
        ROWS.replace(",", "\t"),
        ROWS.replace(",", ";"),
        "\ufeff" + ROWS,
        '"t_s","prompt_tokens","output_tokens"\n"0" ,"1","2"\n"1", "3" ,"4"  \n',
        'note,t_s,"prompt_tokens",output_tokens\n"a,""b""\nc",0,1,2\n,1,3,4\n',
        '"a\nname, of a column",t_s,prompt_tokens,output_tokens\nx,0,1,2\ny,1,3,4\n',
        "t_s,prompt_tokens,output_tokens,\n0,1,2,\n1,3,4,\n",
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t"])
def test_csv_in_many_forms(tmp_path, world, text, name):
    assert tokens(write(tmp_path, text, name), world) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (ROWS.encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (ROWS.encode("utf-16-le"), "UTF-16 text"),
        (ROWS.encode("utf-16-be"), "UTF-16 text"),
        (ROWS.replace("\n", "\r"), "carriage return"),
        ("t_s,t_s,prompt_tokens,output_tokens\n0,0,1,1\n", "'t_s' is there twice"),
        (ROWS + "2,5\n", "row 3: has 2 fields"),
        (HEADER + "\n\n0,1,2\n\n1,3,4,5\n", "row 2: has 4 fields"),
        (HEADER + '0,1,2\n"1,3,4\n', "a quote is never closed"),
        ('t_s,"prompt_tokens,output_tokens\n0,1,2\n', "never closed"),
        (HEADER + '0,1,2\n\n1,"3"x,4\n', "row 2: is no CSV"),
        (HEADER + "0,1_0,2\n", "'1_0' is not a number"),
        (HEADER + "0,\uff11,2\n", "is not a number"),
        (HEADER + "0,0x10,2\n", "'0x10' is not a number"),
        (HEADER + "0,1e400,2\n", "'1e400' is not a whole number"),
        (HEADER + "0," + "9" * 5000 + ",2\n", "is not a whole number"),
        (HEADER + "0,1,2\n1,2," + "x" * 5000 + "\n", "is not a number"),
        (b"PK\x03\x04" + bytes(50), "a zip archive or a spreadsheet"),
        (b"ARROW1" + bytes(50), "an Arrow file"),
        (bytes(range(256)), "binary"),
        ("\n\n \n", "is empty"),
        (b"\xff," + ROWS.encode(), "the header is not UTF-8"),
        ('"t_s"x,prompt_tokens,output_tokens\n0,1,2\n', "the header is no CSV"),
    ],
)
def test_csv_that_is_refused(tmp_path, world, data, words):
    assert words in message(write(tmp_path, data), world)


def test_quotes_over_blocks_and_positions(tmp_path, world, monkeypatch):
    """Random notes with quotes, commas and line ends, in blocks of every size: the same rows, from every position."""
    rng = random.Random(3)
    notes = ["".join(rng.choice('ab,\n"\r\t ') for _ in range(rng.randrange(40))) for _ in range(120)]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([["note", "t_s", "prompt_tokens", "output_tokens"], *([n, k, k + 1, 1] for k, n in enumerate(notes))])
    path = write(tmp_path, text.getvalue())
    for size in (1, 7, 100, 1 << 20):
        monkeypatch.setattr(table, "BLOCK_BYTES", size)
        stream, places, requests = Trace(path).stream(world, 0), [], []
        while (chunk := stream.next_chunk()).size:
            requests.extend(chunk["prompt_tokens"].tolist())
            places.append((len(requests), stream.snapshot()))
        assert requests == list(range(1, 121))
        for count, place in reversed(places):
            stream.restore(place)
            assert play(stream)["prompt_tokens"].tolist() == requests[count:]


def test_a_header_without_an_end_is_found_in_linear_time(tmp_path, world):
    """A reader that tried again after each of so many lines would take hours."""
    assert "never closed" in message(write(tmp_path, '"t_s,prompt_tokens,output_tokens\n' + "0,1,2\n" * 300_000), world)
    notes = '"' + "a line\n" * 100_000 + '"'
    assert tokens(write(tmp_path, f"{notes},t_s,prompt_tokens,output_tokens\n{notes},0,1,2\n"), world) == [(1, 2)]


def test_fields_beyond_the_standard_librarys_limit(tmp_path, world):
    before = csv.field_size_limit()
    assert tokens(write(tmp_path, 'note,t_s,prompt_tokens,output_tokens\n"' + "long, " * 50_000 + '",0,1,2\n'), world) == [(1, 2)]
    assert csv.field_size_limit() == before


def test_records_without_an_end_are_refused_before_memory_is_gone(tmp_path, world, monkeypatch):
    for module in (csv_file, json_file, raw_bytes):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 1 << 12)
    monkeypatch.setattr(table, "BLOCK_BYTES", 1 << 10)
    assert "64 MiB" in message(write(tmp_path, HEADER + "0,1,2\n" + "1" * 10_000), world)
    assert "64 MiB" in message(write(tmp_path, HEADER + '0,1,2\n"' + "1\n" * 10_000), world)
    good = '{"timestamp": 0, "input_length": 1, "output_length": 1}\n'
    assert "64 MiB" in message(write(tmp_path, good + '{"timestamp": 0, "note": "' + "x" * 100_000, "t.jsonl"), world)


def test_columns_that_nobody_asked_for_may_hold_anything(tmp_path, world):
    assert tokens(write(tmp_path, b"note," + HEADER.encode() + b"\xff\xfe,0,1,2\n"), world) == [(1, 2)]
    rows = '{"timestamp": 0, "input_length": 1, "output_length": 2, "x": NaN, "y": 1, "y": 2}\n'
    rows += '{"timestamp": 9, "input_length": 3, "output_length": 4, "x": [{"timestamp": null}], "y": {}}\n'
    assert tokens(write(tmp_path, rows, "t.jsonl"), world) == [(1, 2), (3, 4)]


COMPRESSORS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
}


@pytest.mark.parametrize("codec", COMPRESSORS)
def test_compression_is_told_by_content(tmp_path, world, monkeypatch, codec):
    plain = regular_trace(tmp_path / "plain.csv", 500)
    expected = play(Trace(plain).stream(world, 3))
    packed = COMPRESSORS[codec](plain.read_bytes())
    monkeypatch.setattr(table, "BLOCK_BYTES", 4096)
    trace = Trace(write(tmp_path, packed, "says nothing.csv"), chunk_rows=100)
    stream = trace.stream(world, 3)
    first, place = stream.next_chunk(), stream.snapshot()
    rest = play(stream)
    assert same(expected, np.concatenate([first, rest]))
    stream.restore(place)
    assert same(rest, play(stream))
    assert "cannot be read" in message(write(tmp_path, packed[: len(packed) // 2], "half.csv"), world)
    assert "compressed twice" in message(write(tmp_path, COMPRESSORS[codec](packed), "twice.csv"), world)


def test_damaged_compression(tmp_path, world):
    data = random.Random(0).randbytes(3000).hex().encode()
    for codec, pack in COMPRESSORS.items():
        packed = bytearray(pack(ROWS.encode() + data))
        packed[len(packed) // 3 : len(packed) // 2] = bytes(len(packed) // 2 - len(packed) // 3)
        text = message(write(tmp_path, bytes(packed)), world)
        assert "cannot be read" in text or "binary" in text or "fields" in text, codec


def test_parquet_is_told_by_content(tmp_path, world):
    columns = {"t_s": [0.0, 1.0], "prompt_tokens": [1, 3], "output_tokens": [2, 4], "other": [[1], None]}
    parquet.write_table(pa.table(columns), tmp_path / "t.csv")
    assert tokens(tmp_path / "t.csv", world) == [(1, 2), (3, 4)]


OBJECTS = [{"timestamp": 0, "input_length": 1, "output_length": 2}, {"timestamp": 9, "input_length": 3, "output_length": 4}]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(json.dumps, OBJECTS)),
        "\n\n".join(map(json.dumps, OBJECTS)) + "\n\n",
        "\ufeff" + "\r\n".join(map(json.dumps, OBJECTS)),
        "\n".join(json.dumps(row, indent=2) for row in OBJECTS),
        json.dumps(OBJECTS),
        " " + json.dumps(OBJECTS, indent=2) + "\n",
        json.dumps({"requests": OBJECTS, "about": "a document"}),
        json.dumps([{"requests": OBJECTS[:1]}, {"requests": []}, {"requests": OBJECTS[1:]}]),
        json.dumps(OBJECTS).replace("3", '"3"'),
    ],
)
@pytest.mark.parametrize("size", [1, 60, 1 << 20])
def test_json_in_many_forms(tmp_path, world, monkeypatch, text, size):
    monkeypatch.setattr(table, "BLOCK_BYTES", size)
    for name in ("t.jsonl", "t.json", "t"):
        assert tokens(write(tmp_path, text, name), world) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("null", "row 2: is null, no object"),
        ("3", "row 2: is 3, no object"),
        ('"x"', "row 2: is 'x', no object"),
        ("[1]", "row 2: is [1], no object"),
        ("[" * 100_000, "row 2: is nested too deeply"),
        ('{"a":' * 100_000, "row 2: is nested too deeply"),
        ('{"timestamp": 1, "input_length": 1%s, "output_length": 1}' % ("0" * 400), "a huge number is not a number"),
        ('{"timestamp": 1, "input_length": 1%s, "output_length": 1}' % ("0" * 5000), "row 2"),
        ('{"timestamp": 1, "timestamp": 1, "input_length": 1, "output_length": 1}', "row 2: has 'timestamp' twice"),
        ('{"timestamp": NaN, "input_length": 1, "output_length": 1}', "row 2: timestamp = nan is not a finite time"),
        ('{"timestamp": 1, "input_length": Infinity, "output_length": 1}', "row 2: input_length = inf"),
        ('{"timestamp": 1, "input_length": true, "output_length": 1}', "row 2: input_length = True is not a number"),
        ('{"timestamp": 1, "input_length": {"a": [1]}, "output_length": 1}', "row 2: input_length = {'a': [1]} is not a number"),
        ('{"timestamp": 1, "input_length": 1, "output_length": 1', "row 2: is no JSON"),
        ('{"timestamp": 1, "input_length": 1, "output_length": 1}}', "row 3: is no JSON"),
        ('{"requests": [1]}', "row 2: is 1 in 'requests', no object"),
        ('{"timestamp": 1, "input_length": 1, "output_length": "\\ud800"}', "'\\ud800' is not a number"),
    ],
)
@pytest.mark.parametrize("size", [50, 1 << 20])
def test_json_that_is_refused(tmp_path, world, monkeypatch, text, words, size):
    monkeypatch.setattr(table, "BLOCK_BYTES", size)
    assert words in message(write(tmp_path, json.dumps(OBJECTS[0]) + "\n" + text + "\n", "t.jsonl"), world)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(OBJECTS)[:-1], "instead of a comma or a bracket"),
        (json.dumps(OBJECTS)[:-2], "is no JSON"),
        (json.dumps(OBJECTS) + "]", "']' follows the array"),
        (json.dumps(OBJECTS).replace("}, {", "} {"), "row 1: is followed by"),
        ("[]", "has no columns"),
        ("{}", "has no columns"),
        ("[1, 2]", "row 1: is 1, no object"),
        ('{"timestamp": 1, "input_length": "\udcff"}', "not UTF-8"),
        ("not json", "row 1: is no JSON"),
    ],
)
def test_json_documents_that_are_refused(tmp_path, world, text, words):
    assert words in message(write(tmp_path, text.encode("utf-8", "surrogateescape"), "t.json"), world)


def test_labels_are_text(tmp_path, world):
    row = {"arrival_s": 0, "model": "bloom-176b", "region": "eastus", "tier": "NIW", "prompt_tokens": 1, "output_tokens": 1}
    for changes, words in [
        ({"region": ["a"]}, "region = ['a'] is no name"),
        ({"model": "\ud800"}, "is not UTF-8 text"),
        ({"model": None}, "model = nothing is there"),
        ({"model": "m" * 5000}, "is not in the world"),
        ({"tier": 5}, "tier = '5' does not exist"),
    ]:
        assert words in message(write(tmp_path, json.dumps(row | changes), "t.jsonl"), world)


def test_long_paths_and_odd_files(tmp_path, world):
    deep = tmp_path / ("folder" * 30) / ("folder" * 30)
    deep.mkdir(parents=True)
    assert "t.csv row 1: prompt_tokens" in message(write(deep, HEADER + "0,x,1\n"), world)
    assert "does not exist" in message(deep / "nowhere.csv", world)
    assert "is a directory" in message(deep, world)
    assert "is no regular file" in message(opening.Path("/dev/null"), world)
