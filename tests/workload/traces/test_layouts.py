"""Files of others, as they come, and columns that the user names."""

import json

import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import Mapping, Trace, load_workload
from tests.workload.helpers import play, write_rows

SAGESERVE = (
    "request_id,batch_id,client_tenant,request_type,scenario,sla,utility,regions,model_type,workload_type,"
    "application_id,arrival_timestamp,batch_size,prompt_size,token_size"
)

CSV_FILES = {
    "BurstGPT": (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
        "5,ChatGPT,472,18,490,API log",
        (5, 472, 18),
    ),
    "BurstGPT, sessions": (
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type",
        "5,,3.5,GPT-4,472,18,490,Conversation log",
        (5, 472, 18),
    ),
    "Vidur": ("arrived_at,num_prefill_tokens,num_decode_tokens", "0.125,547,248", (0.125, 547, 248)),
    "Vidur, ids": ("arrived_at,num_prefill_tokens,num_decode_tokens,request_id", "0.125,547,248,0", (0.125, 547, 248)),
    "splitwise-sim": (
        "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size",
        "0,2,0,0.5,1,10,20",
        (0.5, 10, 20),
    ),
    "ServeGen": ("request_id,timestamp,input_tokens,output_tokens", "0,0.5,3,4", (0.5, 3, 4)),
    "arrival_s without labels": ("arrival_s,prompt_tokens,output_tokens", "0.5,3,4", (0.5, 3, 4)),
}

JSON_FILES = {
    "Mooncake": ({"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}, (27.482, 6955, 52)),
    "Qwen-Bailian": (
        {"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.114, "input_length": 521, "output_length": 132, "turn": 1},
        (61.114, 521, 132),
    ),
    "LLMServingSim": (
        {"input_toks": 1472, "output_toks": 133, "arrival_time_ns": 1_500_000_000, "input_tok_ids": [1, 2]},
        (1.5, 1472, 133),
    ),
    "AIBrix": (
        {"timestamp": 19, "requests": [{"prompt": "I need", "prompt_length": 101, "output_length": 7, "session_id": 0}]},
        (0.019, 101, 7),
    ),
}


def first(path, world, **arguments):
    request = play(Trace(path, **arguments).stream(world, 0))[0]
    return tuple(request[name].item() for name in ("arrival_s", "prompt_tokens", "output_tokens"))


def message(path, world, **arguments):
    with pytest.raises(InputError) as error:
        Trace(path, **arguments).stream(world, 0)
    assert len(str(error.value)) < 300
    return str(error.value)


@pytest.mark.parametrize("name", CSV_FILES)
def test_csv_of_others(tmp_path, world, name):
    header, row, expected = CSV_FILES[name]
    assert first(write_rows(tmp_path / "t.csv", [row], header), world) == pytest.approx(expected)


@pytest.mark.parametrize("name", JSON_FILES)
def test_json_of_others(tmp_path, world, name):
    row, expected = JSON_FILES[name]
    for text in (json.dumps(row), json.dumps([row])):
        (tmp_path / "t.json").write_text(text)
        assert first(tmp_path / "t.json", world) == pytest.approx(expected)
    assert Trace(tmp_path / "t.json").facts()["layout"] == name


def test_sageserves_own_traces_keep_their_labels(tmp_path, world):
    cases = [  # sla, regions, model, kind: model, origin, tier, preference
        ("10,3,012,llama2-70b,prod", (0, 0, 0, 0)),
        ("3600,2,12,bloom-176b,prod", (1, 0, 1, 0)),
        ("86400,1,210,bloom-176b,prod", (1, 2, 2, 1)),
        ("-1,1,102,bloom-176b,dev", (1, 1, 2, 0)),
    ]
    rows = [f"{k},-1,1,2,EnterpriseSydney,{case},0,{k},1,5,6" for k, (case, _) in enumerate(cases)]
    requests = play(Trace(write_rows(tmp_path / "t.csv", rows, SAGESERVE)).stream(world, 0))
    found = [tuple(request[name].item() for name in ("model", "origin", "tier", "preference")) for request in requests]
    assert found == [labels for _, labels in cases]
    mapped = play(Trace(tmp_path / "t.csv", mapping=Mapping({"llama-3.1-8b": 1})).stream(world, 0))
    assert set(mapped["model"]) == {2}


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("10,3,015,llama2-70b,prod", "region '015' is not in the world"),
        ("10,3,012,gpt-5,prod", "model 'gpt-5' is not in the world"),
        ("10,3,012,bloom-176b,stage", "workload_type = 'stage', sla = '10' does not exist"),
    ],
)
def test_sageserves_own_traces_with_bad_labels(tmp_path, world, case, words):
    path = write_rows(tmp_path / "t.csv", [f"0,-1,1,2,E,{case},0,0,1,5,6"], SAGESERVE)
    assert words in message(path, world)


def test_columns_by_a_mapping(tmp_path, world):
    header = "when,in,out,who,where,how,prompt_tokens"
    path = write_rows(tmp_path / "t.csv", ["2.5,3,4,bloom-176b,eastus,NIW,9"], header)
    columns = {"t_s": "when", "prompt_tokens": "in", "output_tokens": "out"}
    assert first(path, world, columns=columns) == (2.5, 3, 4)
    assert first(path, world, columns={"t_s": "when", "output_tokens": "out"}) == (2.5, 9, 4)
    labels = {"model": "who", "region": "where", "tier": "how"}
    request = play(load_workload(path, columns=columns | labels).stream(world, 0))[0]
    assert (request["model"], request["origin"], request["tier"]) == (1, 2, 2)
    for changed, words in [
        ({"t": "when"}, "columns: 't' cannot be mapped; give t_s, prompt_tokens"),
        ({"t_s": "When"}, "column 'When' is missing; did you mean 'when'?"),
        ({"t_s": "when"}, "columns map nothing to output_tokens"),
        (columns | {"model": "who"}, "columns map model only"),
        ("t_s=when", "columns = 't_s=when' is no mapping"),
    ]:
        assert words in message(path, world, columns=changed)


def test_an_unknown_file_is_told_the_nearest_layout(tmp_path, world):
    text = message(write_rows(tmp_path / "t.csv", ["0,1,1"], "arrived,num_prefill_toks,num_decode_toks"), world)
    assert "columns arrived, num_prefill_toks, num_decode_toks" in text
    assert "the nearest is Vidur (arrived_at,num_prefill_tokens,num_decode_tokens)" in text
    many = ",".join(f"a_column_with_a_long_name_{k}" for k in range(500))
    assert "--columns t_s=" in message(write_rows(tmp_path / "t.csv", [], many), world)
