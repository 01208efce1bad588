"""The table of tools is true to the tests, to the versions that are installed, and to the groups that run."""

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.count("|") == 6][2:]


def load_run():
    spec = spec_from_file_location("compatibility_run", ROOT / "compatibility" / "run.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


GROUPS = load_run().GROUPS


def pins(lines) -> set[str]:
    return {line.partition("==")[2].partition(";")[0].strip() for line in lines if "==" in line}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_names_a_test_and_the_version_that_it_runs_with(row):
    _, version, _, test, by = row
    assert (ROOT / test.strip("`")).exists()
    if by == "CI":
        assert test.startswith("`tests/")
        assert version in pins((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    else:
        group = GROUPS[by.strip("`")]
        assert test.strip("`") in group.tests
        assert version in pins(group.tools)


def test_every_group_and_every_heavy_test_has_a_row():
    assert {row[4].strip("`") for row in ROWS} == {"CI", *GROUPS}
    heavy = {path.relative_to(ROOT).as_posix() for path in (ROOT / "compatibility").glob("test_*.py")}
    assert heavy == {test for group in GROUPS.values() for test in group.tests if test.startswith("compatibility/")}


def test_blocks_of_heavy_tools_are_run_by_their_groups():
    label = re.compile(r"^```python (\w+)[\w-]*$", re.MULTILINE)
    for page in (ROOT / "docs").glob("*.md"):
        for tool in label.findall(page.read_text(encoding="utf-8")):
            assert f'"{page.name}"' in (ROOT / "compatibility" / f"test_{tool}.py").read_text(encoding="utf-8")
