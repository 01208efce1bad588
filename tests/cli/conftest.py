"""Fixtures of the command line's tests."""

import pytest

from tests.cli.helpers import sageserve


@pytest.fixture
def run(capsys):
    """Runs ``sageserve`` with arguments; gives its status, output and messages."""
    return lambda *arguments: sageserve(capsys, *arguments)


@pytest.fixture
def refused(run):
    """Runs ``sageserve`` where it must refuse: status 2, nothing on standard output, one line on standard error, which it gives."""

    def check(*arguments):
        ran = run(*arguments)
        lines = ran.err.splitlines()
        assert (ran.status, ran.out, len(lines)) == (2, "", 1), ran
        assert lines[0].startswith("error: ")
        return lines[0]

    return check
