"""Names are text: shown as they are, wherever they stand, or refused with one line."""

import csv

import pytest
import yaml

from sageserve_env.errors import InputError
from sageserve_env.world import dump_world, load_world, parse_world

ODD = [
    "[red]red[/red]",
    "[/]",
    "a,b",
    'say "no"',
    "it's",
    "$x$",
    "$^{",
    "_hidden",
    ":smile:",
    "日本",
    "a\\b",
    "x" * 100,
    "1",
    "null",
    "%s{}",
    "#1",
]
REFUSED = ["", " a", "a ", "a|b", "a\nb", "a\tb", "\x1b[31mred", "a\x00b", "a\u202eb", "a\u200bb", "x" * 101]


def world_of(name):
    """A world in which everything that may has this name, on one model and two regions."""
    measured = load_world("published").models[0]
    world = yaml.safe_load(dump_world(load_world("published")))
    world["name"] = name
    world["regions"] = [{"name": name, "vm_capacity": {name: 9}}, {"name": "b", "vm_capacity": {name: 9}}]
    world["latency_s"] = [[0.0, 0.1], [0.1, 0.0]]
    world["vm_types"] = [{**world["vm_types"][0], "name": name}]
    model = next(model for model in world["models"] if model["name"] == measured.name)
    world["models"] = [{**model, "name": name, "profiles": {name: next(iter(model["profiles"].values()))}}]
    world["pools"] = [{"name": name, "tiers": ["IW-F", "IW-N", "NIW"], "instances": {name: 2}}]
    return yaml.safe_dump(world, allow_unicode=True)


@pytest.mark.parametrize("name", ODD)
def test_names_are_shown_as_they_are(run, tmp_path, name):
    (tmp_path / "w.yaml").write_text(world_of(name), encoding="utf-8")
    world = load_world(tmp_path / "w.yaml")
    assert parse_world(dump_world(world)) == world
    shown = run("world", "show", tmp_path / "w.yaml")
    assert shown.status == 0
    assert name in "".join(shown.out.split("\n")) or len(name) > 50
    assert f"'{name}'" in run("world", "check", tmp_path / "w.yaml").out


@pytest.mark.parametrize("name", ["[red]a[/]", "$a$b", "_hidden"])
def test_a_run_and_its_figures_with_odd_names(run, tmp_path, name):
    (tmp_path / "w.yaml").write_text(world_of(name), encoding="utf-8")
    with (tmp_path / "t.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["arrival_s", "model", "region", "tier", "prompt_tokens", "output_tokens"])
        rows.writerows([k, name, name, "IW-F", 100, 10] for k in range(5))
    ran = run("simulate", "--trace", tmp_path / "t.csv", "--world", tmp_path / "w.yaml", "--out", tmp_path / name.replace("/", ""))
    assert (ran.status, ran.err) == (0, "")
    assert name in ran.out
    assert (tmp_path / name.replace("/", "") / "day.png").exists()
    described = run("workload", "describe", tmp_path / "t.csv", "--world", tmp_path / "w.yaml", "--out", tmp_path / "d.png")
    assert described.status == 0
    assert name in described.out


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused(refused, tmp_path, name):
    (tmp_path / "w.yaml").write_text(world_of(name), encoding="utf-8")
    assert "is not a name" in (line := refused("world", "check", tmp_path / "w.yaml")) or "too long" in line
    assert line.isprintable()


@pytest.mark.parametrize(("first", "second"), [("West", "west"), ("straße", "STRASSE"), ("é", "e\u0301"), ("fi", "ﬁ")])
def test_names_that_read_alike(first, second):
    text = f"extends: published\nregions:\n- {{name: {first}, vm_capacity: {{}}}}\n- {{name: {second}, vm_capacity: {{}}}}\n"
    with pytest.raises(InputError, match="reads like"):
        parse_world(f"{text}latency_s: [[0, 0], [0, 0]]\n")


@pytest.mark.parametrize("name", ["no\nfile.yaml", "\x1b[31m.yaml", "\udcff.yaml", "[red].yaml", "x" * 5000 + ".yaml"])
def test_names_of_files_and_arguments(refused, name):
    for arguments in (
        ("world", "check"),
        ("simulate", "o365-hour", "--world"),
        ("simulate", "--policy"),
        ("world", "show"),
        ("compare",),
    ):
        line = refused(*arguments, name)
        assert line.isprintable()
        assert len(line) < 310
