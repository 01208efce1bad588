"""A vector environment in a forked process: the threads of the parent are not there, and it steps all the same."""

import multiprocessing
from typing import Any

import numpy as np
import pytest

from sageserve_env.env import VectorFleetEnv

LONG_S = 60.0
"""A child that takes longer hangs; one that works needs a few milliseconds."""

pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="the platform has no fork")


def stepped(envs: VectorFleetEnv, n_steps: int) -> list[bytes]:
    actions = np.full((envs.num_envs, 3), 3)
    return [envs.step(actions)[0].tobytes() for _ in range(n_steps)]


def report(envs: VectorFleetEnv, way: Any, closes: bool) -> None:
    found = stepped(envs, 3)
    if closes:
        envs.close()
    way.send(found)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python >= 3.12 says so of any fork
@pytest.mark.parametrize("closes", [False, True])
def test_a_vector_that_has_stepped_goes_on_in_a_fork(closes: bool) -> None:
    envs = VectorFleetEnv(4, num_threads=2, horizon_s=3600.0)
    envs.reset(seed=0)
    stepped(envs, 2)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=report, args=(envs, there, closes))
    child.start()
    found = here.recv() if here.poll(LONG_S) else "nothing: the child hangs"
    child.join(LONG_S if isinstance(found, list) else 0.0)
    exitcode = child.exitcode
    child.kill()
    assert found == stepped(envs, 3)
    assert exitcode == 0
    envs.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_vector_that_has_stepped_can_be_closed_in_a_fork() -> None:
    envs = VectorFleetEnv(4, num_threads=2, horizon_s=3600.0)
    envs.reset(seed=0)
    stepped(envs, 1)
    child = multiprocessing.get_context("fork").Process(target=envs.close)
    child.start()
    child.join(LONG_S)
    exitcode = child.exitcode
    child.kill()
    assert exitcode == 0
    assert len(stepped(envs, 2)) == 2
    envs.close()
