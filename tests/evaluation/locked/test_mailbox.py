"""Questions and answers through shared memory: awake and asleep, short and long, and with nobody there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from multiprocessing import Pipe
from threading import Thread

import numpy as np
import pytest

from sageserve_env.evaluation.locked.wall import mailbox
from sageserve_env.evaluation.locked.wall.mailbox import ROOM, Mailbox, new_file

Sides = tuple[Mailbox, Mailbox]


@pytest.fixture(params=[None, mailbox.nap, mailbox.give_way], ids=["sleeps", "naps", "gives way"])
def sides(request: pytest.FixtureRequest) -> Sides:
    """Who asks, and who answers."""
    ours, theirs = Pipe()
    file = new_file()
    return Mailbox(os.dup(file), 8, ours, request.param), Mailbox(file, 8, theirs, request.param)


def answering(answers: Mailbox, times: int, reply: Callable[[bytes], bytes]) -> Thread:
    """A thread that answers so often."""

    def serve() -> None:
        for _ in range(times):
            assert answers.wait_for_question()
            answers.reply(reply(answers.question.tobytes()), 0.5)

    thread = Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("length", [0, 1, ROOM, ROOM + 1])
def test_every_question_has_its_answer(sides: Sides, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Those who sleep at once wake each other; what does not fit into the box takes the line."""
    monkeypatch.setattr(mailbox, "SLEEP_S", 60.0)
    asks, answers = sides
    thread = answering(answers, 50, lambda question: question[:1] * length)
    for turn in range(50):
        asks.question[:] = turn
        asks.ask()
        assert asks.answer() == (bytes([turn]) * length, 0.5)
    thread.join()


def test_it_waits_for_who_takes_long(sides: Sides) -> None:
    asks, answers = sides
    thread = answering(answers, 1, lambda question: time.sleep(5 * mailbox.AWAKE_S) or question)
    asks.question[:] = np.arange(8)
    asks.ask()
    assert not asks.has_answer()
    assert asks.answer()[0] == bytes(range(8))
    thread.join()


def test_a_message_on_the_line_is_no_question(sides: Sides) -> None:
    asks, answers = sides
    asks._line.send_bytes(b"a task")
    assert not answers.wait_for_question()
    assert answers.taken() == b"a task"


def test_nobody_answers_where_nobody_is(sides: Sides) -> None:
    asks, answers = sides
    asks.ask()
    answers._line.close()
    with pytest.raises((EOFError, OSError)):
        asks.answer()
