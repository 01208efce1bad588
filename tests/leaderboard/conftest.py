"""A sample leaderboard, made once, and copies to tamper with."""

import pytest

from tests.leaderboard.sample import Sample, make


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Sample:
    """The sample; not to be written to."""
    return make(tmp_path_factory.mktemp("board") / "leaderboard")


@pytest.fixture
def sample(whole, tmp_path) -> Sample:
    """A copy of it."""
    return whole.copy(tmp_path / "leaderboard")
