"""The ``sageserve`` command. It stands outside the package, whose imports take a while, so that Ctrl-C is minded from the start."""

from __future__ import annotations

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, _end)
    from sageserve_env.cli import main as run  # heavy

    run()


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing has begun; ``sageserve_env.cli.interrupt`` takes over when something does."""
    os.write(2, b"interrupted\n")
    os._exit(128 + number)
