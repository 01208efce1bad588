"""Running the command line in the tests' own process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sageserve_env.cli import app


@dataclass
class Ran:
    status: int
    out: str
    err: str


def sageserve(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    """Run ``sageserve`` with these arguments."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        app([str(argument) for argument in arguments], prog_name="sageserve")
    captured = capsys.readouterr()
    status = ended.value.code
    return Ran(status if isinstance(status, int) else 0, captured.out, captured.err)
