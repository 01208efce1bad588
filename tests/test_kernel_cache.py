"""Compiled kernels on disk: damaged files are compiled anew, unwritable folders done without, and both are said."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba import njit

from sageserve_env import kernel_cache
from sageserve_env.kernel_cache import use_cache

ROOT = Path(__file__).resolve().parents[1]


def double(x):
    return 2 * x


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Makes the kernel anew, as a new process would; gives it and the number of times that it was compiled."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def make():
        kernel_cache.say.cache_clear()
        made = njit(double)
        assert use_cache(made)
        return made

    return make


def compiled(made):
    """Whether a call had to compile."""
    assert made(21) == 42
    return sum(made.stats.cache_misses.values()) > 0


def test_a_kernel_is_compiled_once(kernel):
    assert compiled(kernel())
    assert not compiled(kernel())


def flipped(content, seed):
    rng, data = random.Random(seed), bytearray(content)
    for _ in range(3):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "one byte less": lambda content: content[:-1],
    "text": lambda content: b"hello\n" * 100,
    "zeros": lambda content: bytes(len(content)),
    **{f"bits {seed}": lambda content, seed=seed: flipped(content, seed) for seed in range(5)},
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_compiled_anew(kernel, tmp_path, capsys, suffix, damage):
    assert compiled(kernel())
    (file,) = tmp_path.rglob(f"*.{suffix}")
    file.write_bytes(damage(file.read_bytes()))
    again = kernel()
    assert again(21) == 42
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "is damaged" in said
    assert "compiling anew" in said
    assert not compiled(kernel())


def test_machine_code_that_was_damaged_does_not_run(kernel, tmp_path, capsys):
    compiled(kernel())
    (file,) = tmp_path.rglob("*.nbc")
    content = file.read_bytes()
    start = content.index(b"\x7fELF") if b"\x7fELF" in content else len(content) // 2
    file.write_bytes(content[: start + 200] + bytes(100) + content[start + 300 :])
    assert compiled(kernel())
    assert "is damaged" in capsys.readouterr().err


def test_a_missing_file_and_a_folder_in_its_place(kernel, tmp_path, capsys):
    compiled(kernel())
    for suffix in ("nbc", "nbi"):
        (file,) = tmp_path.rglob(f"*.{suffix}")
        file.unlink()
        assert compiled(kernel())
    (file,) = tmp_path.rglob("*.nbi")
    file.unlink()
    file.mkdir()
    assert compiled(kernel())
    assert "cannot be kept" in capsys.readouterr().err


def test_a_full_disk_is_done_without(kernel, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    assert compiled(kernel())
    assert "cannot be kept" in capsys.readouterr().err


def test_an_unwritable_folder_is_no_cache(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    for place in (str(tmp_path / "file" / "x"), "/proc/x", ""):
        monkeypatch.setattr(numba.config, "CACHE_DIR", place)
        made = njit(double)
        assert not use_cache(made)
        assert made(21) == 42


@pytest.mark.parametrize("home", ["/proc/none", None])
def test_without_a_home_the_simulator_loads_and_says_why_it_compiles(home):
    script = "import sageserve_env.sim; from sageserve_env.compile import announce; announce('sim'); announce('sim')"
    env = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
    if home is None:  # a user whom the system does not know
        script = f"from pathlib import Path\ndef home(): raise RuntimeError('none')\nPath.home = home\n{script}"
    else:
        env["HOME"] = home
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.count("\n") == 1
    assert "in every process" in ran.stderr
    assert "set NUMBA_CACHE_DIR" in ran.stderr
