"""``sageserve world fit``: what it prints and writes, and what it refuses."""

import yaml

from tests.cli.helpers import sageserve

HEAD = "model,system,engine,prompt_tokens,output_tokens,concurrency,ttft_ms,tpot_ms"


def measurements(path, rows=16):
    """Runs of an iteration of 10 ms, and 50 ms to the first token."""
    lines = [f"mine,h100,vllm,{512 + 64 * row},128,{1 + row % 4},50,10" for row in range(rows)]
    path.write_text("\n".join([HEAD, *lines, ""]))
    return path


def test_own_measurements(capsys, tmp_path):
    piece, table = tmp_path / "piece.yaml", tmp_path / "table.csv"
    ran = sageserve(capsys, "world", "fit", measurements(tmp_path / "mine.csv"), "--out", piece, "--table", table)
    assert ran.status == 0
    assert "mine h100 vllm" in ran.out
    profile = yaml.safe_load(piece.read_text())["profiles"]["mine h100 vllm"]
    assert abs(profile["base_s"] - 0.010) < 1e-4
    assert "fitted to 12 runs" in profile["provenance"]
    assert table.read_text().startswith("model,system,engine,")


def test_bad_input_writes_nothing(refused, tmp_path):
    good = measurements(tmp_path / "good.csv")
    few = measurements(tmp_path / "few.csv", rows=4)
    out = tmp_path / "piece.yaml"
    assert "the largest has 4" in refused("world", "fit", few, "--out", out)
    assert "cannot be read" in refused("world", "fit", tmp_path / "none.csv", "--out", out)
    assert "is no .yaml file" in refused("world", "fit", good, "--out", tmp_path / "piece.txt")
    assert "is no .csv file" in refused("world", "fit", good, "--out", out, "--table", tmp_path / "table.xls")
    assert "does not exist" in refused("world", "fit", good, "--out", tmp_path / "none" / "piece.yaml")
    assert "holds the measurements" in refused("world", "fit", good, "--table", good)
    assert "holds the measurements" in refused("world", "power", good, "--table", good)
    assert not out.exists()
