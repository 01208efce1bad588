"""Reading a file of JSON, whoever wrote it: what is wrong with it is said in one way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError


def read_json(path: Path, remedy: str) -> Any:
    """What a file of JSON holds.

    Args:
        path: The file.
        remedy: What to do where it cannot be read, the end of the message.

    Raises:
        InputError: It cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); {remedy}") from None
    except (ValueError, RecursionError):
        raise InputError(f"'{path}' is no JSON; {remedy}") from None
