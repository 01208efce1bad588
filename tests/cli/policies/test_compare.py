"""``sageserve compare``, end to end, with policies of this package and of another."""

import csv
import json
import sys

import pytest

SLICE = ("compare", "o365-hour", "--hours", "0.05", "--scale", "0.2", "--control-interval", "60")

DUMMY = """
from dataclasses import dataclass
from sageserve_env.sim import Knobs

@dataclass
class Held:
    extra: int = 0
    name = "held"

    def reset(self, scenario, rng):
        self.knobs = Knobs.static(scenario.world)
        self.knobs.floor += self.extra
        self.knobs.cap += self.extra

    def decide(self, telemetry):
        return self.knobs
"""


@pytest.fixture
def another_package(tmp_path, monkeypatch):
    """An installed package that offers the policy ``held``."""
    folder = tmp_path / "site"
    info = folder / "another_dummy-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "another_dummy.py").write_text(DUMMY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another-dummy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sageserve.policies]\nheld = another_dummy:Held\n")
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("another_dummy", None)


def rows(folder):
    with (folder / "compare.csv").open(encoding="utf-8") as file:
        return {row["policy"]: row for row in csv.DictReader(file)}


def test_it_shows_a_table_and_writes_files(run, tmp_path):
    out = tmp_path / "runs" / "first"
    ran = run(*SLICE, "--policies", "static:instances=2,siloed:interactive=2:non-interactive=1,reactive", "--out", out)
    assert ran.status == 0
    assert ran.err.split() == ["static:instances=2", "siloed:interactive=2:non-interactive=1", "reactive"]
    assert "Policies on the same traffic" in ran.out
    assert "…" not in ran.out
    folders = {"static_instances=2", "siloed_interactive=2_non-interactive=1", "reactive"}
    assert {path.name for path in out.iterdir()} == {"compare.csv", "compare.png", *folders}
    arrived = {json.loads((out / name / "metrics.json").read_text())["service"][-1]["arrived"] for name in folders}
    assert len(arrived) == 1
    assert list(rows(out)) == ["static:instances=2", "siloed:interactive=2:non-interactive=1", "reactive"]


def test_it_runs_on_the_world_modern_and_shows_its_time_per_token(run):
    ran = run("compare", "modern-hour", "--world", "modern", "--hours", "0.01", "--policies", "static,reactive")
    assert (ran.status, "TPOT" in ran.out, "…" in ran.out) == (0, True, False)


def test_runs_repeat_and_quiet_shows_nothing(run, tmp_path):
    for name in "ab":
        ran = run(
            *SLICE, "--policies", "reactive,chiron:interactive=2:mixed=1:batch=1", "--seed", "4", "-q", "--out", tmp_path / name
        )
        assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / "a" / "compare.csv").read_bytes() == (tmp_path / "b" / "compare.csv").read_bytes()
    assert (tmp_path / "a" / "compare.png").read_bytes() == (tmp_path / "b" / "compare.png").read_bytes()


def test_a_policy_of_another_package(run, tmp_path, another_package):
    assert run(*SLICE, "--policies", "static,held,held:extra=1", "--out", tmp_path / "a").status == 0
    found = rows(tmp_path / "a")
    assert found["held"]["vm_usd"] == found["static"]["vm_usd"]
    assert float(found["held:extra=1"]["vm_usd"]) > float(found["static"]["vm_usd"])


@pytest.mark.parametrize(
    ("policies", "text"),
    [
        ("static,reactiv", "did you mean 'reactive'?"),
        ("static:size=3", "it takes: instances, admission_order"),
        ("static:instances", "has no value"),
        ("static,static", "named twice"),
        (" , ", "names no policy"),
        ("reactive,static:instances=500", "static:instances=500: "),
        ("reactive,static:instances=many", "instances = "),
        ("reactive,siloed:interactive=50", "siloed:interactive=50: "),
        ("reactive,best-static:smallest=0", "smallest = 0 is out of range"),
        ("reactive,chiron:admission_order=LIFO", "admission_order = 'LIFO' is not known"),
    ],
)
def test_bad_policies_are_refused_before_any_work(refused, tmp_path, monkeypatch, policies, text):
    monkeypatch.setattr("sageserve_env.evaluation.runs.compare.run_episode", lambda *args, **kwargs: pytest.fail("it ran"))
    assert text in refused(*SLICE, "--policies", policies, "--out", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_other_bad_input(refused, tmp_path):
    assert "--seed = -1" in refused(*SLICE, "--seed", "-1")
    assert "o365-howr" in refused("compare", "o365-howr")
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "not an empty folder" in refused(*SLICE, "--out", tmp_path)
    assert "not an empty folder" in refused(*SLICE, "--out", tmp_path / "thesis.tex")
    assert "cannot be written" in refused(*SLICE, "--out", tmp_path / "thesis.tex" / "x")


def test_force_writes_beside_other_things(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run(*SLICE, "--policies", "static", "--out", tmp_path, "--force").status == 0
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex", "compare.csv", "compare.png", "static"}
