"""``sageserve validate --silicon``."""

from tests.cli.helpers import sageserve


def test_one_deployment(capsys, tmp_path):
    figure = tmp_path / "silicon.svg"
    ran = sageserve(capsys, "validate", "--silicon", "--only", "Llama-3.1-70B h100_sxm vllm fp8 TP4", "--figure", figure)
    assert ran.status == 0
    assert "11 / 4" in ran.out
    assert "dense models, held-out runs" in ran.out
    assert "mixtures" not in ran.out
    assert figure.stat().st_size > 10_000


def test_beyond_what_dense_models_may_be(capsys):
    assert sageserve(capsys, "validate", "--silicon", "--only", "Qwen3-32B h100_sxm sglang 0.5.1.post1 TP2").status == 1


def test_bad_input(refused, tmp_path):
    assert "no fitted deployment" in refused("validate", "--silicon", "--only", "gpt-9")
    assert "or --silicon alone" in refused("validate")
    assert "or --silicon alone" in refused("validate", "--silicon", tmp_path)
    assert "go with --silicon" in refused("validate", tmp_path, "--only", "x")
    assert "does not exist; create it first" in refused("validate", "--silicon", "--figure", tmp_path / "none" / "f.png")
    assert "no picture format" in refused("validate", "--silicon", "--figure", tmp_path / "f.xls")
