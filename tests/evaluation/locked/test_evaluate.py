"""Locked evaluation: what a policy is told and what not, what fails and how, and going on from the file."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.env import FleetEnv
from sageserve_env.env.fleets import Fleets
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.evaluate import evaluate, introduced
from sageserve_env.evaluation.locked.play.episode import Row, play_locked
from sageserve_env.evaluation.locked.play.seat import Job, fleets_of
from sageserve_env.evaluation.locked.protocol import LIMITS, held_out, policy_seed
from sageserve_env.evaluation.locked.result.record import read_evaluation
from sageserve_env.evaluation.locked.result.report import headline
from sageserve_env.evaluation.locked.result.summary import summary
from sageserve_env.evaluation.locked.wall.process import PolicyFailure, PolicyProcess
from sageserve_env.evaluation.locked.wall.wire import layout
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.scenarios import load_problem
from tests.evaluation.locked import entrants

FILE = Path(__file__).with_name("entrants.py")
SHORT = replace(LIMITS, decision_s=1.5)
WITH_TESTS = {**os.environ, "PYTHONPATH": str(FILE.parents[3])}


@pytest.fixture(scope="module")
def problem():
    """Mini for three steps."""
    return load_problem("mini").with_overrides(horizon_s=900.0)


@pytest.fixture(scope="module")
def fleets(problem):
    """What it is played in."""
    return Fleets(problem=problem, split="test")


def played(fleets, name: str, limits=LIMITS) -> Row:
    """The first episode of a policy in the file."""
    made = getattr(entrants, name)
    kind = "agent" if hasattr(made, "act") else "controller"
    episode = held_out(fleets.setup.problem)[0]
    return play_locked(fleets, of_file(name), Described(name, kind, False, {}, {}), episode, limits, False)


def entrant(text: str) -> Entrant:
    return Entrant.parse(text, lambda words: policy_options(words, None))


def of_file(name: str) -> Entrant:
    return entrant(f"{FILE}:{name}")


def without_times(path: Path) -> dict:
    facts = json.loads(path.read_text())
    for row in facts["episodes"]:
        row["times"] = {}
    return facts


def test_episodes_are_the_test_days_as_recorded_then_perturbed() -> None:
    order = held_out(load_problem("mini"))
    assert len(order) == len({str(episode) for episode in order}) == 20
    assert [episode["variant"] for episode in order] == sorted(4 * [0, 1, 2, 3, 4])
    assert (
        len({policy_seed(load_problem(name), episode) for name in ("mini", "day") for episode in held_out(load_problem(name))})
        == 40
    )


def test_a_controller_scores_as_in_the_open(problem) -> None:
    """In a process of its own, a reference policy does what it does in this one."""
    (row,) = evaluate(entrant("reactive:cool_down_s=60"), problem, episodes=1).rows
    env = FleetEnv(problem=problem, split="test")
    score = play_policy(env, load_policy("reactive", cool_down_s=60), dict(row.episode), EPISODE_SEED)
    assert (row.terms, row.failure, row.steps) == (dict(score.terms), None, 3)


def test_an_agent_scores_as_in_the_open(problem) -> None:
    (row,) = evaluate(of_file("Chance"), problem, episodes=1).rows
    env = FleetEnv(problem=problem, split="test")
    _, info = env.reset(seed=EPISODE_SEED, options=dict(row.episode))
    rng, is_over = np.random.default_rng(policy_seed(problem, row.episode)), False
    while not is_over:
        *_, is_over, info = env.step([rng.choice(np.flatnonzero(each)) for each in info["action_mask"]])
    assert row.terms == env.episode_terms


def test_nothing_is_carried_from_one_episode_to_the_next(problem) -> None:
    rows = evaluate(of_file("Remembers"), problem, episodes=2).rows
    assert [row.failure for row in rows] == [None, None]


def test_each_episode_has_a_process_of_its_own_and_none_is_left(problem, monkeypatch) -> None:
    """Two are played side by side, and two begin meanwhile, which end with the evaluation."""
    from sageserve_env.evaluation.locked.play import episode

    begun = []

    class Noted(PolicyProcess):
        def __init__(self, *given) -> None:
            super().__init__(*given)
            begun.append(self._process)

    monkeypatch.setattr(episode, "PolicyProcess", Noted)
    evaluate(of_file("Holds"), problem, episodes=2)
    assert len({process.pid for process in begun}) == len(begun) == 4
    assert not any(process.is_alive() for process in begun)


def test_a_process_that_remembers_would_be_found_out(fleets) -> None:
    """The test above could fail: asked for a second episode, the same process finds what it left."""
    process, told = PolicyProcess(of_file("Remembers")), layout({"observation": 0, "mask": None})
    for task, *arguments in [("load",), ("begin_agent", 1, told)]:
        process.ask(9.0, task, *arguments)
        process.answer()
    process.ask(9.0, "begin_agent", 2, told)
    with pytest.raises(PolicyFailure, match="AssertionError"):
        process.answer()
    process.close()


def test_an_agent_may_choose_its_view(problem) -> None:
    evaluation = evaluate(of_file("Targets"), problem, episodes=1)
    assert evaluation.rows[0].failure is None
    assert evaluation.head["policy"]["view"] == {"action_mode": "target", "observation": "dict"}


@pytest.mark.parametrize(("peeking", "plain"), [("Peeks", "Holds"), ("PeeksAtTelemetry", "Controls")])
def test_who_peeks_scores_as_without(fleets, peeking: str, plain: str) -> None:
    rows = [played(fleets, name) for name in (peeking, plain)]
    assert rows[0].failure is None
    assert replace(rows[0], times={}) == replace(rows[1], times={})


def test_a_peeking_policy_would_find_what_is_there(problem) -> None:
    """The test above could fail: beside the environment, the same policy finds it."""
    env = FleetEnv(problem=problem, split="test")
    observation, info = env.reset(seed=EPISODE_SEED, options={"day": 0, "variant": 1})
    assert entrants.found(env)
    assert (entrants.Peeks().act(observation, info["action_mask"]) == 0).all()
    peeks = entrants.PeeksAtTelemetry()
    play_policy(env, peeks, {"day": 0, "variant": 1}, EPISODE_SEED)
    assert peeks.is_told


@pytest.mark.parametrize(
    ("name", "exception", "step"),
    [
        ("Raises", "ZeroDivisionError", 1),
        ("RaisesOddly", "Odd", 1),
        ("Exits", "SystemExit", 1),
        ("Dies", "ProcessEnded", 1),
        ("Hangs", "TimeLimit", 1),
        ("LeavesAChild", "TimeLimit", 1),
        ("Mutates", "ValueError", 1),
        ("MutatesByForce", "ValueError", 1),
        ("WritesOnObservations", "ValueError", 0),
        ("NotANumber", "Nonsense", 1),
        ("WrongShape", "Nonsense", 1),
        ("Text", "Nonsense", 1),
        ("NoKnobs", "TypeError", 1),
        ("SendsABomb", "TypeError", 1),
        ("SaysHalf", "TimeLimit", 1),
        ("SaysTooMuch", "ProcessEnded", 1),
        ("SaysAPickle", "Nonsense", 1),
        ("SaysAnOddOrder", "Nonsense", 1),
        ("SaysDeeply", "Nonsense", 1),
        ("SaysAnOddLength", "Nonsense", 1),
        ("SaysALot", "Nonsense", 0),
        ("OutOfRange", "Nonsense", 0),
        ("Halves", "Nonsense", 0),
        ("Nothing", "Nonsense", 0),
        ("RefusesReset", "OSError", -1),
        ("OwnFleet", "InputError", -1),
    ],
)
def test_what_fails_is_named(fleets, name: str, exception: str, step: int) -> None:
    failure = played(fleets, name, SHORT if exception == "TimeLimit" else LIMITS).failure
    assert failure is not None
    assert (failure.exception, failure.step) == (exception, step)


def test_a_failure_is_told_and_unranked(problem, tmp_path) -> None:
    evaluation = evaluate(of_file("Raises"), problem, episodes=1, out=tmp_path / "r.json")
    assert evaluation.summary == {"episodes": 1, "failed": 1, "is_complete": False, "is_ranked": False}
    assert headline(evaluation.summary) == "unranked: 1 of 1 episodes failed"
    assert read_evaluation(tmp_path / "r.json").rows == evaluation.rows


def test_all_decisions_together_have_a_limit(fleets) -> None:
    failure = played(fleets, "Controls", replace(LIMITS, episode_s=0.0)).failure
    assert failure is not None
    assert (failure.exception, failure.step) == ("TimeLimit", 0)


def test_a_policy_cannot_say_more_or_less_than_was_seen(fleets) -> None:
    row = played(fleets, "SaysAnOddTime")
    assert row.failure is None
    assert all(0.0 <= seconds <= row.times["wall_s"] for seconds in row.times.values())


STOPPED = """
from dataclasses import replace
from sageserve_env.evaluation.locked.protocol import LIMITS
from tests.evaluation.locked.test_evaluate import evaluate, load_problem, of_file

