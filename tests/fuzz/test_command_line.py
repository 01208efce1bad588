"""The command line: every option of every command by everything that it is not."""

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest
import typer

from sageserve_env.cli import app
from tests.fuzz.strategies import TEXTS, Trial, sample, short

TRACE = "arrival_s,model,region,tier,prompt_tokens,output_tokens\n0,llama-3.2-3b,westus,IW-F,9,2\n1,llama-3.2-3b,westus,NIW,9,2\n"

BASES = {
    ("simulate",): ("--trace", "TRACE", "--quiet"),
    ("compare",): ("TRACE", "--policies", "static", "--quiet"),
    ("train",): ("--steps", "0", "--algo", "none"),
    ("reproduce",): ("--rows", "none", "--quiet"),
    ("workload", "list"): (),
    ("workload", "describe"): ("TRACE",),
    ("workload", "export"): ("TRACE", "OUT.csv"),
    ("world", "list"): (),
    ("world", "show"): ("published",),
    ("world", "check"): ("w.yaml",),
    ("world", "profiles"): ("--out", "OUT.x"),
    ("validate",): ("OUT",),
    ("version",): (),
}
"""A cheap call of each command: nothing is computed, or a trace of two requests."""

ODD_LINES = [
    (),
    ("",),
    ("--",),
    ("-",),
    ("--help", "--no"),
    ("simulate", "simulate"),
    ("world",),
    ("workload", "none"),
    ("\udcff",),
    ("-" * 5000,),
]


def options(command, path=()):
    """Every option of every command, with the path of its command."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from options(inner, (*path, name))
        return
    for parameter in command.params:
        if path in BASES and parameter.param_type_name == "option" and "--help" not in parameter.opts:
            yield path, parameter.opts[0], parameter.is_flag


def outcome(arguments):
    """Status, output and messages of a call, which must end as one should."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace") for _ in range(2))
    status = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            app(list(arguments), prog_name="sageserve")
        except SystemExit as ended:
            status = ended.code or 0
    for stream in (out, err):
        stream.flush()
    return status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()


def judged(arguments):
    """Raise unless a call was taken, or refused with one line and nothing else; tell which by raising SystemExit for a refusal."""
    status, out, err = outcome(arguments)
    if status == 2 and not (arguments and arguments[-1] in ("world", "workload")) and arguments:
        lines = err.splitlines()
        assert (len(lines), out) == (1, ""), (out, err)
        assert lines[0].startswith("error: "), err
        assert lines[0].isprintable(), err
        assert len(lines[0]) < 310, err
        raise SystemExit(2)
    assert status in (0, 1, 2), (status, err)
    assert "Traceback" not in err


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace.csv").write_text(TRACE)
    (tmp_path / "w.yaml").write_text("extends: published\n")
    for words in (("simulate", "--trace", "trace.csv", "--quiet"), ("workload", "describe", "trace.csv", "--out", "rates.png")):
        outcome(words)  # kernels and packages are there before the clock runs
    return tmp_path


def named(words, place):
    return [str(place / "trace.csv") if word == "TRACE" else word.replace("OUT", str(place / "out")) for word in words]


def test_every_option_by_everything_that_it_is_not(place):
    trial = Trial(allowed=(SystemExit,))
    cases = []
    for path, option, is_flag in options(typer.main.get_command(app)):
        base = [*path, *named(BASES[path], place)]
        cases += [[*base, f"{option}={text}"] if is_flag else [*base, option, text] for text in TEXTS]
    for arguments in sample(3, cases, 220):
        trial.attempt(" ".join(short(word) for word in arguments), lambda arguments=arguments: judged(arguments))
    trial.conclude(220)


def test_arguments_and_lines_that_are_none(place):
    trial = Trial(allowed=(SystemExit,))
    commands = [("simulate",), ("compare",), ("workload", "describe"), ("world", "show"), ("world", "check"), ("validate",)]
    cases = [[*command, text] for command in commands for text in TEXTS if not text.startswith("-")]
    for arguments in [*ODD_LINES, *sample(4, cases, 60)]:
        trial.attempt(" ".join(short(word) for word in arguments), lambda arguments=arguments: judged(arguments))
    trial.conclude(70)
