"""Written traces: any name comes back, and the same requests give the same bytes."""

import gzip

import pytest

from sageserve_env.workload import Mapping, O365Week, Trace, write_trace
from tests.workload.helpers import make_world, play, same, write_rows

NAMES = ("a,b", 'say "hi"', "semi;colon", "näme 模型", "it's # = 1", "tab\tand\nline")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_every_name_comes_back(tmp_path, suffix):
    world = make_world(models=NAMES, regions=("west, coast", 'the "east"', "südost"))
    source = write_rows(tmp_path / "s.csv", [f"{k / 8},{k + 1},1" for k in range(200)], "t_s,prompt_tokens,output_tokens")
    workload = Trace(source, mapping=Mapping(dict.fromkeys(NAMES, 1.0)))
    path = tmp_path / f"t{suffix}"
    assert write_trace(workload, world, path, seed=4) == 200
    requests = play(workload.stream(world, 4))
    assert same(requests, play(Trace(path).stream(world, 0)))
    assert set(requests["model"]) == set(range(len(NAMES)))


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_the_same_requests_give_the_same_bytes(tmp_path, world, suffix):
    for name in ("a", "b"):
        write_trace(O365Week(0, 60), world, tmp_path / f"{name}{suffix}", seed=2)
    a, b = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert a == b
    text = (gzip.decompress(a) if suffix.endswith("gz") else a).decode()
    assert text.startswith("arrival_s,model,region,tier,prompt_tokens,output_tokens,region_order\n")
    assert '"' not in text
