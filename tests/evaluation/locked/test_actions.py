"""What a policy did: packed without loss, kept beside the result, and whole after an interruption."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.actions import knobs_of, order_code, packed, stacked, unpacked
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import evaluate
from sageserve_env.evaluation.locked.result.logs import Logged, log_file, read_lines, write_logs
from sageserve_env.scenarios import load_problem
from sageserve_env.sim import Knobs
from tests.leaderboard.sample import digested

FILE = Path(__file__).with_name("entrants.py")


@pytest.fixture(scope="module")
def problem():
    """Mini for three steps."""
    return load_problem("mini").with_overrides(horizon_s=900.0)


def entrant(name: str) -> Entrant:
    return Entrant.parse(f"{FILE}:{name}", lambda words: policy_options(words, None))


def bits(array):
    return np.asarray(array, np.float64).view(np.uint64).tolist()


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        (RNG.integers(0, 5, (288, 36)), "<i1"),
        (RNG.integers(-1000, 1000, (9, 2)), "<i2"),
        ([2**40, 0, 2**51], "<i8"),
        (RNG.random((288, 36)).astype(np.float32), "<f4"),
        (RNG.random((288, 36)) * 1e300, "<f8"),
        ([0.0, -0.0, 5e-324, -1.5], "<f8"),
        ([-0.0, 1.0], "<f4"),
        ([2.0**60, 1.0], "<f4"),
        (np.zeros((3, 0)), "<i1"),
    ],
    ids=str,
)
def test_actions_come_back_bit_for_bit(actions, code: str) -> None:
    steps = [{"action": np.asarray(action)} for action in actions]
    log = json.loads(json.dumps(packed(stacked(steps))))
    assert log["fields"]["action"][0] == code
    assert [bits(said["action"]) for said in unpacked(log)] == [bits(said["action"]) for said in steps]


def test_knobs_come_back_and_take_little_room() -> None:
    world = load_problem("day").world()
    knobs = Knobs.static(world, "EDF")
    values = {each.name: np.asarray(getattr(knobs, each.name)) for each in fields(Knobs) if each.name != "admission_order"}
    steps = [{**values, "cap": values["cap"] + k % 2, "admission_order": order_code("EDF")} for k in range(288)]
    log = packed(stacked(steps))
    assert len(log["data"]) < 1000
    again = unpacked(log)
    for said, found in zip(steps, again, strict=True):
        assert bits(digested(said)) == bits(digested(found))
    assert knobs_of(again[1]).validated(world).admission_order == "EDF"
    assert (knobs_of(again[1]).cap == knobs.cap + 1).all()


def test_an_order_is_one_number() -> None:
    knobs = Knobs.static(load_problem("mini").world())
    values = {each.name: np.asarray(getattr(knobs, each.name)) for each in fields(Knobs) if each.name != "admission_order"}
    with pytest.raises(InputError, match="is no packed log"):
        unpacked(packed(stacked([{**values, "admission_order": np.array([0, 0])}])))
    with pytest.raises(InputError, match="admission_order = 4 is none"):
        knobs_of({**values, "admission_order": np.array(4)})


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.pop("data"),
        lambda log: log.update(more=1),
        lambda log: log.update(steps=3),
        lambda log: log.update(steps=True),
        lambda log: log.update(data="?"),
        lambda log: log.update(data=log["data"][:-8]),
        lambda log: log["fields"].update(action=["<i1", 3]),
        lambda log: log["fields"].update(action=["|O", 2]),
        lambda log: log["fields"].update(action=["<f8", 2**20, 2**20]),
        lambda log: log["fields"].update(knob=["<i1", 2]),
    ],
)
def test_what_is_no_log_is_refused(change) -> None:
    log = packed(stacked([{"action": np.array([1, 2])}, {"action": np.array([2, 2])}]))
    change(log)
    with pytest.raises(InputError, match="log"):
        unpacked(log)


def test_an_evaluation_keeps_what_gives_the_same_digests(problem, tmp_path) -> None:
    evaluate(entrant("Chance"), problem, episodes=2, out=tmp_path / "r.json", keeps_actions=True)
    first, second = map(Logged.read, read_lines(tmp_path / "r.jsonl.gz"))
    env = FleetEnv(problem=problem, split="test")
    env.reset(seed=first.seed, options=first.episode)
    for said in unpacked(first.log):
        *_, is_over, _ = env.step(digested(said))
    assert is_over
    rows = json.loads((tmp_path / "r.json").read_text())["episodes"]
    assert rows[0]["terms"] == env.episode_terms
    assert [row["actions"] for row in rows] == [first.actions, second.actions]
    assert "log" not in rows[0]


def test_it_goes_on_with_the_actions_that_it_has(problem, tmp_path) -> None:
    whole, parts = tmp_path / "whole.json", tmp_path / "parts.json"
    evaluate(entrant("Chance"), problem, episodes=2, out=whole, keeps_actions=True, workers=2)
    evaluate(entrant("Chance"), problem, episodes=1, out=parts, keeps_actions=True)
    evaluate(entrant("Chance"), problem, episodes=2, out=parts, keeps_actions=True)
    assert log_file(whole).read_bytes() == log_file(parts).read_bytes()


def test_actions_that_are_lost_are_missed(problem, tmp_path) -> None:
    out = tmp_path / "r.json"
    evaluate(entrant("Holds"), problem, episodes=1, out=out)
    with pytest.raises(InputError, match="cannot be read"):
        evaluate(entrant("Holds"), problem, episodes=2, out=out, keeps_actions=True)
    write_logs(log_file(out), [])
    with pytest.raises(InputError, match="has no actions of the episode"):
        evaluate(entrant("Holds"), problem, episodes=2, out=out, keeps_actions=True)


def test_a_failed_episode_has_no_actions(problem, tmp_path) -> None:
    out = tmp_path / "r.json"
    evaluate(entrant("Raises"), problem, episodes=1, out=out, keeps_actions=True)
    assert read_lines(log_file(out)) == []
    (row,) = evaluate(entrant("Raises"), problem, episodes=1, out=out, keeps_actions=True).rows
    assert (row.failure is None, row.log) == (False, None)
    assert replace(row, log={}) == row
