"""Croissant metadata: what is shipped is what the files are."""

import json
from hashlib import sha256

import pytest

from sageserve_env.datasets import traces
from sageserve_env.datasets.croissant import columns_of, type_of


def test_what_is_shipped_is_of_the_files_as_they_are() -> None:
    """If not: python docs/make_croissant.py."""
    assert json.loads(traces.FILE.read_text()) == traces.trace_metadata()


def test_every_file_is_there_with_its_digest_and_a_licence() -> None:
    facts = json.loads(traces.FILE.read_text())
    files = {each["contentUrl"]: each for each in facts["distribution"]}
    data = [path for path in traces.PACKAGE.glob("w*/data/**/*") if traces.is_data(path)]
    assert set(files) == {path.relative_to(traces.PACKAGE).as_posix() for path in data}
    assert len(files) > 20
    for path in data:
        each = files[path.relative_to(traces.PACKAGE).as_posix()]
        assert each["sha256"] == sha256(path.read_bytes()).hexdigest()
        assert each["license"] in facts["license"]


def test_fields_are_the_columns() -> None:
    facts = json.loads(traces.FILE.read_text())
    sets = {each["@id"]: each["field"] for each in facts["recordSet"]}
    fields = {each["source"]["extract"]["column"]: each["dataType"] for each in sets["workload/data/azure2023/azure2023_code"]}
    assert fields == {"t_s": "sc:Float", "prompt_tokens": "sc:Integer", "output_tokens": "sc:Integer"}
    assert all(each["conformsTo"] == "http://mlcommons.org/croissant/1.0" for each in [facts])


@pytest.mark.parametrize(
    ("cells", "kind"),
    [(["1", "-2", ""], "sc:Integer"), (["1", "2.5"], "sc:Float"), (["1", "x"], "sc:Text"), ([""], "sc:Text"), ([], "sc:Text")],
)
def test_types_are_told_from_cells(cells, kind: str) -> None:
    assert type_of(cells) == kind


def test_only_tables_have_columns(tmp_path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.csv").write_text("# note\nx,y\n1,z\n")
    assert columns_of(tmp_path / "a.json") == {}
    assert columns_of(tmp_path / "b.csv") == {"x": "sc:Integer", "y": "sc:Text"}
