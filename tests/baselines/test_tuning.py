"""Tuning: the same log however it is made, the best of it under the levels, and what reads it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from baselines.reactive import ReactivePolicy
from baselines.tuning import Task, Trial, read_log, tune
from baselines.tuning.log import Log
from baselines.tuning.proposals import Proposals
from baselines.tuning.trials import Played
from baselines.tuning.tune import score_of
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import play_policy
from sageserve_env.evaluation.ranges import Range, axes, options_at
from sageserve_env.scenarios import load_problem
from sageserve_env.world import published

MINI = load_problem("mini")
HOURS = 0.5


def task(policy="reactive", **changes):
    return Task(policy, changes.pop("problem", MINI), hours=HOURS, **changes)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A log of 20 trials, two batches and a part of the third, and its file."""
    path = tmp_path_factory.mktemp("tuned") / "reactive.json"
    return tune(task(), 20, out=path), path


def test_the_log_tells_what_was_tried_and_what_came_of_it(logged):
    log, path = logged
    assert read_log(path) == log
    assert [trial.number for trial in log.trials] == list(range(20))
    assert log.trials[0].options == {}
    assert log.best.rank == min(trial.rank for trial in log.trials)
    facts = json.loads(path.read_text())
    assert facts["split"] == "validation"
    assert facts["command"] == "sageserve tune --policy reactive --env SageServe/Mini-v0 --hours 0.5 --budget 20 --seed 0"
    assert facts["best"]["options"] == log.best.options


def test_a_trial_is_worth_what_its_episodes_are(logged):
    log, _ = logged
    env = FleetEnv(problem=MINI, split="validation", horizon_s=3600 * HOURS)
    episodes = MINI.split("validation").held_out()
    scores = [play_policy(env, ReactivePolicy(**log.best.options), options, 2025) for options in episodes]
    assert log.best.usd == sum(score.usd for score in scores) / len(scores)
    assert [row["attainment"] for row in log.best.episodes] == [score.attainment for score in scores]


def test_workers_and_interruptions_change_nothing(logged, tmp_path):
    log, path = logged
    twice = tmp_path / "twice.json"
    tune(task(), 5, out=twice)
    assert len(read_log(twice).trials) == 5
    assert tune(task(), 20, out=twice, workers=2) == log
    assert twice.read_bytes() == path.read_bytes()


def test_going_on_plays_nothing_anew_and_a_longer_log_is_left_alone(logged, monkeypatch):
    log, path = logged
    before = path.read_bytes()
    monkeypatch.setattr("baselines.tuning.trials.play_policy", None)
    assert tune(task(), 20, out=path).trials == log.trials
    assert tune(task(), 3, out=path).trials == log.trials[:3]
    assert path.read_bytes() == before


def test_another_seed_tries_other_options(logged):
    log, _ = logged
    other = tune(task(seed=1), 3)
    assert other.trials[0].usd == log.trials[0].usd
    assert other.trials[1].options != log.trials[1].options


@pytest.mark.parametrize(
    ("changes", "thing"),
    [
        ({"seed": 1}, "seed = 0, not 1"),
        ({"problem": MINI.with_overrides(control_interval_s=600.0)}, "problem"),
        ({"policy": "hpa"}, "policy"),
    ],
    ids=str,
)
def test_a_log_of_another_tuning_is_refused(logged, changes, thing):
    _, path = logged
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"was tuned with {thing}"):
        tune(task(**changes), 3, out=path)
    assert path.read_bytes() == before


def test_feasible_first_then_by_what_is_missed_then_what_cannot_be_played():
    def trial(number, usd, shortfall, refused=None):
        return Trial.of(number, {"n": number}, [Played(usd, shortfall, {}, refused)])

    trials = [trial(0, 9.0, 0.01), trial(1, 1.0, 0.0, "no VM"), trial(2, 8.0, 0.0), trial(3, 7.0, 0.2), trial(4, 6.0, 0.0)]
    log = Log({}, "", trials)
    assert log.best.number == 4
    assert [trial.number for trial in sorted(trials, key=score_of)] == [4, 2, 0, 3, 1]
    assert [trial.number for trial in sorted(trials, key=lambda trial: trial.rank)] == [4, 2, 0, 3, 1]


def test_what_cannot_be_played_is_told_and_loses():
    cramped = replace(MINI, fleet=replace(MINI.fleet, scaling=replace(MINI.fleet.scaling, min_instances=4)))
    log = tune(Task("reactive", cramped, {"min_instances": 3}, hours=HOURS), 1)
    assert log.best.refused == "min_instances = 3 is below the least that world 'mini' allows; give 4 or more"
    assert not log.best.is_feasible


