"""Pictures of evaluations: one of each kind, with and without anchors, and of policies side by side."""

import pytest

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.result import figures
from sageserve_env.evaluation.locked.result.record import Evaluation
from tests.evaluation.locked.test_summary import row

HEAD = {"env": "SageServe/Mini-v0", "protocol": "v1", "held_out": 4, "policy": {"given": "x.py:A", "is_bound": False}}


def evaluation(name: str, anchored) -> Evaluation:
    rows = [row(day, variant, 50.0 + variant, late=variant, anchored=anchored) for day in ("a", "b") for variant in (0, 7)]
    return Evaluation({**HEAD, "policy": {"given": name, "is_bound": False}}, rows)


@pytest.mark.parametrize("anchored", [None, (100.0, 60.0)])
def test_each_picture_is_drawn(tmp_path, anchored) -> None:
    both = [evaluation("/folder/x.py:A", anchored), evaluation("/folder/x.py:A:sampled=true", anchored)]
    drawn = figures.draw_evaluations(both, tmp_path / "new")
    assert [path.name for path in drawn] == list(figures.NAMES)
    assert all(path.stat().st_size > 5000 for path in drawn)


def test_a_profile_goes_from_all_to_none() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figures.draw_profile(figure, [evaluation("A", (100.0, 60.0))])
    (line, *_) = figure.axes[0].get_lines()
    assert (line.get_ydata()[0], line.get_ydata()[-1]) == (100.0, 0.0)
    assert line.get_xdata()[line.get_ydata() > 50.0].max() == pytest.approx((100 - 57) / 40, abs=0.02)


def test_hollow_marks_are_episodes_that_missed() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figures.draw_service(figure, [evaluation("A", None)])
    marks = figure.axes[0].collections[0]
    assert [bool(len(face) and face[3]) for face in marks.get_facecolors()] == [True, False, True, False]
    assert marks.get_offsets()[:, 0].tolist() == pytest.approx([100.0, 93.0, 100.0, 93.0])


def test_without_episodes_there_is_no_picture(tmp_path) -> None:
    assert figures.draw_evaluations([Evaluation(HEAD)], tmp_path / "none") == []


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_played(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        figures.require_figures(tmp_path / "file" / "inside")
