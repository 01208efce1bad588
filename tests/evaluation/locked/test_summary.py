"""Summaries by hand: feasible or not, between the anchors or not, complete or not."""

import json

import pytest

from baselines import search
from sageserve_env.env import FleetEnv
from sageserve_env.env.fleets import Fleets
from sageserve_env.env.rewards import TERMS
from sageserve_env.evaluation.locked.play.anchors import Anchors
from sageserve_env.evaluation.locked.play.episode import Failure, Row
from sageserve_env.evaluation.locked.play.measured import MEASURED
from sageserve_env.evaluation.locked.play.together import together
from sageserve_env.evaluation.locked.result.record import schema, violations
from sageserve_env.evaluation.locked.result.report import headline
from sageserve_env.evaluation.locked.result.summary import summary
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.scenarios import load_problem


def row(
    day: str,
    variant: int,
    usd: float,
    late: int = 0,
    anchored: tuple[float, float] | None = None,
    failed: bool = False,
    waited_s: float | None = 1.0,
) -> Row:
    """An episode that cost so much, with so many of a hundred IW-F late."""
    terms = dict.fromkeys(TERMS, 0.0) | {"vm_usd": usd, "breaches_iw_f": float(late), "attainable_iw_f": 100.0}
    failure = Failure(3, "ValueError", "no") if failed else None
    facts = None
    if anchored is not None:
        facts = {
            "reactive_usd": anchored[0],
            "reactive_is_feasible": True,
            "hindsight_usd": anchored[1],
            "hindsight_is_feasible": True,
        }
    times = {"reset_s": 0.0, "decision_mean_s": 0.0, "decision_p95_s": 0.0, "decision_max_s": 0.1, "wall_s": 1.0}
    return Row(
        {"day": day, "variant": variant},
        5,
        False,
        terms,
        dict.fromkeys(MEASURED, 2.0) | {"niw_e2e_p95_s": waited_s},
        "a",
        "b",
        times,
        failure,
        facts,
    )


def test_dollars_lie_between_the_anchors() -> None:
    """Of 100 to 60 and of 50 to 40: 80 is half way, 42 four fifths."""
    found = summary([row("a", 0, 80.0, anchored=(100.0, 60.0)), row("b", 0, 42.0, anchored=(50.0, 40.0))], 2, is_bound=False)
    scale = found["normalised"]
    assert scale["score"] == pytest.approx((150 - 122) / (150 - 100))
    assert scale["interquartile_mean"] == pytest.approx((0.5 + 0.8) / 2)
    assert scale["optimality_gap"] == pytest.approx((0.5 + 0.2) / 2)
    assert (scale["reactive_held"], scale["hindsight_held"]) == (2, 2)
    assert (found["usd"], found["is_ranked"], found["is_feasible"], found["missed"]) == (61.0, True, True, {})
    assert "0.560 between tuned reactive (0) and hindsight (1)" in headline(found)


@pytest.mark.parametrize("anchored", [None, (60.0, 100.0)], ids=["not shipped", "the wrong way round"])
def test_without_anchors_there_are_dollars(anchored) -> None:
    found = summary([row("a", 0, 80.0), row("b", 0, 42.0, anchored=anchored)], 2, is_bound=False)
    assert found["normalised"] is None
    assert headline(found) == "feasible: 61 $; no anchors are known"


def test_episodes_without_anchors_are_left_out() -> None:
    found = summary([row("a", 0, 80.0, anchored=(100.0, 60.0)), row("b", 0, 42.0)], 2, is_bound=False)
    assert (found["normalised"]["score"], found["normalised"]["episodes"], found["usd"]) == (0.5, 1, 61.0)


def test_one_late_episode_makes_it_infeasible() -> None:
    found = summary([row("a", 0, 10.0), row("a", 1, 10.0, late=6)], 2, is_bound=False)
    assert (found["is_feasible"], found["held"], found["missed"]) == (False, 1, {"IW-F": 0.94})
    assert headline(found) == "infeasible: IW-F 94.00% in the worst episode; 10 $"


def test_an_interval_is_by_day() -> None:
    """Days differ and their variants do not: nothing is unsure."""
    found = summary([row(day, variant, usd) for day, usd in (("a", 10.0), ("b", 30.0)) for variant in (0, 1)], 4, is_bound=False)
    assert found["usd_interval"] == [20.0, 20.0]
    low, high = summary([row("a", 0, 10.0), row("b", 0, 30.0)], 4, is_bound=False)["usd_interval"]
    assert low < 20.0 < high


