import gzip

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.world.silicon import Deployment, read_groups

HEAD = "model,system,engine,prompt_tokens,output_tokens,concurrency,ttft_ms,tpot_ms"
GOOD = "m,h100,vllm,1024,128,8,50,10"


def test_shipped_runs():
    groups = read_groups()
    assert sum(map(len, groups)) == 3216
    assert len({group.deployment for group in groups}) == len(groups) == 271
    assert all((group.ttft_s > 0).all() and (group.tpot_s > 0).all() for group in groups)


def test_columns_that_may_be_left_out(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f"{HEAD},precision,note\n{GOOD},fp8,x\n{GOOD},,x\n")
    plain, fp8 = read_groups(path)
    assert plain.deployment == Deployment("m", "h100", "vllm")
    assert fp8.deployment.label == "m h100 vllm fp8"
    assert fp8.tpot_s.tolist() == [0.010]


def test_gzip(tmp_path):
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(f"{HEAD}\n{GOOD}\n".encode()))
    assert len(read_groups(path)) == 1


def test_a_byte_order_mark_as_spreadsheets_write_it(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f"{HEAD}\n{GOOD}\n", encoding="utf-8-sig")
    assert len(read_groups(path)) == 1


def test_a_column_twice(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEAD},tpot_ms\n{GOOD},11\n")
    with pytest.raises(InputError, match="column 'tpot_ms' appears twice"):
        read_groups(path)


def test_a_quarter_is_held_out_and_repeats_stay_together(tmp_path):
    rows = [f"m,h100,vllm,1024,128,{users},{50 + repeat},10" for users in range(1, 21) for repeat in range(3)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([HEAD, *reversed(rows), ""]))
    (group,) = read_groups(path)
    assert group.users[group.held_out].tolist() == np.repeat([2.0, 6.0, 10.0, 14.0, 18.0], 3).tolist()


BAD = {
    "m,h100,vllm,1024,128,8,0,10": "row 2: ttft_ms = '0' is out of range",
    "m,h100,vllm,1024,128,8,50,-1": "row 2: tpot_ms = '-1' is out of range",
    "m,h100,vllm,1024,128,8,50,nan": "row 2: tpot_ms = 'nan' is out of range",
    "m,h100,vllm,1024,128,8,50,inf": "row 2: tpot_ms = 'inf' is out of range",
    "m,h100,vllm,1024,128,8,50,": "row 2: tpot_ms = '' is not a number",
    "m,h100,vllm,0,128,8,50,10": "row 2: prompt_tokens = '0' is out of range",
    "m,h100,vllm,1024,1,8,50,10": "row 2: output_tokens = '1' is out of range",
    "m,h100,vllm,1024,128,0.5,50,10": "row 2: concurrency = '0.5' is out of range",
    "m,h100,,1024,128,8,50,10": "row 2: engine = '' is empty",
    "m,h1\x1b00,vllm,1024,128,8,50,10": "row 2: system = 'h1\\x1b00' is not a name",
    "m,h100,vllm,1024": "row 2: has not the 8 fields",
}


@pytest.mark.parametrize(("row", "text"), BAD.items())
def test_a_bad_row(tmp_path, row, text):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEAD}\n{GOOD}\n{row}\n")
    with pytest.raises(InputError, match=r"bad\.csv") as error:
        read_groups(path)
    assert text in str(error.value)


@pytest.mark.parametrize("column", HEAD.split(","))
def test_a_missing_column(tmp_path, column):
    path = tmp_path / "bad.csv"
    path.write_text(HEAD.replace(column, "other") + f"\n{GOOD}\n")
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        read_groups(path)


def test_a_file_that_is_none(tmp_path):
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(f"{HEAD}\n{GOOD}\n".encode())[:-12])
    empty = tmp_path / "empty.csv"
    empty.write_text(HEAD + "\n")
    for path, text in ((cut, "cannot be read"), (empty, "has no rows"), (tmp_path / "none.csv", "cannot be read")):
        with pytest.raises(InputError, match=text):
            read_groups(path)
