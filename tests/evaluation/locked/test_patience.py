"""Who waits awake, and that a message is there after the wait."""

from __future__ import annotations

from multiprocessing import Pipe
from threading import Thread

import pytest

from sageserve_env.evaluation.locked.wall import patience
from sageserve_env.evaluation.locked.wall.patience import PATIENCE_S, Patience, patience_s


@pytest.mark.parametrize(("cores", "workers", "awake_s"), [(2, 1, PATIENCE_S), (2, 2, 0.0), (8, 4, PATIENCE_S), (None, 1, 0.0)])
def test_only_those_with_cores_of_their_own_wait_awake(monkeypatch, cores, workers, awake_s) -> None:
    monkeypatch.setattr(patience.os, "cpu_count", lambda: cores)
    assert patience_s(workers) == awake_s


def test_a_message_ends_the_wait() -> None:
    ours, theirs = Pipe()
    sender = Thread(target=theirs.send_bytes, args=(b"turn",))
    sender.start()
    Patience(ours, 60.0).wait()
    assert ours.poll()
    sender.join()


@pytest.mark.parametrize("awake_s", [0.0, 1e-6])
def test_the_wait_ends_without_a_message(awake_s: float) -> None:
    ours, theirs = Pipe()
    Patience(ours, awake_s).wait()
    assert not ours.poll()
    theirs.close()


def test_where_the_system_cannot_wait_awake_it_sleeps(monkeypatch) -> None:
    monkeypatch.delattr(patience.select, "poll")
    ours, theirs = Pipe()
    Patience(ours, 60.0).wait()
    assert not ours.poll()
    theirs.close()
