"""Pages of Markdown, and how their blocks are played: in order, in one folder, with the same names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from glob import glob
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.helpers import sageserve

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *TUTORIALS]

BLOCK = re.compile(r"^```(\w+)(?: ([\w.-]+\.\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = {"console", "text", "yaml"}
"""Blocks of what installs, takes long, or is shown only."""

SHELL = {"cp", "git", "mkdir"}
"""Programs that a page may run beside this package."""


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        language: First word after the fence.
        file: Second word, where it is the name of a file: the block is its content.
        text: What stands between the fences.
    """

    language: str
    file: str
    text: str


def ids(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """Each fenced block; those with a second word that names no file are played by the tests of what they name."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def play(page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Play the blocks of a page."""
    names = {"__name__": "page"}
    for language, file, text in blocks(page):
        if file:
            Path(file).write_text(text, encoding="utf-8")
        elif language == "sh":
            for line in text.splitlines():
                run_command(line, capsys, monkeypatch)
        elif language == "python":
            exec(compile(text, f"{page.name}: {text.splitlines()[0]}", "exec", dont_inherit=True), names)
        else:
            assert language in NOT_RUN, f"{page.name} has a block of {language!r}"


def run_command(line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command as a shell would: globs are expanded, ``> FILE`` takes the output."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    file = None
    if ">" in words:
        words, file = words[: words.index(">")], words[words.index(">") + 1]
    words = [path for word in words for path in (sorted(glob(word)) if "*" in word else [word])]
    if words[0] in SHELL:
        subprocess.run(words, check=True, capture_output=True)
    elif words[:2] == ["python", "-m"]:
        run_module(words[2], words[3:], monkeypatch)
    else:
        assert words[0] == "sageserve", f"{line!r} is no command of this package; put it into a console block"
        ran = sageserve(capsys, *words[1:])
        assert ran.status == 0, f"{line}\n{ran.err or ran.out}"
        if file is not None:
            Path(file).write_text(ran.out, encoding="utf-8")


def run_module(name: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run ``python -m NAME``, a module of this package with a ``main``, in this process."""
    spec = find_spec(name)
    assert spec is not None, f"there is no module {name}"
    module = import_module(name if spec.submodule_search_locations is None else f"{name}.__main__")
    monkeypatch.setattr(sys, "argv", [name, *words])
    assert not module.main(), f"python -m {name} {shlex.join(words)}"
