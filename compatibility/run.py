"""Try the environments with other people's tools, each group in an environment of its own.

``make compatibility`` runs every group, ``make compatibility GROUPS="rllib minari"`` some of them. A group is installed once and
again when its requirements change; its output goes to ``runs/compatibility/GROUP.log`` and its result to ``results.json``
beside it, which later runs add to. docs/compatibility.md is the table of what is tested.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "runs" / "compatibility"
CONSTRAINTS = ROOT / "constraints.txt"

TORCH = next(line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
"""Pinned, so that the wheel is taken that the rest of the project is tested with."""


@dataclass(frozen=True)
class Group:
    """Tools that are installed and tested together.

    Attributes:
        tools: Requirements with exact versions.
        tests: Files and folders for pytest.
        python: Version of the interpreter.
        package: This package, with the extras that the tests need.
        more: What else the tests need.
        in_spite_of: Requirements installed afterwards with this package, against the pins of a tool.
    """

    tools: tuple[str, ...]
    tests: tuple[str, ...]
    python: str = "3.11"
    package: str = "."
    more: tuple[str, ...] = ()
    in_spite_of: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the packages whose versions count."""
        tools = [tool.partition("==")[0].partition("[")[0] for tool in self.tools]
        return list(dict.fromkeys([*tools, "gymnasium", "numpy"]))

    @property
    def installs(self) -> list[list[str]]:
        """Requirements for ``pip install``, call by call."""
        tools, package = [*self.tools, *self.more, "pytest"], ["-e", self.package]
        return [tools, [*self.in_spite_of, *package]] if self.in_spite_of else [tools + package]


def core(python: str, gymnasium: str) -> Group:
    """The environments' own tests, PyTorch's apart, on another Python and Gymnasium."""
    return Group(
        (f"gymnasium=={gymnasium}", PETTINGZOO, MO_GYMNASIUM),
        ("tests/env", "tests/adapters", "tests/scenarios"),
        python,
        package=".[video,data]",
        more=("hypothesis", "pytest-xdist", "scipy"),
    )


PETTINGZOO, MO_GYMNASIUM, SB3, RAY = "pettingzoo==1.27.0", "mo-gymnasium==1.3.2", "stable-baselines3==2.9.2", "ray==2.60.0"

GROUPS = {
    "python310": core("3.10", gymnasium="1.2.0"),
    "python313": core("3.13", gymnasium="1.4.0"),
    "ray": Group((RAY,), ("compatibility/test_ray.py",)),
    "rllib": Group(("ray[rllib]==2.60.0", TORCH, PETTINGZOO), ("compatibility/test_rllib.py",)),
    "torchrl": Group(("torchrl==0.14.1", TORCH, PETTINGZOO), ("compatibility/test_torchrl.py",)),
    "tianshou": Group(("tianshou==2.0.1", TORCH), ("compatibility/test_tianshou.py",)),
    "d3rlpy": Group(
        ("d3rlpy==2.8.1", TORCH), ("compatibility/test_d3rlpy.py",), package=".[datasets]", in_spite_of=("gymnasium==1.4.0",)
    ),
    "supersuit": Group(("supersuit==3.11.0", TORCH, PETTINGZOO, SB3), ("compatibility/test_supersuit.py",)),
    "minari": Group(("minari[create,hdf5]==0.5.4",), ("compatibility/test_minari.py",), more=("pillow",)),
    "zoo": Group(("rl_zoo3==2.9.2", TORCH, SB3), ("compatibility/test_rl_zoo3.py",)),
    "morl": Group(("morl-baselines==1.3.0", TORCH, MO_GYMNASIUM), ("compatibility/test_morl_baselines.py",)),
}
"""d3rlpy pins Gymnasium 1.0.0, below what this package needs, and runs on 1.4.0 all the same."""


