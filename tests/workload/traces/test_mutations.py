"""Files of every kind, damaged at random: each is either played as it should be, or refused on one short line."""

import bz2
import gzip
import json
import lzma
import random

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sageserve_env.errors import InputError
from sageserve_env.workload import Trace
from sageserve_env.workload.traces.files import table
from tests.workload.helpers import play, regular_trace

CASES = 300

PIECES = ['"', "\n", ",", "\r", "\0", "{", "}", "[", "]", "null", "NaN", "1e999", "-", "\ufeff", "  ", "9" * 400, "\t", ";", "_"]
PIECES += ["NaT", "true", "\\u0000", "1700158546", ":", "\x1b[31m", "\u2028", "é"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Whole files of every kind: name and content."""
    folder = tmp_path_factory.mktemp("originals")
    labelled = regular_trace(folder / "t.csv", 40).read_bytes()
    notes = "note,t_s,prompt_tokens,output_tokens\n" + "".join(f'"a,""{k}""\nb",{k},1,2\n' for k in range(40))
    dates = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(f"2023-11-16 18:15:{k}.68+00:00,3,4\n" for k in range(10, 50))
    rows = [{"timestamp": 10 * k, "input_length": k + 1, "output_length": 1, "note": 'é"\\'} for k in range(30)]
    nested = [{"timestamp": k, "requests": [{"prompt_length": 1, "output_length": 2}] * 3} for k in range(5)]
    columns = {"t_s": [k / 2 for k in range(50)], "prompt_tokens": list(range(1, 51)), "output_tokens": [1] * 50}
    parquet.write_table(pa.table(columns), folder / "t.parquet")
    packed = [pack(labelled) for pack in (gzip.compress, bz2.compress, lzma.compress)]
    return [
        *(("t.csv", data) for data in (labelled, notes.encode(), dates.encode(), *packed)),
        ("t.csv.zst", pa.compress(labelled, "zstd", asbytes=True)),
        ("t.jsonl", "\n".join(map(json.dumps, rows)).encode()),
        ("t.json", json.dumps(rows, ensure_ascii=False).encode()),
        ("t.json", json.dumps(nested).encode()),
        ("t.parquet", (folder / "t.parquet").read_bytes()),
    ]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A file with something put in, left out, changed, doubled or cut off."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(result) + 1)
        match rng.randrange(6):
            case 0 | 1:
                result[place:place] = rng.choice(PIECES).encode()
            case 2:
                del result[place : place + rng.choice((1, 3, 50))]
            case 3:
                result[place : place + 1] = bytes([rng.randrange(256)])
            case 4:
                result[place:place] = result[: rng.randrange(len(result) + 1)]
            case 5:
                del result[place:]
    return bytes(result)


@pytest.mark.parametrize("part", range(4))
def test_damaged_files(tmp_path, world, monkeypatch, originals, part):
    rng = random.Random(part)
    for _ in range(CASES // 4):
        name, data = rng.choice(originals)
        (tmp_path / name).write_bytes(damaged(data, rng))
        monkeypatch.setattr(table, "BLOCK_BYTES", rng.choice((16, 1000, 1 << 20)))
        arguments = {"invalid_rows": rng.choice(("error", "skip", "clamp")), "sort": rng.random() < 0.3}
        refusal = played_or_refused(tmp_path / name, world, **arguments)
        assert len(refusal) < 300
        assert refusal == "" or refusal.isprintable()


def played_or_refused(path, world, **arguments) -> str:
    """Play a file and check what comes; the message where it is refused."""
    try:
        trace = Trace(path, **arguments)
        requests = play(trace.stream(world, 0))
    except InputError as error:
        return str(error)
    assert requests.size == trace.scan().rows > 0
    assert requests["prompt_tokens"].min() >= 1
    assert requests["output_tokens"].min() >= 1
    assert np.all(np.diff(requests["arrival_s"], prepend=0) >= 0)
    return ""
