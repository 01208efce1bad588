"""Tutorials: short, all in the index, and the notebook is its page."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from tests.docs.pages import ROOT, TUTORIALS, ids

INDEX = ROOT / "docs" / "tutorials" / "README.md"
LESSONS = [page for page in TUTORIALS if page != INDEX]
NOTEBOOK = INDEX.with_name("train_on_mini.ipynb")


@pytest.fixture(scope="module")
def maker():
    spec = spec_from_file_location("make_notebook", ROOT / "docs" / "make_notebook.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def test_the_index_names_every_tutorial():
    text = INDEX.read_text(encoding="utf-8")
    assert [page.name for page in [*LESSONS, NOTEBOOK] if f"]({page.name})" not in text] == []


@pytest.mark.parametrize("page", LESSONS, ids=ids)
def test_tutorials_are_short(page):
    assert 60 <= len(page.read_text(encoding="utf-8").splitlines()) <= 130


def test_the_notebook_is_the_page(maker, notebook):
    """``python docs/make_notebook.py`` makes it."""
    made = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    assert made == maker.cells(maker.PAGE.read_text(encoding="utf-8"))
    assert {"%%writefile", "%%sh", "import"} <= {source.split()[0] for kind, source in made if kind == "code"}


def test_the_notebook_was_run_and_is_small(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} == {"stream"}
    assert NOTEBOOK.stat().st_size < 200_000
    assert not re.search(r"/(home|root|tmp|work)/", NOTEBOOK.read_text(encoding="utf-8"))
