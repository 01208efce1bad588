"""What is written stands whole or not at all, whoever ends the process and wherever the disk ends."""

import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sageserve_env.errors import InputError
from sageserve_env.files import writing
from sageserve_env.files.writing import SCRATCH, require_writable, whole_file, whole_folder, write_text

ROOT = Path(__file__).resolve().parents[1]


def names(folder):
    return sorted(item.name for item in folder.iterdir())


def held_in_another_process(body):
    """A process that runs this and then waits."""
    script = f"import sys, time\nfrom sageserve_env.files.writing import *\n{body}"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process):
    process.kill()
    process.communicate()


def write_both(folder):
    with whole_folder(folder, "seal") as fresh:
        for name in ("seal", "part"):
            (fresh / name).write_text("new")


def test_a_file_is_replaced_at_the_end_or_not_at_all(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert part.suffix == ".txt"
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"
    with suppress(ZeroDivisionError), whole_file(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_a_new_folder_comes_into_being_with_its_parents(tmp_path):
    with whole_folder(tmp_path / "a" / "b", "seal") as fresh:
        (fresh / "seal").write_text("1")
        assert not (tmp_path / "a" / "b").exists()
    assert names(tmp_path / "a" / "b") == ["seal"]
    assert names(tmp_path / "a") == ["b"]
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "c", "seal") as fresh:
        raise ZeroDivisionError
    assert names(tmp_path) == ["a"]


def test_into_a_folder_that_is_there_items_are_moved_and_others_stay(tmp_path):
    for name in ("seal", "part", "stale", "thesis.tex"):
        (tmp_path / name).write_text("old")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").write_text("old")
    with whole_folder(tmp_path, "seal", stale=("stale", "absent")) as fresh:
        for name in ("seal", "part"):
            (fresh / name).write_text("new")
        (fresh / "run").mkdir()
        (fresh / "run" / "new").write_text("new")
    assert names(tmp_path) == ["part", "run", "seal", "thesis.tex"]
    assert names(tmp_path / "run") == ["new"]
    assert [(tmp_path / name).read_text() for name in ("part", "seal", "thesis.tex")] == ["new", "new", "old"]


def test_the_seal_goes_first_and_comes_last(tmp_path, monkeypatch):
    for name in ("seal", "part"):
        (tmp_path / name).write_text("old")
    replace, seen = Path.replace, []

    def watched(self, target):
        seen.append((tmp_path / "seal").exists())
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_both(tmp_path)
    assert seen == [False, False]


def test_what_a_killed_process_left_is_cleared_and_what_is_in_use_is_not(tmp_path):
    path = str(tmp_path / "a.txt")
    body = f"with whole_file({path!r}) as part:\n    part.write_text('half'); print('ready', flush=True); time.sleep(60)"
    dead, alive = held_in_another_process(body), held_in_another_process(body)
    assert len(names(tmp_path)) == 2
    ended(dead)
    write_text(tmp_path / "b.txt", "whole")
    left = names(tmp_path)
    ended(alive)
    assert len(left) == 2
    assert left[0].startswith(SCRATCH)
    require_writable(tmp_path)
    assert names(tmp_path) == ["b.txt"]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match=r"a\.txt' cannot be written \(File too large\); check space and permissions"):
            write_text(tmp_path / "a.txt", "x" * 5000)
        with pytest.raises(InputError, match="cannot be written"), whole_folder(tmp_path / "c", "seal") as fresh:
            (fresh / "seal").write_text("x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("target", ["file/x", "no/x", "/proc/x", "x" * 300])
def test_places_that_cannot_be_written(tmp_path, target):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / target, "text")
    assert names(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file" / "x" / "y", Path("/proc/x/y")):
        with pytest.raises(InputError, match="cannot be written"):
            require_writable(place)


def test_signals_wait_while_items_are_moved(tmp_path, monkeypatch):
    (tmp_path / "seal").write_text("old")
    replace = Path.replace

    def interrupted(self, target):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_both(tmp_path)
    assert names(tmp_path) == ["part", "seal"]
    assert (tmp_path / "seal").read_text() == "new"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_scratch_folders_can_be_dropped_without_unwinding(tmp_path):
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("half")
        writing.drop_scratch()
        assert names(tmp_path) == []
        part.parent.mkdir()
        part.write_text("whole")
    assert names(tmp_path) == ["a.txt"]


WRITES = re.compile(r"""\.open\(\s*["'][wax]|open\([^)]*,\s*["'][wax]|\.write_(?:text|bytes)\(|savefig\(|tempfile\.|\.touch\(""")


IN_PIECES = re.compile(r"part|fresh /")
"""What is written to such names takes its place whole."""


def test_nothing_else_opens_a_file_for_writing():
    found = []
    for package in ("sageserve_env", "baselines", "agents"):
        for file in (ROOT / package).rglob("*.py"):
            lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
            found += [f"{file.name}:{n}: {line.strip()}" for n, line in lines if WRITES.search(line) and not IN_PIECES.search(line)]
    # a result writes into the folder that it is given; a mailbox is memory, and gone with its processes
    allowed = ("writing.py", "result.py", "mailbox.py")
    assert [line for line in found if not line.startswith(allowed)] == []