if __name__ == "__main__":
    problem = load_problem("mini").with_overrides(horizon_s=900.0)
    limits = replace(LIMITS, decision_s=1.5)
    print("begun", flush=True)
    (row,) = evaluate(of_file("Dawdles"), problem, episodes=1, limits=limits).rows
    print(row.failure, row.times["decision_max_s"] <= limits.decision_s, flush=True)
"""


def test_who_is_stopped_and_goes_on_fails_in_no_episode(tmp_path) -> None:
    """Ctrl-Z in the midst of a decision, and long after its limit fg."""
    script = tmp_path / "stopped.py"
    script.write_text(STOPPED)
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=WITH_TESTS) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        for _ in range(4):
            time.sleep(0.6)
            os.killpg(running.pid, signal.SIGSTOP)
            time.sleep(2.0)
            os.killpg(running.pid, signal.SIGCONT)
        assert running.stdout.readline() == "None True\n"


def test_it_goes_on_from_its_file_and_workers_change_nothing(problem, tmp_path) -> None:
    whole, parts = tmp_path / "whole.json", tmp_path / "parts.json"
    evaluate(of_file("Chance"), problem, episodes=3, out=whole, workers=2)
    evaluate(of_file("Chance"), problem, episodes=1, out=parts)
    first = json.loads(parts.read_text())["episodes"]
    evaluate(of_file("Chance"), problem, episodes=3, out=parts)
    assert json.loads(parts.read_text())["episodes"][:1] == first  # its times, too: it was not played again
    assert without_times(whole) == without_times(parts)
    assert [row["episode"] for row in first] == held_out(problem)[:1]


class Interrupted(Exception):
    """Stands for Ctrl-C."""


def test_what_is_interrupted_loses_and_repeats_nothing(problem, tmp_path) -> None:
    path, seen = tmp_path / "r.json", []

    def stop(evaluation) -> None:
        seen.append(len(evaluation.rows))
        if len(evaluation.rows) == 1:
            raise Interrupted

    with pytest.raises(Interrupted):
        evaluate(of_file("Holds"), problem, episodes=2, out=path, report=stop)
    kept = json.loads(path.read_text())["episodes"]
    evaluate(of_file("Holds"), problem, episodes=2, out=path)
    rows = json.loads(path.read_text())["episodes"]
    assert rows[:1] == kept
    assert [row["episode"] for row in rows] == held_out(problem)[:2]


def test_a_file_of_another_evaluation_is_refused(problem, tmp_path) -> None:
    path = tmp_path / "r.json"
    copy = tmp_path / "mine.py"
    copy.write_text(FILE.read_text())
    evaluate(entrant(f"{copy}:Holds"), problem, episodes=1, out=path)
    text = path.read_text()
    copy.write_text(FILE.read_text() + "\n# changed")
    with pytest.raises(InputError, match="was evaluated with policy"):
        evaluate(entrant(f"{copy}:Holds"), problem, episodes=2, out=path)
    other = load_problem("mini").with_overrides(horizon_s=1200.0)
    copy.write_text(FILE.read_text())
    with pytest.raises(InputError, match="was evaluated with problem_digest"):
        evaluate(entrant(f"{copy}:Holds"), other, episodes=2, out=path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda facts: facts.pop("protocol"), "has no 'protocol'"),
        (lambda facts: facts.update(protocol="v2"), "protocol is 'v2', not 'v1'"),
        (lambda facts: facts.update(more=1), "has 'more', which is unknown"),
        (lambda facts: facts["episodes"][0].pop("terms"), "has no 'terms'"),
        (lambda facts: facts["episodes"][0]["terms"].update(vm_usd="many"), "not of type number"),
        (lambda facts: facts["episodes"][0].update(steps=True), "not of type integer"),
        (lambda facts: facts["episodes"].append(facts["episodes"][0]), "twice"),
        (lambda facts: facts["episodes"][0]["episode"].update(day="monday"), "monday"),
    ],
)
def test_a_file_that_is_no_result_is_refused(result, problem, tmp_path, change, told: str) -> None:
    facts = json.loads(result)
    change(facts)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(facts))
    with pytest.raises(InputError, match=told):
        evaluate(of_file("Holds"), problem, episodes=1, out=path)


@pytest.fixture(scope="module")
def result(problem, tmp_path_factory) -> str:
    """A result of one episode."""
    path = tmp_path_factory.mktemp("result") / "r.json"
    evaluate(of_file("Holds"), problem, episodes=1, out=path)
    assert read_evaluation(path).rows[0].steps == 3
    return path.read_text()


def test_text_that_is_no_json_is_refused(tmp_path) -> None:
    (tmp_path / "r.json").write_text("{")
    with pytest.raises(InputError, match="is no JSON"):
        read_evaluation(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("orcale", "is not known"),
        (f"{FILE}", "names no class"),
        ("nowhere.py:Holds", "is no file"),
        (f"{FILE}:Missing", "has no class 'Missing'"),
        (f"{FILE}:NoPolicy", "is no policy"),
        (f"{FILE}:NeedsMore", "TypeError"),
        (f"{FILE}:Foresees", "knows the future"),
        ("oracle", "knows the future"),
        (f"{FILE}:WorldView", "it may choose action_mode"),
        (f"{FILE}:OddView", "action_mode = 'wishes'"),
        ("no_such_module:Class", "ModuleNotFoundError"),
        ("reactive:speed=3", "unexpected keyword argument 'speed'"),
    ],
)
def test_who_cannot_be_evaluated_is_told_why(problem, text: str, told: str) -> None:
    def begin() -> None:
        given = entrant(text)
        fleets_of(Job(given, introduced(given, LIMITS, is_bound=False), problem, LIMITS, is_bound=False), 1)

    with pytest.raises(InputError, match=told):
        begin()


def test_a_bound_is_shown_the_future_and_unranked(fleets) -> None:
    """The oracle plans with what will come, in its own process as in this one."""
    oracle = entrant("oracle:throughput=[[20000.0]]")
    with pytest.raises(InputError, match="knows the future"):
        introduced(oracle, LIMITS, is_bound=False)
    known = introduced(oracle, LIMITS, is_bound=True)
    row = play_locked(fleets, oracle, known, held_out(fleets.setup.problem)[0], LIMITS, is_bound=True)
    score = play_policy(
        FleetEnv(problem=fleets.setup.problem, split="test"),
        load_policy("oracle", throughput=[[20000.0]]),
        dict(row.episode),
        EPISODE_SEED,
    )
    assert (row.terms, row.failure) == (dict(score.terms), None)
    assert summary([row], 1, is_bound=True)["is_ranked"] is False
    assert summary([row], 1, is_bound=False)["is_ranked"] is True


@pytest.mark.parametrize("text", ["reactive", f"{FILE}:Foresees"])
def test_a_bound_is_an_installed_policy_that_knows_the_future(text: str) -> None:
    with pytest.raises(InputError, match="--bound"):
        introduced(entrant(text), LIMITS, is_bound=True)


def test_agents_are_played_both_ways(tmp_path) -> None:
    """A saved one is told both times: it may have been saved to draw."""
    (tmp_path / "card.json").write_text("{}")
    plain, saved = of_file("MayDraw"), entrant(str(tmp_path))
    assert [each.options for each in plain.both_ways()] == [{}, {"sampled": True}]
    assert [each.options for each in saved.both_ways()] == [{"choose": "likeliest"}, {"choose": "sampled"}]
    assert [each.text for each in saved.both_ways()] == [f"{tmp_path}:choose=likeliest", f"{tmp_path}:choose=sampled"]
    with pytest.raises(InputError, match="leave out --sampled"):
        saved.both_ways()[0].both_ways()


def test_a_module_is_evaluated_too(problem) -> None:
    assert evaluate(entrant("tests.evaluation.locked.entrants:Controls"), problem, episodes=1).rows[0].failure is None


@pytest.mark.parametrize(("name", "value"), [("episodes", 0), ("episodes", 21), ("workers", 0)])
def test_counts_have_bounds(problem, name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"{name} = {value}"):
        evaluate(entrant("reactive"), problem, **{name: value})
