"""Trace files of every layout, damaged in every way; what is read must be what a simulator can serve."""

import gzip
import json
import random

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import CATALOG, load_workload, write_trace
from sageserve_env.world import load_world
from tests.fuzz.strategies import PIECES, VALUES, Trial, mutated, short

CSV = {
    "own": "arrival_s,model,region,tier,prompt_tokens,output_tokens\n"
    '0.5,bloom-176b,westus,IW-F,100,10\n1.5,"llama-3.2-3b",eastus,NIW,200,20\n2,bloom-176b,westus,IW-N,1,1\n',
    "azure": "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n",
    "azure 2024": "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:01+00:00,1,5\n",
    "burstgpt": "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,ChatGPT,472,18,490,API log\n9,GPT-4,1,2,3,API log\n",
    "vidur": "arrived_at,num_prefill_tokens,num_decode_tokens\n0.125,547,248\n0.5,3,4\n",
    "splitwise": "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n0,2,0,0.5,1,10,20\n",
    "servegen": "request_id,timestamp,input_tokens,output_tokens\n0,0.5,3,4\n1,0.75,5,6\n",
}
ROWS = {
    "mooncake": [{"timestamp": 27482 + k, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]} for k in range(3)],
    "bailian": [
        {"chat_id": k, "parent_chat_id": -1, "timestamp": 61.1 + k, "input_length": 5, "output_length": 1, "turn": 1}
        for k in range(3)
    ],
    "llmservingsim": [{"input_toks": 1472, "output_toks": 133, "arrival_time_ns": 15 * 10**8, "input_tok_ids": [1]}],
    "aibrix": [{"timestamp": 19, "requests": [{"prompt": "I", "prompt_length": 101, "output_length": 7, "session_id": 0}]}],
    "own": [{"arrival_s": 0.5, "model": "bloom-176b", "region": "westus", "tier": "IW-F", "prompt_tokens": 1, "output_tokens": 1}],
}


def files():
    """Small files by name."""
    for name, text in CSV.items():
        yield f"{name}.csv", text.encode()
    for name, rows in ROWS.items():
        yield f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()
        yield f"{name}.json", json.dumps(rows).encode()


FILES = dict(files())


@pytest.fixture(scope="module")
def world():
    return load_world("published")


def read(path, world, **arguments):
    """Play a file to its end, and judge what came."""
    stream = load_workload(path, **arguments).stream(world, 0)
    last_s = 0.0
    while (chunk := stream.next_chunk()).size:
        arrival_s = chunk["arrival_s"]
        assert np.isfinite(arrival_s).all()
        assert arrival_s[0] >= last_s
        assert (np.diff(arrival_s) >= 0).all()
        last_s = float(arrival_s[-1])
        assert min(chunk["prompt_tokens"].min(), chunk["output_tokens"].min()) >= 1
        assert chunk["model"].max() < len(world.models)
        assert chunk["origin"].max() < len(world.regions)


@pytest.mark.parametrize("name", FILES)
def test_files_with_damage(tmp_path, world, name):
    trial, rng = Trial(), random.Random(name)
    suffixes = ["", "", "", ".gz"]
    for number in range(45):
        content = mutated(FILES[name], rng)
        suffix = rng.choice(suffixes)
        path = tmp_path / (name + suffix)
        path.write_bytes(mutated(gzip.compress(content), rng) if suffix else content)
        trial.attempt(f"{number}: {content[:300]!r}", lambda path=path: read(path, world))
    trial.conclude(45)


def test_parquet_files_with_damage(tmp_path, world):
    path = tmp_path / "t.parquet"
    write_trace(load_workload("o365-hour").slice(0, 20).scale(0.05), world, path)
    trial, rng, good = Trial(), random.Random(7), path.read_bytes()
    for number in range(60):
        path.write_bytes(mutated(good, rng))
        trial.attempt(f"parquet {number}", lambda: read(path, world))
    trial.conclude(60)


def test_content_of_another_kind(tmp_path, world):
    trial = Trial()
    for suffix in (".csv", ".jsonl", ".json", ".parquet", ".csv.gz", ".tsv"):
        for number, piece in enumerate(PIECES):
            path = tmp_path / f"t{suffix}"
            path.write_bytes(piece * 3)
            trial.attempt(f"{suffix} of {piece[:20]!r} ({number})", lambda path=path: read(path, world))
    trial.conclude(200)


def test_arguments_of_the_readers(tmp_path, world):
    play = load_workload("o365-hour").slice(0, 1).stream(world, 0)  # its kernels are there before the clock runs
    play.next_chunk()
    trial = Trial(allowed=(InputError, TypeError))
    (tmp_path / "t.csv").write_text(CSV["own"])
    for value in VALUES:
        trial.attempt(f"load_workload({short(value)})", lambda value=value: load_workload(value))
        trial.attempt(
            f"write_trace to {short(value)}", lambda value=value: write_trace(load_workload("o365-hour").slice(0, 1), world, value)
        )
        for transform in ("scale", "slice", "shift", "burst", "noise", "tier_mix", "model_mix"):
            arguments = (0.0, value) if transform == "slice" else (value,)
            what = f"{transform}({short(value)})"
            trial.attempt(what, lambda t=transform, a=arguments: transformed(load_workload(tmp_path / "t.csv"), t, a, world))
    trial.conclude(300)
    assert "o365-hour" in CATALOG


def transformed(workload, name, arguments, world):
    """A transform and what it is for: construction alone may be lazy."""
    getattr(workload, name)(*arguments).stream(world, 0).next_chunk()
