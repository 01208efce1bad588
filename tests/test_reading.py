"""A file of JSON: what it holds, or one error that names it and the remedy."""

import pytest

from sageserve_env.errors import InputError
from sageserve_env.files.reading import read_json


def test_what_it_holds(tmp_path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, "é"]}', encoding="utf-8")
    assert read_json(tmp_path / "a.json", "give another") == {"a": [1, "é"]}


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 200_000])
def test_what_is_none_is_refused(tmp_path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.json' is no JSON; give another"):
        read_json(tmp_path / "a.json", "give another")


def test_what_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"cannot be read .*; give another"):
        read_json(tmp_path / "nowhere.json", "give another")
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path, "give another")