def main() -> int:
    """Run the groups that are asked for; 1 when a test failed or a group could not be installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; all by default")
    parser.add_argument("--venvs", type=Path, default=ROOT / ".venv-compatibility", help="folder of the environments")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.groups if name not in GROUPS]:
        parser.error(f"there is no group {unknown[0]!r}; choose from {', '.join(GROUPS)}")
    RUNS.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for name in arguments.groups or GROUPS:
        outcome = run(name, GROUPS[name], arguments.venvs / name)
        outcomes.append(outcome)
        keep(name, outcome)
        print(line(name, outcome), flush=True)
    return int(any(outcome["status"] == "failed" for outcome in outcomes))


def run(name: str, group: Group, venv: Path) -> dict[str, object]:
    """Install and test a group: its status, versions, counts of tests, and seconds."""
    python = interpreter(group.python)
    if python is None:
        return {"status": "skipped", "why": f"there is no python{group.python} on this machine"}
    log = RUNS / f"{name}.log"
    print(f"==> {name}: {log.relative_to(ROOT)}", flush=True)
    with log.open("w", encoding="utf-8") as output:
        if not install(group, python, venv, output):
            return {"status": "failed", "why": f"the installation failed; see {log.relative_to(ROOT)}"}
        started = time.monotonic()
        counts = test(name, group, venv, output)
    status = "passed" if counts["passed"] and not counts["failed"] else "failed"
    return {"status": status, **counts, "seconds": round(time.monotonic() - started), "versions": versions(group, venv)}


def interpreter(version: str) -> str | None:
    """A Python of a version that runs: this one, one on the path, or one of pyenv's."""
    pyenv = sorted(str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    here = [sys.executable] if sys.version.startswith(f"{version}.") else []
    for candidate in (*here, shutil.which(f"python{version}"), *pyenv):
        if candidate and subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def install(group: Group, python: str, venv: Path, output: object) -> bool:
    """Make a group's environment, unless it is there."""
    wanted = hashlib.sha256(json.dumps(group.installs).encode() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = venv / "installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return True
    calls = [] if (venv / "bin" / "python").exists() else [[python, "-m", "venv", str(venv)]]
    calls += [[str(venv / "bin" / "python"), "-m", "pip", "install", *requirements] for requirements in group.installs]
    for call in calls:
        if subprocess.run(call, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False).returncode != 0:
            return False
    stamp.write_text(wanted, encoding="utf-8")
    return True


def test(name: str, group: Group, venv: Path, output: object) -> dict[str, int]:
    """Run a group's tests: how many passed, failed and were skipped."""
    report = RUNS / f"{name}.xml"
    report.unlink(missing_ok=True)
    call = [str(venv / "bin" / "python"), "-m", "pytest", *group.tests, f"--junitxml={report}"]
    # Other people's tools may warn; of their own tests there are few.
    call += ["-W", "default"] if group.python == "3.11" else ["-n", "auto"]
    subprocess.run(call, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False)
    if not report.exists():
        return {"passed": 0, "failed": 1, "skipped": 0}
    suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, failures, errors, skipped = (int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped"))
    return {"passed": tests - failures - errors - skipped, "failed": failures + errors, "skipped": skipped}


def versions(group: Group, venv: Path) -> dict[str, str]:
    """Versions of Python and of a group's packages, as installed."""
    program = (
        "import json, platform, sys; from importlib.metadata import version;"
        "print(json.dumps({'python': platform.python_version()} | {name: version(name) for name in sys.argv[1:]}))"
    )
    call = [str(venv / "bin" / "python"), "-c", program, *group.names]
    return json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)


def keep(name: str, outcome: dict[str, object]) -> None:
    """Write a group's outcome beside those of the other groups."""
    path = RUNS / "results.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(results | {name: outcome}, indent=1) + "\n", encoding="utf-8")


def line(name: str, outcome: dict[str, object]) -> str:
    """A group's outcome in words."""
    if "why" in outcome:
        return f"{name}: {outcome['status']}: {outcome['why']}"
    counts = ", ".join(f"{outcome[key]} {key}" for key in ("passed", "failed", "skipped"))
    installed = " ".join(f"{package} {version}" for package, version in outcome["versions"].items())  # type: ignore[attr-defined]
    return f"{name}: {outcome['status']}: {counts} in {outcome['seconds']} s ({installed})"


if __name__ == "__main__":
    sys.exit(main())
