"""Ctrl-C and SIGTERM at any moment: one word, a status, and nothing half-written; whatever library is at work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "from sageserve_command import main; main()"
DAY = ("simulate", "o365-day", "--quiet", "--out")


def started(*arguments, script=COMMAND):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("delay_s", [0.02, 0.3, 0.8, 1.6])
def test_ctrl_c_at_any_moment(tmp_path, delay_s):
    process = started(*DAY, tmp_path / "out", script=f"print('python is there', flush=True); {COMMAND}")
    assert process.stdout.readline() == "python is there\n"
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted"
    assert list(tmp_path.iterdir()) == []


SWALLOWING = """
import os, signal, sys
import sageserve_env.cli.running as running
from sageserve_command import main

def swallowing(*arguments, **options):
    while True:
        try:
            os.kill(os.getpid(), {number})
        except BaseException:  # as some libraries do around an import
            pass

running.run_episode = swallowing
main()
"""


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_no_library_can_swallow_it(tmp_path, number, said):
    process = started(*DAY, tmp_path / "out", script=SWALLOWING.format(number=int(number)))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "", f"{said}\n")
    assert list(tmp_path.iterdir()) == []


WRITING = """
import os, signal
import sageserve_env.evaluation.runs.result as result
from sageserve_command import main
write = result.Result.write

def half(self, folder):
    (folder / "metrics.json").write_text("half")
    os.kill(os.getpid(), {number})

result.Result.write = half
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_while_it_writes(tmp_path, number, run):
    arguments = ("simulate", "o365-hour", "--hours", "0.02", "--scale", "0.05", "--quiet", "--out", tmp_path / "out")
    process = started(*arguments, script=WRITING.format(number=int(number)))
    process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert not (tmp_path / "out").exists()
    assert len(list(tmp_path.iterdir())) == (number == signal.SIGKILL)
    assert run(*arguments).status == 0  # which clears what was left
    assert [item.name for item in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("command", [("world", "show", "published", "--yaml"), ("workload", "list")])
def test_a_reader_that_has_seen_enough(command):
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([sys.executable, "-c", COMMAND, *command], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_a_full_standard_output_and_a_terminal_without_our_letters():
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-c", COMMAND, "world", "list"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert ran.stderr.startswith("error: ")
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    show = [sys.executable, "-c", COMMAND, "world", "show", "published"]
    ran = subprocess.run(show, cwd=ROOT, env=ascii_only, capture_output=True)
    assert (ran.returncode, ran.stderr) == (0, b"")
