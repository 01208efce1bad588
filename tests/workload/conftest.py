"""Fixtures of the workload room's tests."""

import pytest

from tests.workload.helpers import make_world


@pytest.fixture(scope="session")
def world():
    return make_world()