def test_days_are_told_apart() -> None:
    rows = [row("a", 0, 10.0, late=6, anchored=(20.0, 0.0)), row("b", 0, 7.0), row("a", 1, 30.0)]
    a, b = summary(rows, 3, is_bound=False)["days"]
    assert (a["day"], a["episodes"], a["held"], a["usd"], a["usd_interval"]) == ("a", 2, 1, 20.0, [10.0, 30.0])
    assert a["attainment_worst"] == {"IW-F": 0.94, "IW-N": 1.0, "NIW": 1.0}
    assert (a["normalised"], b["normalised"]) == (0.5, None)
    assert list(violations(a, {"$ref": "#/$defs/day"})) == []


def test_means_are_of_what_was_measured() -> None:
    """No NIW completed in the second episode."""
    found = summary([row("a", 0, 1.0, waited_s=30.0), row("a", 1, 1.0, waited_s=None)], 2, is_bound=False)["measured"]
    assert (found["niw_e2e_p95_s"], found["active_h"]) == (30.0, 2.0)
    assert summary([row("a", 0, 1.0, waited_s=None)], 2, is_bound=False)["measured"]["niw_e2e_p95_s"] is None


def test_failed_episodes_count_for_no_figure() -> None:
    found = summary([row("a", 0, 10.0), row("a", 1, 99.0, failed=True)], 2, is_bound=False)
    assert (found["usd"], found["failed"], found["is_complete"], found["is_ranked"]) == (10.0, 1, True, False)
    assert headline(found) == "unranked: 1 of 2 episodes failed"
    assert headline(summary([], 2, is_bound=False)) == "no episode was played"


def test_rows_fit_the_schema_and_come_back() -> None:
    for each in (row("a", 0, 10.0, waited_s=None), row("a", 1, 99.0, failed=True), row("a", 2, 1.0, anchored=(2.0, 1.0))):
        packed = json.loads(json.dumps(each.packed()))
        assert list(violations(packed, {"$ref": "#/$defs/episode"})) == []
        assert Row.of(packed) == each
    assert set(schema()["$defs"]["episode"]["required"]) == set(packed)


def test_anchors_are_those_that_the_package_ships(tmp_path, monkeypatch) -> None:
    problem = load_problem("mini").with_overrides(horizon_s=600.0)
    monkeypatch.setattr("sageserve_env.evaluation.tuned.shipped", lambda entry: tmp_path / "tuned")
    fleets, env = Fleets(problem=problem, split="test"), FleetEnv(problem=problem, split="test")
    assert Anchors.of(env.setup) is None
    log, plans = tmp_path / "tuned" / "mini" / "reactive.json", tmp_path / "plans" / "mini.json"
    for path in (log, plans):
        path.parent.mkdir(parents=True)
    log.write_text(json.dumps({"policy": "reactive", "fixed": {}, "best": {"options": {"cool_down_s": 60.0}}}))
    assert Anchors.of(env.setup) is None
    day = problem.split("test").windows[0].name
    head = {name: search.Search(problem, "test", 0).head()[name] for name in ("problem", "split", "episode_seed", "horizon_s")}
    plan = {"episode": {"day": day, "variant": 0}, "usd": 12.5, "shortfall": 0.01}
    plans.write_text(json.dumps({**head, "plans": [plan]}))
    found = Anchors.of(env.setup)
    assert found is not None
    assert Anchors.of(Fleets(problem=problem, split="test", action_mode="knobs", forecaster="recurring").setup) == found
    (facts,) = together(fleets, iter([found.playing(fleets.each[0], plan["episode"])]))
    played = play_policy(env, load_policy("reactive", cool_down_s=60.0), plan["episode"], EPISODE_SEED)
    assert facts is not None
    assert (facts["reactive_usd"], facts["reactive_is_feasible"]) == (played.usd, played.is_feasible)
    assert (facts["hindsight_usd"], facts["hindsight_is_feasible"]) == (12.5, False)
    assert list(together(fleets, iter([found.playing(fleets.each[0], {"day": day, "variant": 1})]))) == [None]
    for other in ({"episode_seed": 1}, {"split": "validation"}, {"horizon_s": 3600.0}, {"problem": "another"}):
        plans.write_text(json.dumps({**head, **other, "plans": [plan]}))
        assert Anchors.of(env.setup) is None
