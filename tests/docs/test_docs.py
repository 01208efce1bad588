"""The documentation does what it says: its commands and its Python run, page by page, in order, in one folder."""

import json
import re

import pytest

from tests.docs.pages import PAGES, ROOT, ids, play

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder to write in that looks like a checkout, and whose modules can be imported."""
    for name in ("tests", "examples"):
        (tmp_path / name).symlink_to(ROOT / name, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_blocks_run(page, checkout, capsys, monkeypatch):
    play(page, capsys, monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page):
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_every_named_workload_and_world_is_documented():
    from sageserve_env.workload import CATALOG
    from sageserve_env.world import PRESETS

    for page, names in (("workloads.md", CATALOG), ("worlds.md", PRESETS)):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert [name for name in names if f"`{name}`" not in text] == []


def test_every_problem_and_reward_is_documented():
    from sageserve_env.env.rewards import REWARDS
    from sageserve_env.registration import IDS

    cards, environments = ((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("scenarios.md", "environments.md"))
    for name, env_id in IDS.items():
        assert f"## {env_id}\n" in cards
        assert f"<!-- scores of {name} -->\n" in cards
        assert f"[`{env_id}`](scenarios.md#{env_id.lower().replace('/', '')})" in environments
    assert [name for name in REWARDS if f"| `{name}`" not in environments] == []


def test_every_knob_and_array_is_documented():
    from dataclasses import fields

    from sageserve_env.sim import Knobs
    from sageserve_env.sim.state import STATE_FIELDS

    text = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    names = [*(field.name for field in fields(Knobs)), *STATE_FIELDS]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_assumption_has_its_name():
    """Dotted names in the table of assumptions are there to be changed."""
    from importlib import import_module

    from sageserve_env.world import load_world

    text = (ROOT / "docs" / "not-modelled.md").read_text(encoding="utf-8").partition("## Assumptions")[2]
    world = load_world("published")
    for name in re.findall(r"`([a-z_0-9]+(?:\.[a-zA-Z_0-9]+)+)`", text):
        head, _, tail = name.partition(".")
        if hasattr(world, head) and not tail.startswith(("presets", "profiles", "measurements")):
            assert hasattr(getattr(world, head), tail), name
        else:
            module, _, attribute = name.rpartition(".")
            assert hasattr(import_module(f"sageserve_env.{module}"), attribute), name


def test_the_table_of_observations_is_the_environments():
    """``python docs/make_observation_tables.py`` writes it."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("make_observation_tables", ROOT / "docs" / "make_observation_tables.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.table() in (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")


def test_the_readmes_finding_is_the_reports():
    """Hours, savings and latency of its section on validation, from the report's JSON."""
    rows = json.loads((ROOT / "docs" / "reproduction" / "results.json").read_text(encoding="utf-8"))
    ours, paper = ({row["row"]: row[side] for row in rows} for side in ("ours", "paper"))
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").partition("## Validation")[2].split())
    strategies = ("reactive", "lt-i", "lt-u", "lt-ua")
    for values, measure in ((ours, "peak"), (paper, "peak"), (ours, "mean")):
        *firsts, last = (f"{values[f'measured/{name}/hours-{measure}']:.0f}" for name in strategies)
        assert f"{', '.join(firsts)} and {last}" in text
    changes = [round(ours[f"measured/{name}/change-mean"]) for name in strategies[1:]]
    assert "it is {}, {} and {:+} % of the bill".format(*changes).replace("-", "\u2212") in text
    saved = [-ours[f"written/h100/{name}/change-mean"] for name in strategies[1:]]
    assert min(saved) >= 10
    assert max(saved) <= 11
    reactive_s, *others_s = (ours[f"written/h100/{name}/ttft-p90"] for name in strategies)
    assert {f"{value:.1f}" for value in others_s} == {"4.6"}
    assert f"4.6 s instead of {reactive_s:.1f} s" in text
