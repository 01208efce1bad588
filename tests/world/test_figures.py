import sys

import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import golden_world, load_world, plot_profiles, published


@pytest.mark.parametrize(
    "world", [published(), golden_world({"bloom-176b": 1}), load_world("modern")], ids=lambda world: world.name
)
def test_a_picture_is_drawn(world, tmp_path):
    pytest.importorskip("matplotlib")
    path = plot_profiles(world, tmp_path / "profiles.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_an_unknown_picture_format_is_named(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match=r"profiles\.xlsx' is no picture format"):
        plot_profiles(published(), tmp_path / "profiles.xlsx")


def test_without_matplotlib_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"sageserve-env\[plots\]"):
        plot_profiles(published(), tmp_path / "profiles.png")
