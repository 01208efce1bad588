"""Ctrl-C and SIGTERM end a command at once.

An exception would not do: libraries swallow ``KeyboardInterrupt`` where they import or call back (``except:``), and the command
goes on, half loaded. Nothing has to be unwound: what is written stands whole or not at all (``sageserve_env.files.writing``).
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from sageserve_env.files.writing import drop_scratch

SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
SHOW_CURSOR = "\r\x1b[K\x1b[?25h"
"""A progress bar hides the cursor."""


def end_at_once_when_interrupted() -> None:
    """From now on, SIGINT and SIGTERM end this process with status 128 plus their number: 130, 143."""
    for number in SAID:
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    drop_scratch()
    text = f"{SHOW_CURSOR if sys.stderr.isatty() else ''}{SAID[signal.Signals(number)]}\n"
    os.write(2, text.encode())
    os._exit(128 + number)