def test_proposals_find_the_middle_of_a_bowl():
    proposals = Proposals(2, seed=3)
    for _ in range(20):
        places = proposals.ask()
        assert all(((place >= 0) & (place <= 1)).all() for place in places)
        proposals.tell(places, [float(((place - 0.3) ** 2).sum()) for place in places])
    assert min(((place - 0.3) ** 2).sum() for place in proposals.ask()) < 1e-3


def test_one_dimension_is_tuned_too_and_models_have_numbers_of_their_own():
    assert len(tune(Task("static", MINI, hours=HOURS), 12).trials) == 12
    world = published(instances=4)
    dimensions = axes({"instances": Range(None, None, is_integer=True, by_model=True)}, world)
    assert [axis.model for axis in dimensions] == [model.name for model in world.models]
    assert options_at(np.array([0.0, 1.0, 0.5, 0.999]), dimensions) == {
        "instances": dict(zip([model.name for model in world.models], [2, 100, 51, 100], strict=True))
    }


def test_ranges():
    world = published()
    steps = axes({"a": Range(1.0, 100.0, is_log=True), "b": Range(0.0, 1.0), "c": Range(1, 3, is_integer=True)}, world)
    assert options_at(np.array([0.5, 0.25, 0.5]), steps) == {"a": 10.0, "b": 0.25, "c": 2}
    assert options_at(np.zeros(3), steps) == {"a": 1.0, "b": 0.0, "c": 1}
    assert options_at(np.ones(3), steps) == {"a": 100.0, "b": 1.0, "c": 3}


def test_tuned_options_are_loaded(logged, tmp_path):
    log, path = logged
    assert load_policy("reactive", tuned=str(path)) == ReactivePolicy(**log.best.options)
    assert load_policy("reactive", tuned=str(path), cool_down_s=7.0).cool_down_s == 7.0
    fixed = tmp_path / "fixed.json"
    tune(task(fixed={"admission_order": "EDF"}), 1, out=fixed)
    assert load_policy("reactive", tuned=str(fixed)).admission_order == "EDF"


@pytest.mark.parametrize(
    ("name", "tuned", "message"),
    [
        ("reactive", "maxi", "tuned = 'maxi' does not exist; choose one of mini"),
        ("oracle", "mini", "policy = 'oracle' is not tuned for 'mini'; run: sageserve tune --policy oracle --env mini"),
        ("reactive", "absent.json", r"tuned = 'absent.json' cannot be read \(No such file"),
        ("reactive", 3, "tuned = 3 is no text"),
        ("gpa", "mini", "policy = 'gpa' is not known"),
    ],
)
def test_what_is_not_tuned_is_named(name, tuned, message):
    with pytest.raises(InputError, match=message):
        load_policy(name, tuned=tuned)


def test_logs_of_others_are_refused(logged, tmp_path):
    _, path = logged
    with pytest.raises(InputError, match="is a log of policy 'reactive', not of 'hpa'"):
        load_policy("hpa", tuned=str(path))
    broken = tmp_path / "broken.json"
    for text in ("", "[]", '{"policy": "reactive"}', path.read_text()[:-20]):
        broken.write_text(text)
        with pytest.raises(InputError, match="is no log of sageserve tune"):
            load_policy("reactive", tuned=str(broken))
        with pytest.raises(InputError, match="is no log of sageserve tune"):
            tune(task(), 3, out=broken)
        assert broken.read_text() == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: task("oracle"), "policy = 'oracle' declares nothing to tune"),
        (lambda: task("best"), "policy = 'best' is not known"),
        (lambda: task(fixed={"speed": 3}), "policy = 'reactive': got an unexpected keyword argument 'speed'"),
        (lambda: task("static", fixed={"instances": 3}), "all that may be tuned is fixed: instances"),
        (lambda: task(fixed={"tuned": "mini"}), "tuned = 'mini' "),
        (lambda: task(seed=-1), "seed = -1"),
        (lambda: Task("reactive", MINI, hours=0.0), "hours = 0"),
        (lambda: Task("reactive", MINI.with_overrides(horizon_s=300.0), hours=0.1) and tune(task(), 0), "budget = 0"),
        (lambda: tune(task(), 3, workers=0), "workers = 0"),
    ],
    ids=range(9),
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
