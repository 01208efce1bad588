"""The dynamics of each id: what a short run gives is as it was when its version was made.

An id promises the same numbers for ever, so a digest that changes means a new version, ``-v1`` in place of ``-v0``. Until the
first release, and for a new id, ``python -m tests.scenarios.test_dynamics`` writes ``dynamics.json`` anew: all problems, or those
that are named after it.
"""

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.registration import IDS

FILE = Path(__file__).with_name("dynamics.json")

STEPS = {"azure": 20, "scale2025": 3}
"""Of the runs; the others go on for an hour and a half, so that NIW is late at their horizon."""

DIGITS = 6
"""Of what is digested: processors differ in the last ones."""


def digests(name: str) -> dict[str, str]:
    """A digest of each thing that the runs of a problem give, so that a failure tells what has changed."""
    found: dict[str, list[bytes]] = {}
    for thing, value in records(name):
        found.setdefault(thing, []).append(value)
    return {thing: sha256(b"".join(values)).hexdigest()[:16] for thing, values in found.items()}


def records(name: str) -> Iterator[tuple[str, bytes]]:
    """What each step of seeded actions gives, on the train and on the test split."""
    for seed, split in enumerate(("train", "test")):
        env = FleetEnv(problem=name, split=split)
        env = FleetEnv(problem=name, split=split, horizon_s=STEPS.get(name, 18) * env.setup.problem.control_interval_s)
        observation, info = env.reset(seed=seed)
        env.action_space.seed(seed)
        is_over = False
        yield "drawn", digest_of([info[key] for key in ("day", "start_s", "scale", "variant", "workload_seed")])
        while not is_over:
            yield "observations", digest_of(observation)
            yield "masks", info["action_mask"].tobytes()
            observation, reward, _, is_over, info = env.step(env.action_space.sample(tuple(info["action_mask"])))
            yield "terms", digest_of([info[term] for term in TERMS])
            yield "rewards", digest_of(reward)


def digest_of(values: object) -> bytes:
    """Bytes of numbers, rounded; the zeros have no sign."""
    return (np.round(np.asarray(values, np.float64), DIGITS) + 0.0).tobytes()


@pytest.mark.parametrize("name", IDS)
def test_an_id_does_what_it_did(name: str) -> None:
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    assert name in kept, f"{IDS[name]} has no digest; write it with: python -m tests.scenarios.test_dynamics {name}"
    assert digests(name) == kept[name], f"{IDS[name]} has changed, which needs a new version of it; see the top of this file"


def test_no_digest_is_of_an_id_that_is_gone() -> None:
    assert list(json.loads(FILE.read_text(encoding="utf-8"))) == list(IDS)


def main() -> None:
    """Write the digests of the problems named, or of all."""
    kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    kept |= {name: digests(name) for name in sys.argv[1:] or IDS}
    FILE.write_text(json.dumps({name: kept[name] for name in IDS if name in kept}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
