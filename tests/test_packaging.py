"""What the packaging files promise: one version, shipped data, a valid citation, pinned dependencies, a light import."""

import re
import subprocess
import sys
from glob import glob
from pathlib import Path
from typing import Any

import pytest
import yaml

import sageserve_env

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sageserve_env"
HEAVY = ("numba", "pandas", "matplotlib", "pyarrow", "torch")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_version_is_the_same_everywhere(pyproject, citation):
    assert pyproject["project"]["version"] == sageserve_env.__version__
    assert citation["version"] == sageserve_env.__version__


@pytest.mark.parametrize("folder", ["world/data", "workload/data"])
def test_every_data_file_is_packaged(pyproject, folder):
    patterns = pyproject["tool"]["setuptools"]["package-data"]["sageserve_env"]
    packaged = {Path(name) for pattern in patterns for name in glob(pattern, root_dir=PACKAGE, recursive=True)}
    files = {path.relative_to(PACKAGE) for path in (PACKAGE / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert files
    assert files <= packaged


def test_py_typed_is_packaged(pyproject):
    assert (PACKAGE / "py.typed").is_file()
    assert "py.typed" in pyproject["tool"]["setuptools"]["package-data"]["sageserve_env"]


def test_citation_names_the_paper(citation):
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == "sageserve-env"
    assert "10.1145/3771576" in {reference["doi"] for reference in citation["references"]}


def name(requirement: str) -> str:
    """The package of a requirement."""
    return re.split(r"[^\w-]", requirement.replace("_", "-"), maxsplit=1)[0].lower()


def test_the_core_is_light(pyproject):
    project = pyproject["project"]
    assert {name(line) for line in project["dependencies"]} == {"gymnasium", "numba", "numpy", "pyyaml", "rich", "typer"}
    for extra, packages in {"data": {"pandas", "pyarrow"}, "solver": {"highspy", "pulp"}}.items():
        assert {name(line) for line in project["optional-dependencies"][extra]} == packages


def test_make_test_installs_all_that_the_readme_names(pyproject):
    extras = pyproject["project"]["optional-dependencies"]
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| extra |")[2].partition("\n\n")[0]
    named = {extra for line in table.splitlines()[2:] for extra in re.findall(r"`([\w-]+)`", line.split("|")[1])}
    tested = set(re.search(r"sageserve-env\[([^]]+)\]", extras["test"][0])[1].split(","))
    assert named
    assert named <= tested


def test_every_target_of_the_makefile_can_be_made():
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {"demo", "test", "agents"} <= set(targets)
    for target in targets:
        subprocess.run(["make", "-n", target], check=True, cwd=ROOT, capture_output=True)


def test_every_direct_dependency_is_pinned(pyproject):
    project = pyproject["project"]
    wanted = {name(line) for group in (project["dependencies"], *project["optional-dependencies"].values()) for line in group}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {name(line) for line in lines if "==" in line}
    assert wanted - {project["name"]} <= pinned


def test_importing_the_package_is_light():
    code = f"import sys, sageserve_env; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "sageserve_env").glob("[!_]*.py")))
def test_modules_that_all_rooms_use_import_first(module):
    """None of them needs a room that needs it."""
    subprocess.run([sys.executable, "-c", f"import sageserve_env.{module}"], check=True, cwd=ROOT)
