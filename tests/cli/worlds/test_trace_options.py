"""Options for how a trace file is read, on every command that takes one."""

import pytest

from tests.cli.helpers import sageserve

BURSTGPT = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
45,ChatGPT,200,30,230,API log
5,ChatGPT,300,0,300,API log
9,GPT-4,100,20,120,API log
"""

COMMANDS = {
    "simulate": ["simulate", "TRACE", "--instances", "2"],
    "simulate --trace": ["simulate", "--trace", "TRACE", "--instances", "2"],
    "compare": ["compare", "TRACE", "--policies", "static"],
    "describe": ["workload", "describe", "TRACE"],
    "export": ["workload", "export", "TRACE", "out.csv"],
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(command, text, *options):
        (tmp_path / "t.csv").write_text(text)
        words = [str(tmp_path / "t.csv") if word == "TRACE" else word for word in COMMANDS[command]]
        return sageserve(capsys, *words, *options)

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_rows_are_left_out_and_sorted_and_counted(run, tmp_path, command):
    ran = run(command, BURSTGPT, "--invalid-rows", "skip", "--sort")
    assert ran.status == 0, ran.err
    if command == "export":
        assert "2 requests" in ran.out
        times = [line.split(",")[0] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]]
        assert times == ["9.0", "45.0"]
    else:
        assert "2 played, 1 skipped, 0 clamped" in ran.out
        assert "sorted by time" in ran.out
    assert run(command, BURSTGPT).status == 2


@pytest.mark.parametrize("command", ["simulate", "describe"])
def test_units_and_columns(run, command):
    text = "when,in,out\n1700158546000,3,4\n1700158547000,5,6\n"
    options = ["--columns", "t_s=when, prompt_tokens=in", "--columns", "output_tokens=out", "--time-unit", "ms"]
    ran = run(command, text, *options)
    assert ran.status == 0, ran.err
    assert "Unix stamps in ms" in ran.out
    assert "2023-11-16T18:15:46" in ran.out


def test_describe_says_how_a_file_was_read(run):
    out = run("describe", "t_s,prompt_tokens,output_tokens\n0,1,1\n").out
    assert "unlabelled" in out
    assert "t_s, since the start in s" in out
    assert "1 played, 0 skipped, 0 clamped" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--time-unit", "h"], "time_unit = 'h' is not known; give one of s, ms, us, ns"),
        (["--invalid-rows", "drop"], "invalid_rows = 'drop' is not known; give one of error, skip, clamp"),
        (["--columns", "t_s"], "--columns = 't_s' has no column"),
        (["--columns", "=x"], "--columns = '=x' has no column"),
        (["--columns", "t_s=a,t_s=b"], "--columns gives 't_s' twice"),
        (["--columns", "time=Timestamp"], "columns: 'time' cannot be mapped"),
        (["--columns", "t_s=Nothing"], "column 'Nothing' is missing"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_bad_options(run, tmp_path, command, options, words):
    ran = run(command, BURSTGPT, *options)
    assert ran.status == 2
    assert words in ran.err
    assert len(ran.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_workloads_that_are_no_files_have_no_such_options(run, capsys):
    ran = sageserve(capsys, "simulate", "o365-hour", "--sort")
    assert ran.status == 2
    assert "option 'sort' does not exist" in ran.err
