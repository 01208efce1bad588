import sys

import pytest

from baselines import ReactivePolicy, StaticPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs.figures import plot_day
from sageserve_env.scenarios import Scenario
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import published, siloed


def run(world, policy, workload, **options):
    return run_episode(Scenario("slice", world, workload, **options), policy, resolution_s=60.0)


@pytest.fixture(scope="module")
def result():
    return run(published(instances=4), ReactivePolicy(), O365Week(start_s=126_000.0, duration_s=900.0))


def test_a_picture_is_drawn(result, tmp_path):
    pytest.importorskip("matplotlib")
    assert plot_day(result, tmp_path / "day.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_requests_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    idle = run(siloed(), StaticPolicy(), O365Week(duration_s=1.0, scale=1e-9), duration_s=1200.0)
    assert plot_day(idle, tmp_path / "idle.svg").read_text().startswith("<?xml")


def test_an_unknown_picture_format_is_named(result, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match=r"day\.xlsx' is no picture format"):
        plot_day(result, tmp_path / "day.xlsx")


def test_without_matplotlib_the_extra_is_named(result, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"sageserve-env\[plots\]"):
        plot_day(result, tmp_path / "day.png")
