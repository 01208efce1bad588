"""The other commands of the command line, and its help."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sageserve_env
from sageserve_env.cli.checks.validate import percent
from sageserve_env.cli.console import clock
from sageserve_env.evaluation.self_check import Outcome
from sageserve_env.workload import CATALOG
from sageserve_env.world import PRESETS, dump_world, load_world

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
COMMANDS = ["simulate", "evaluate", "validate", "doctor", "version", "workload", "world"]


def test_help_names_every_command(run):
    ran = run("--help")
    assert ran.status == 0
    for command in COMMANDS:
        assert f" {command} " in ran.out


@pytest.mark.parametrize(
    "command",
    [*([name] for name in COMMANDS), *(["workload", name] for name in ("list", "describe", "export")), ["world", "profiles"]],
    ids=" ".join,
)
def test_every_command_has_help(run, command):
    ran = run(*command, "--help")
    assert ran.status == 0
    assert "Usage: sageserve" in ran.out


def test_no_command_shows_help(run):
    ran = run()
    assert ran.status in (0, 2)
    assert "simulate" in ran.out
    assert ran.err == ""


def test_an_unknown_command(refused):
    assert "'simulat'" in refused("simulat")


def test_help_is_there_at_once():
    code = "import sys; from sageserve_env.cli import app\ntry: app(['--help'])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('numba', 'pyarrow', 'matplotlib', 'yaml') if name in sys.modules])"
    start_s = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - start_s < 5


def test_version(run):
    assert run("version").out == f"{sageserve_env.__version__}\n"


def test_workload_list(run):
    ran = run("workload", "list")
    assert all(name in ran.out for name in CATALOG)


def test_workload_describe(run, tmp_path):
    ran = run("workload", "describe", "o365-hour", "--scale", "0.1", "--out", tmp_path / "rates.png")
    assert ran.status == 0
    for text in ("requests/s", "most in", "p99", "█", "llama-2-70b", "rates.png"):
        assert text in ran.out
    assert (tmp_path / "rates.png").stat().st_size > 10_000
    assert max(len(line) for line in ran.out.splitlines() if "written" not in line) <= 100


def test_workload_describe_refuses_a_bad_figure(refused, tmp_path):
    assert ".svg" in refused("workload", "describe", "o365-hour", "--scale", "0.1", "--out", tmp_path / "rates.txt")


def test_workload_export_is_read_back(run, tmp_path):
    ran = run("workload", "export", "o365-hour", tmp_path / "hour.parquet", "--hours", "0.05")
    assert ran.status == 0
    rows = ran.out.split(", ")[-1].split()[0]
    assert f"{rows} requests" in run("workload", "describe", tmp_path / "hour.parquet").out


def test_workload_export_refuses_a_bad_file(refused, tmp_path):
    assert "x.xlsx" in refused("workload", "export", "o365-hour", tmp_path / "x.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_world_list(run):
    ran = run("world", "list")
    assert all(name in ran.out for name in PRESETS)
    assert "[P]" not in ran.out


PRICES = {"published-a100": "32.77", "authors-a100": "32.77", "modern": "84.80"}


@pytest.mark.parametrize("world", PRESETS)
def test_world_show(run, world):
    ran = run("world", "show", world)
    assert ran.status == 0
    level_s = 2 if world == "authors-a100" else 1
    for text in (load_world(world).models[0].name, "westus", PRICES.get(world, "98.32"), f"IW-F TTFT ≤ {level_s} s"):
        assert text in ran.out


@pytest.mark.parametrize("policy", ["static", "reactive", "lt-ua"])
def test_the_modern_world_runs(run, policy):
    ran = run("simulate", "modern-hour", "--world", "modern", "--policy", policy, "--scale", "0.1")
    assert ran.status == 0
    assert "kimi-k2.5" in ran.out


def test_world_show_as_yaml_is_a_world_file(run, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(run("world", "show", "chiron", "--yaml").out)
    assert file.read_text() == dump_world(load_world("chiron"))
    assert "valid world 'chiron'" in run("world", "check", file).out


def test_world_check_refuses(refused, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("extends: published\nwheels: 4\n")
    assert "bad.yaml: wheels" in refused("world", "check", file)
    assert "'none.yaml' does not exist" in refused("world", "check", "none.yaml")
    assert "is no .yaml file" in refused("world", "check", "published")


def test_world_profiles(run, refused, tmp_path):
    assert run("world", "profiles", "--out", tmp_path / "p.svg").status == 0
    assert (tmp_path / "p.svg").stat().st_size > 10_000
    assert "does not exist; create it first" in refused("world", "profiles", "--out", tmp_path / "none" / "p.svg")


def test_validate_agrees(run):
    ran = run("validate", *sorted(GOLDEN.glob("s*")))
    *lines, scaling = [line for line in ran.out.splitlines() if line.startswith("s") and "largest difference" in line]
    assert ran.status == 0
    assert scaling.startswith("s4_reactive_burst")
    assert scaling.endswith("within 2 %")
    assert "moves                          46.000   46.000             1.000" in ran.out
    for line, name in zip(lines, ("s1", "s2_", "s2b", "s3b"), strict=True):
        assert line.startswith(name)
        assert line.endswith("same place 100.00 %  agrees")
        assert len(line) <= 110


def test_validate_differs(run, tmp_path):
    folder = shutil.copytree(GOLDEN / "s1_isolated", tmp_path / "s1")
    requests = (folder / "requests.csv").read_text()
    (folder / "requests.csv").write_text(requests.replace("westus,0", "eastus,0", 1))
    ran = run("validate", folder, GOLDEN / "s1_isolated")
    assert ran.status == 1
    assert "same place  93.75 %  DIFFERS" in ran.out
    assert len(ran.out.splitlines()) == 2


def test_validate_shows_other_cases_side_by_side(run, tmp_path):
    folder = shutil.copytree(GOLDEN / "s1_isolated", tmp_path / "s1")
    case = folder / "case.yaml"
    case.write_text(case.read_text().replace("compare: exact", "compare: distribution"))
    ran = run("validate", folder)
    assert ran.status == 0
    for text in ("within 5 %", "TTFT P95", "end-to-end mean", "ours / authors'", "1.000"):
        assert text in ran.out


def test_validate_reads_every_folder_before_it_runs_one(refused, tmp_path):
    assert "nowhere: is no folder" in refused("validate", GOLDEN / "s1_isolated", tmp_path / "nowhere")


def test_doctor(run):
    ran = run("doctor")
    assert ran.status == 0
    for text in ("numba", "gymnasium", "Compiled kernels", "agrees with the authors' simulator", "snapshot", "requests/s"):
        assert text in ran.out
    assert ran.out.count(" ok ") == 5
    assert "FAILED" not in ran.out


def test_doctor_fails_where_a_check_does(run, monkeypatch):
    monkeypatch.setattr("sageserve_env.evaluation.self_check.checks", lambda: iter([Outcome("speed", False, "none", 0.0)]))
    ran = run("doctor")
    assert ran.status == 1
    assert "FAILED" in ran.out


def test_the_script_is_installed():
    script = shutil.which("sageserve", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if script is None:
        pytest.skip("the package is not installed here, only on the path")
    done = subprocess.run([script, "version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sageserve_env.__version__


def test_texts():
    assert percent(1.0) == "100.00 %"
    assert percent(0.99999) == " 99.99 %"
    assert clock(86_400.0) == "1 d 0:00"
