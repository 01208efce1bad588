"""What is done to the commands, and what may come of it."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sageserve_env.files.writing import SCRATCH
from tests.drill.commands import Command

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from sageserve_command import main; main()"
LONGEST_S = 400
"""Compiling every kernel takes some minutes on a busy core."""

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TINY = ("simulate", "o365-hour", "--hours", "0.01", "--scale", "0.05", "--quiet")
DISK_KB = 8
FULL_BYTES = 8_000


@dataclass
class Trial:
    """A row of the table."""

    what: str
    how: str
    tries: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    amiss: list[str] = field(default_factory=list)

    def note(self, outcome: str, problem: str | None = None) -> None:
        """Count an outcome, and what was wrong with it."""
        self.tries += 1
        self.seen[outcome] += 1
        if problem is not None:
            self.amiss.append(problem)

    def outcomes(self) -> str:
        """Outcomes and how often each came."""
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.seen.items()))


def start(words: tuple[str, ...], **changes: str | None) -> subprocess.Popen[str]:
    """A command in a process of its own; ``changes`` to the environment, None to leave a name out."""
    environment = {name: value for name, value in {**os.environ, "PYTHONPATH": str(ROOT), **changes}.items() if value is not None}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", MAIN, *words], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int | None, str]:
    """Status and messages; None where it hung, and was killed."""
    try:
        said = process.communicate(timeout=LONGEST_S)[1]
        return process.returncode, said
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[1]


def words_of(command: Command, target: Path) -> tuple[str, ...]:
    return tuple(str(target) if word == "OUT" else word for word in command.words)


def kills(command: Command, folder: Path, rng: random.Random, count: int) -> list[Trial]:
    """Send each signal at random moments; then let it end, which clears what was left."""
    target = folder / command.target
    if command.before is not None:
        command.before(target)
    began_s = time.perf_counter()
    status, said = finish(start(words_of(command, target)))
    length_s = time.perf_counter() - began_s
    whole = Trial(command.name, "runs")
    whole.note("whole", problem(command, target, status == 0, f"status {status}: {said}"))
    trials = [whole]
    for number in SIGNALS:
        trial = Trial(command.name, f"{number.name} at random moments")
        for _ in range(count):
            if command.before is None:
                remove(target)
            process = start(words_of(command, target))
            time.sleep(rng.uniform(0.05, length_s))
            process.send_signal(number)
            status, said = finish(process)
            fits = status in (0, -number, 128 + number) and "Traceback" not in said
            was_there = target.exists()
            trial.note("whole" if was_there else "not there", problem(command, target, fits, f"status {status}: {said[-300:]}"))
        trials.append(trial)
    status, said = finish(start(words_of(command, target)))
    left = [item.name for place in (folder, target) if place.is_dir() for item in place.iterdir() if item.name.startswith(SCRATCH)]
    last = Trial(command.name, "the next run clears what was left")
    last.note("clear", problem(command, target, status == 0 and not left, f"status {status}, left {left}: {said[-300:]}"))
    remove(target)
    return [*trials, last]


def problem(command: Command, target: Path, fits: bool, otherwise: str) -> str | None:
    """What is wrong, if anything is."""
    if not fits:
        return otherwise
    try:
        if target.exists():
            command.check(target)
    except Exception as error:
        return f"{command.target} is not whole: {type(error).__name__}: {error}"
    return None


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def full_disks(command: Command, folder: Path) -> list[Trial]:
    """Write where there is no space: one line, status 2, and what was there before stays."""
    with small_disk(folder) as (disk, how, limit):
        target = disk / command.target
        if command.before is not None:
            command.before(target)
        before = sorted(disk.rglob("*"))
        resource_before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource_before[1]))
        try:
            process = start(words_of(command, target))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, resource_before)
        status, said = finish(process)
        trial = Trial(command.name, how)
        lines = said.splitlines()
        fits = status == 2 and lines[-1:] != [] and lines[-1].startswith("error: ") and sorted(disk.rglob("*")) == before
        trial.note("refused", None if fits else f"status {status}, {sorted(disk.rglob('*'))}: {said[-300:]}")
    return [trial]


@contextmanager
def small_disk(folder: Path) -> Iterator[tuple[Path, str, int | None]]:
    """A file system of some kilobytes; or, without the right to mount one, a folder and the limit on files to set."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_KB}k", "tmpfs", disk], capture_output=True).returncode == 0
    try:
        yield (disk, f"on a disk of {DISK_KB} kB", None) if mounted else (disk, f"files of at most {FULL_BYTES} bytes", FULL_BYTES)
    finally:
        if mounted:
            subprocess.run(["umount", disk], check=True)
        shutil.rmtree(disk)


def caches(folder: Path, rng: random.Random) -> list[Trial]:
    """Damage the files of compiled kernels, one at a time; and compile in two processes at once."""
    cache = folder / "cache"
    trials = []
    together = Trial("compiled kernels", "two processes compile at once")
    for process in [start(TINY, NUMBA_CACHE_DIR=str(cache)) for _ in range(2)]:
        status, said = finish(process)
        together.note("ran", None if status == 0 else f"status {status}: {said[-300:]}")
    trials.append(together)
    for name, damage in DAMAGES.items():
        trial = Trial("compiled kernels", name)
        for file in sorted(rng.sample(sorted(cache.rglob("*.nb[ic]")), 2)):
            whole = file.read_bytes()
            file.write_bytes(damage(whole, rng))
            status, said = finish(start(TINY, NUMBA_CACHE_DIR=str(cache)))
            fits = status == 0 and "Traceback" not in said
            trial.note(
                "compiled anew" if "damaged" in said else "ran", None if fits else f"{file.name}, status {status}: {said[-300:]}"
            )
        trials.append(trial)
    return trials


def flipped(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(8):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "emptied": lambda content, rng: b"",
    "cut in half": lambda content, rng: content[: len(content) // 2],
    "bits flipped": flipped,
    "of zeros": lambda content, rng: bytes(len(content)),
}


def homes(folder: Path) -> list[Trial]:
    """Homes in which nothing can be written, with the package where it is, which then keeps no cache either."""
    trial = Trial("home folder", "cannot be written, or is none")
    clear = dict.fromkeys(("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR"))
    for home in ("/proc/none", "/dev/null", None):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            words = (*TINY, "--out", str(Path(place) / "run"))
            status, said = finish(start(words, HOME=home, **clear))
            fits = status == 0 and "Traceback" not in said and (Path(place) / "run" / "scenario.json").exists()
            trial.note("ran", None if fits else f"HOME={home}, status {status}: {said[-300:]}")
    return [trial]


FORK = """
import os, sys
from sageserve_env.env import VectorFleetEnv
env = VectorFleetEnv(8)
env.reset(seed=0)
actions = env.action_space.sample()
env.step(actions)
child = os.fork()
env.step(actions)
if child == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def forks() -> list[Trial]:
    """Fork a vector environment that has stepped, and step both."""
    trial = Trial("vector environment", "forked after a step")
    for _ in range(3):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-c", FORK]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        status, said = finish(process)
        if status is None:
            os.killpg(process.pid, signal.SIGKILL)
        trial.note("stepped", None if status == 0 else f"status {status}: {said[-300:]}")
    return [trial]
