"""Validation against recorded outputs of the authors' simulator: what agrees, what differs, and what cannot be read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.evaluation import self_check
from sageserve_env.evaluation.golden.compare import Comparison, Figure, compare, load
from sageserve_env.evaluation.golden.files import Case, read_case
from sageserve_env.evaluation.golden.run import world_of

GOLDEN = Path(__file__).parents[1] / "golden"
S2 = GOLDEN / "s2_one_instance_poisson50"


@pytest.fixture
def folder(tmp_path):
    """A copy of a case, to be spoilt."""
    return Path(shutil.copytree(S2, tmp_path / "case"))


def edit(path, change):
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")


def with_field(lines, row, column, value):
    """The lines of a CSV file with one value replaced; rows count from 1."""
    fields = lines[row].split(",")
    fields[lines[0].split(",").index(column)] = value
    return [*lines[:row], ",".join(fields), *lines[row + 1 :]]


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("s[123]*")), ids=lambda path: path.name)
def test_exact_cases_agree(case):
    comparison = compare(load(case))
    assert comparison.requests >= 16
    assert comparison.largest_difference_s <= 1e-9
    assert comparison.same_place == 1.0
    assert comparison.agrees


def test_a_fleet_that_scales_agrees_event_by_event():
    # Only their numbers of instances are others: theirs keeps its number where a VM returns to the endpoint that it left.
    comparison = compare(load(GOLDEN / "s4_reactive_burst"))
    assert comparison.largest_difference_s <= 1e-9
    assert all(figure.ours == pytest.approx(figure.theirs, rel=1e-12) for figure in (*comparison.figures, *comparison.instances))
    assert comparison.instances[0] == Figure("moves", 46, 46, 0.05)
    assert comparison.agrees


def test_the_packaged_case_is_the_tested_one():
    for name in ("case.yaml", "trace.csv", "requests.csv"):
        assert (self_check.CASE / name).read_bytes() == (GOLDEN / self_check.CASE.name / name).read_bytes()


def test_the_order_of_requests_csv_does_not_matter(folder):
    edit(folder / "requests.csv", lambda lines: [lines[0], *lines[:0:-1]])
    assert compare(load(folder)).agrees


@pytest.mark.parametrize(("column", "value"), [("completion_s", "99.0"), ("region", "eastus"), ("instance", "1")])
def test_a_difference_is_seen(folder, column, value):
    edit(folder / "requests.csv", lambda lines: with_field(lines, 7, column, value))
    assert not compare(load(folder)).agrees


def test_a_request_that_cannot_be_served_counts_as_a_difference(folder):
    edit(folder / "trace.csv", lambda lines: with_field(lines, 50, "prompt_tokens", "900000"))
    comparison = compare(load(folder))
    assert comparison.largest_difference_s == np.inf
    assert comparison.same_place == pytest.approx(0.98)
    assert not comparison.agrees


def test_one_token_needs_no_decode_start(folder):
    edit(folder / "trace.csv", lambda lines: with_field(lines, 50, "output_tokens", "1"))
    edit(folder / "requests.csv", lambda lines: with_field(lines, 50, "decode_start_s", ""))
    comparison = compare(load(folder))
    assert comparison.same_place == 1.0
    assert np.isfinite(comparison.largest_difference_s)


def test_settings_are_those_of_the_file(folder):
    (folder / "case.yaml").write_text(
        "instances_per_region: {bloom-176b: 2}\nrouting: {utilization_threshold: 0.5, delay_s: 0.25}\n"
        "iteration: {overhead_s: 0.0, mixed_factor: 1.5}\nmax_batch: 8\ncompare: exact\n"
    )
    world = world_of(read_case(folder))
    assert (world.routing.utilization_threshold, world.routing.delay_s) == (0.5, 0.25)
    assert (world.serving.iteration_overhead_s, world.serving.mixed_factor, world.serving.max_batch) == (0.0, 1.5, 8)
    assert world.pools[0].instances == {"bloom-176b": 2}


def test_non_interactive_requests_wait_behind_their_service_level():
    case = Case(Path("x"), {"llama-2-70b": 1}, "distribution", niw_release="on_completion")
    niw = world_of(case, niw_slo_s=101.0).tiers[2]
    assert (niw.slo_s, niw.fcfs_offset_s) == (101.0, 80.0)


def test_a_reactive_case_shows_instances(folder):
    edit(folder / "case.yaml", lambda lines: [line for line in lines if not line.startswith(("scaling", "compare"))])
    with (folder / "case.yaml").open("a") as file:
        file.write("scaling: reactive\ncompare: distribution\n")
    (folder / "scaling.csv").write_text("time_s,region,model,active_after\n30,westus,llama-2-70b,2\n31,westus,llama-2-70b,\n")
    comparison = compare(load(folder))
    assert comparison.is_checked
    assert not comparison.agrees
    moves, whole, *parts = comparison.instances
    assert (moves.theirs, moves.ours) == (1, 0)
    assert 3 < whole.theirs < 4
    assert [part.name for part in parts[:2]] == ["llama-2-70b, 0 to 10 s", "llama-2-70b, 10 to 20 s"]


def test_fixed_fleets_agree_within_five_percent():
    case = Case(Path("x"), {"llama-2-70b": 5}, "distribution")
    assert case.tolerance == 0.05
    assert Comparison(case, 1, 9.0, 0.2, (Figure("TTFT mean", 1.0, 1.049, 0.05),), ()).agrees
    assert not Comparison(case, 1, 9.0, 0.2, (Figure("TTFT mean", 1.0, 1.06, 0.05),), ()).agrees
    assert not Comparison(case, 1, 9.0, 0.2, (Figure("TTFT mean", 1.0, float("nan"), 0.05),), ()).agrees
    assert Comparison(case, 1, 9.0, 0.2, (Figure("TTFT mean", 1.0, 3.0),), (Figure("moves", 0, 0, 0.05),)).agrees
    assert Case(Path("x"), {"llama-2-70b": 5}, "distribution", scaling="reactive").tolerance == 0.02
    assert Case(Path("x"), {"llama-2-70b": 5}, "distribution", niw_release="on_completion").tolerance is None


BAD_CASES = {
    "wheels: 3": "wheels = 3 is not a known field",
    "vm_type: h100": "vm_type = 'h100' is not known",
    "scaling: wild": "scaling = 'wild' is not known",
    "compare: roughly": "compare = 'roughly' is not known",
    "max_batch: 513": "max_batch = 513 is not valid",
    "routing: {delay: 1}": "routing.delay = 1 is not a known field",
    "iteration: {mixed_factor: nan}": "iteration.mixed_factor = 'nan' is not valid",
    "iteration: 3": "iteration 3 is not a mapping",
    "instances_per_region: {gpt: 1}": "instances_per_region.gpt = 1 is not a known field",
    "instances_per_region: {bloom-176b: 0}": "instances_per_region.bloom-176b = 0 is not valid",
    "instances_per_region: {}": "instances_per_region = {} is empty",
    "[1": "cannot be read",
}


@pytest.mark.parametrize(("line", "problem"), BAD_CASES.items())
def test_a_bad_setting_is_named(folder, line, problem):
    key = line.split(":")[0]
    edit(folder / "case.yaml", lambda lines: [*(old for old in lines if not old.startswith(key)), line])
    with pytest.raises(InputError) as error:
        load(folder)
    assert str(folder / "case.yaml") in str(error.value)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["instances_per_region", "compare"])
def test_a_missing_setting_is_named(folder, key):
    edit(folder / "case.yaml", lambda lines: [line for line in lines if not line.startswith(key)])
    with pytest.raises(InputError, match=f"{key} is missing"):
        load(folder)


BAD_ROWS = [
    ("trace.csv", "arrival_s", "-1", "is out of range"),
    ("trace.csv", "arrival_s", "nan", "is out of range"),
    ("trace.csv", "arrival_s", "soon", "is not a number"),
    ("trace.csv", "arrival_s", "0.1", "is earlier than"),
    ("trace.csv", "prompt_tokens", "0", "is out of range"),
    ("trace.csv", "output_tokens", "2.5", "is out of range"),
    ("trace.csv", "model", "gpt", "is not known"),
    ("trace.csv", "tier", "platinum", "is not known"),
    ("trace.csv", "region_order", "westus|mars|eastus", "is not an order of"),
    ("trace.csv", "request_id", "0", "appears twice"),
    ("requests.csv", "request_id", "77", "is not in trace.csv"),
    ("requests.csv", "request_id", "0", "appears twice"),
    ("requests.csv", "region", "mars", "is not known"),
    ("requests.csv", "instance", "x", "is not a number"),
    ("requests.csv", "completion_s", "inf", "is out of range"),
]


@pytest.mark.parametrize(("file", "column", "value", "problem"), BAD_ROWS)
def test_a_bad_value_is_named(folder, file, column, value, problem):
    edit(folder / file, lambda lines: with_field(lines, 9, column, value))
    with pytest.raises(InputError) as error:
        load(folder)
    assert str(error.value).startswith(f"{folder / file} row 9: {column} = '{value}' {problem}")


def test_non_interactive_requests_of_two_levels_are_refused(folder):
    edit(
        folder / "trace.csv",
        lambda lines: with_field(with_field(lines, 3, "tier", "non_interactive"), 4, "tier", "non_interactive"),
    )
    edit(folder / "trace.csv", lambda lines: with_field(lines, 4, "sla_s", "11"))
    with pytest.raises(InputError, match="row 4: sla_s = '11' is not that of"):
        load(folder)


@pytest.mark.parametrize("file", ["case.yaml", "trace.csv", "requests.csv"])
def test_a_missing_or_empty_file_is_named(folder, file):
    (folder / file).write_text("")
    with pytest.raises(InputError, match=file):
        load(folder)
    (folder / file).unlink()
    with pytest.raises(InputError, match=f"{file}: cannot be read"):
        load(folder)


def test_requests_left_out_are_named(folder):
    edit(folder / "requests.csv", lambda lines: lines[:-1])
    with pytest.raises(InputError, match="request_id '49' of trace\\.csv is missing"):
        load(folder)


def test_a_short_row_is_named(folder):
    edit(folder / "trace.csv", lambda lines: [*lines[:5], "5,1.0", *lines[6:]])
    with pytest.raises(InputError, match="row 5: has not the 8 fields"):
        load(folder)


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: is no folder"):
        load(tmp_path / "nowhere")
