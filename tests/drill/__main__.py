"""The fault drill, ``make drill``: what is killed, filled, damaged or forked leaves nothing half-written and nothing hung.

Prints a table of what was tried; status 1 if anything was amiss. Takes some minutes, and is no part of ``make test``. As root on
Linux it fills a small file system of its own; elsewhere a limit on the size of files stands in for the full disk.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.commands import COMMANDS
from tests.drill.trials import Trial, caches, forks, full_disks, homes, kills


def main() -> int:
    """Try everything, print the table, and say whether all held."""
    parser = argparse.ArgumentParser("python -m tests.drill", description="Kill, fill, damage and fork.")
    parser.add_argument("--kills", type=int, default=6, help="kills of each command by each signal (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    given = parser.parse_args()
    rng, trials, began_s = random.Random(given.seed), [], time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="sageserve-drill-") as folder:
        for command in COMMANDS:
            trials += show(kills(command, Path(folder), rng, given.kills))
            trials += show(full_disks(command, Path(folder)))
        for group in (caches(Path(folder), rng), homes(Path(folder)), forks()):
            trials += show(group)
    amiss = sum(len(trial.amiss) for trial in trials)
    print(f"{sum(trial.tries for trial in trials)} tries in {time.perf_counter() - began_s:.0f} s, {amiss} amiss")
    return int(amiss > 0)


def show(trials: list[Trial]) -> list[Trial]:
    """Print rows of the table."""
    for trial in trials:
        print(f"{trial.what:<28}{trial.how:<34}{trial.tries:>4} tries  {trial.outcomes():<44}{len(trial.amiss)} amiss", flush=True)
        for line in trial.amiss:
            print(f"    {line}", flush=True)
    return trials


if __name__ == "__main__":
    sys.exit(main())
