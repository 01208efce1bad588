"""The plain reference agrees with the authors' own outputs; without that it would prove nothing."""

import csv
from pathlib import Path

import pytest
import yaml

from tests.reference import authors_rules as authors

GOLDEN = Path(__file__).parents[1] / "golden"
TIMES = ("routed_s", "prefill_start_s", "first_token_s", "decode_start_s", "completion_s")


@pytest.mark.parametrize("folder", sorted(GOLDEN.glob("s*")), ids=lambda folder: folder.name)
def test_it_reproduces_every_request(folder):
    case = yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))
    with (folder / "requests.csv").open(encoding="utf-8", newline="") as file:
        recorded = {int(row["request_id"]): row for row in csv.DictReader(file)}
    served = authors.read_trace(folder / "trace.csv")
    fleet = authors.serve(case["instances_per_region"], served, case["scaling"] == "reactive")
    assert len(served) == len(recorded) > 0
    assert fleet.moves == recorded_moves(folder)
    for request in served:
        row = recorded[request.request_id]
        assert (request.region, request.instance) == (row["region"], int(row["instance"]))
        assert [getattr(request, name) for name in TIMES] == pytest.approx([float(row[name]) for name in TIMES], rel=0, abs=1e-9)


def recorded_moves(folder):
    """Time, region, model and change of every move of ``scaling.csv``, where there is one."""
    if not (folder / "scaling.csv").exists():
        return []
    with (folder / "scaling.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["active_after"]]
    change = [int(float(row["active_after"]) - float(row["active_before"])) for row in rows]
    return [(float(row["time_s"]), row["region"], row["model"], step) for row, step in zip(rows, change, strict=True)]


def test_two_long_prompts_block_each_other():
    half = int(0.5 * (authors.GPU_BYTES - authors.WEIGHTS["bloom-176b"]) / authors.KV_BYTES["bloom-176b"]) - 10
    trace = [authors.Request(k, 1.0, "bloom-176b", authors.REGIONS, half, 1000) for k in range(3)]
    with pytest.raises(authors.StuckError):
        authors.serve({"bloom-176b": 1}, trace)


def test_groups_are_of_three_and_two():
    sizes = {n: [len(group) for group in authors.groups(list(range(n)))] for n in range(1, 10)}
    assert sizes == {
        1: [1],
        2: [2],
        3: [3],
        4: [2, 2],
        5: [3, 2],
        6: [3, 3],
        7: [3, 2, 2],
        8: [3, 3, 2],
        9: [3, 3, 3],
    }
