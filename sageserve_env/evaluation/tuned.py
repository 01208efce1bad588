"""Tuned options of policies: the best of a tuning log, shipped beside the policies that they belong to."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError, shown
from sageserve_env.registration import problem_name

FOLDER = "tuned"
"""In the package of a policy: ``tuned/<problem>/<policy>.json``."""


def tuned_options(name: str, tuned: Any, entry: EntryPoint) -> dict[str, Any]:
    """The best options of a policy's tuning log.

    Args:
        name: Of the policy.
        tuned: A problem, by its name or id, or a file whose name ends in ``.json``.
        entry: The policy's entry point, whose package ships logs.

    Raises:
        InputError: There is no such problem or file, no log of the policy for it, or the file is none.
    """
    if not isinstance(tuned, str):
        raise InputError(f"tuned = {shown(tuned)} is no text; give the name of a problem, or a log of sageserve tune")
    if tuned.endswith(".json"):
        log = Path(tuned)
    else:
        log = shipped_log(name, tuned, entry)
        if not log.is_file():
            raise InputError(f"policy = '{name}' is not tuned for '{tuned}'; run: sageserve tune --policy {name} --env {tuned}")
    try:
        facts = json.loads(log.read_text(encoding="utf-8"))
        policy, options = facts["policy"], {**facts["fixed"], **facts["best"]["options"]}
    except OSError as error:
        raise InputError(f"tuned = '{tuned}' cannot be read ({error.strerror}); give a log of sageserve tune") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"tuned = '{tuned}' is no log of sageserve tune; give another file") from None
    if policy != name:
        raise InputError(f"tuned = '{tuned}' is a log of policy '{policy}', not of '{name}'; give one of that policy")
    return options


def shipped_log(name: str, problem: str, entry: EntryPoint) -> Path:
    """Where the package of a policy ships the log of its tuning for a problem, if it does.

    Raises:
        InputError: There is no such problem.
    """
    return shipped(entry) / problem_name(problem, "tuned") / f"{name}.json"


def shipped(entry: EntryPoint) -> Path:
    """The folder of tuned options in the package of a policy."""
    spec = find_spec(entry.module.partition(".")[0])
    return Path((spec.origin if spec is not None else None) or "").parent / FOLDER
