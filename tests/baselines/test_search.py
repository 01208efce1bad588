"""The search in hindsight: what it tries is what is played, it never gets worse, and its plan replays to the cent."""

from dataclasses import replace

import numpy as np
import pytest

from baselines.search import PlanPolicy, Search, find, plans_by_episode, read_plans, write_plans
from baselines.search.moves import Moves
from baselines.search.plan import episode_identity
from baselines.search.player import Candidate, Player
from baselines.search.schedule import Room, Schedule
from baselines.search.search import compatible, improve, joined
from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import play_policy
from sageserve_env.scenarios import load_problem
from sageserve_env.sim import Knobs
from sageserve_env.workload.play import play

MINI = load_problem("mini")
HOURS = 2.0
EPISODE = MINI.split("test").held_out()[0]
SEED = 2025


@pytest.fixture(scope="module")
def search():
    return Search(MINI, hours=HOURS)


@pytest.fixture(scope="module")
def player():
    player = Player(MINI, "test", EPISODE, SEED, width=4, horizon_s=3600 * HOURS)
    yield player
    player.close()


@pytest.fixture(scope="module")
def found(search):
    return find(search, EPISODE, 120)


def constant(player, count):
    targets = player.room.fit(np.full((player.n_steps, len(player.room.most)), count))
    return Schedule.holding(targets, player.world)


def busier(schedule, first, end, fleet=0):
    targets = schedule.targets.copy()
    targets[first:end, fleet] += 1
    return replace(schedule, targets=targets)


def test_it_finds_something_cheaper_that_holds_the_levels(found):
    assert (found.shortfall, found.usd) < (found.start_shortfall, found.start_usd)
    assert found.evaluations >= 120


def test_the_plan_replays_to_the_same_score(search, found, tmp_path):
    file = tmp_path / "plans.json"
    write_plans(file, search.head(), search.command(120), [found])
    score = play_policy(search.env(), load_policy("plan", file=str(file)), EPISODE, SEED)
    assert (score.usd, score.shortfall, score.attainment) == (found.usd, found.shortfall, found.attainment)
    head, plans = read_plans(file)
    assert head == search.head()
    assert plans == [found]
    assert plans_by_episode(file, search.head()) == {str(EPISODE): found}


def test_the_same_number_of_evaluations_gives_the_same_plan_also_when_stopped_on_the_way(search, found):
    first = find(search, EPISODE, 60)
    assert first.evaluations < found.evaluations
    assert find(search, EPISODE, 120, plan=first) == found
    assert find(search, EPISODE, 120, plan=found) == found
    assert find(Search(MINI, seed=1, hours=HOURS), EPISODE, 60).schedule != first.schedule


def test_a_plan_that_is_gone_on_with_is_of_the_traffic_of_now(search, found):
    """Else it could not be replayed: a plan is found by the identity of its episode."""
    assert find(search, EPISODE, found.evaluations, plan=replace(found, identity="of other traffic", usd=1.0)) == found


def test_it_can_begin_with_what_an_agent_does(found):
    with_agent = Search(MINI, hours=HOURS, agent="agents/mini-shared")
    again = find(with_agent, EPISODE, found.evaluations + 1, plan=found)
    assert again.evaluations == found.evaluations + 1
    assert (again.shortfall, again.usd) <= (found.shortfall, found.usd)
    assert "--agent agents/mini-shared" in with_agent.command(10)


@pytest.mark.parametrize(
    ("agent", "message"),
    [("agents/nobody", "is no folder"), ("agents/day-shared", "was made for"), ("nobody", "is no saved agent")],
)
def test_agents_that_cannot_be_used_are_named(agent, message):
    with pytest.raises(InputError, match=message):
        Search(MINI, agent=agent)


def test_a_deadline_stops_it(search, found):
    assert find(search, EPISODE, 10**9, until_s=0.0).evaluations < found.evaluations


def test_a_schedule_is_played_as_the_environment_plays_its_knobs(player):
    schedule = replace(busier(constant(player, 3), 5, 9), routing=np.array([32]), release=np.array([[48, 16]]))
    course = player.play([schedule])[0]
    env = FleetEnv(problem=MINI, split="test", horizon_s=3600 * HOURS)
    env.reset(seed=SEED, options=EPISODE)
    held = Knobs.static(player.world)
    for step in range(player.n_steps):
        info = env.follow(schedule.knobs(step, held))[4]
        for k, name in enumerate(TERMS):
            assert course.sums[step + 1, k] == course.sums[step, k] + info[name]


def test_a_change_is_worth_the_same_from_a_snapshot_as_from_the_start(player):
    kept = player.play([constant(player, 3)])[0]
    changes = [busier(kept.schedule, 7, 10), busier(kept.schedule, 12, 15, fleet=1), busier(kept.schedule, 0, 24, fleet=2)]
    whole = player.play(changes)
    assert kept.before(7) == 6
    ends = player.n_steps
    tried = player.try_out([Candidate(each, first, ends, ends) for each, first in zip(changes, (7, 12, 0), strict=True)], kept)
    for course, added, first in zip(whole, tried, (7, 12, 0), strict=True):
        np.testing.assert_allclose(added, course.sums[-1] - kept.sums[-1], rtol=0, atol=1e-6)
        again = player.play([course.schedule], kept, first)[0]
        np.testing.assert_allclose(again.sums, course.sums, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(again.sums[:first], kept.sums[:first])


def test_what_cannot_matter_together_is_made_together(player):
    kept = player.play([constant(player, 4)])[0]
    fewer = [replace(kept.schedule, targets=kept.schedule.targets - busy) for busy in one_off(kept.schedule)]
    candidates = [Candidate(each, first, first + 2, first + 6) for each, first in zip(fewer, (0, 4, 12), strict=True)]
    added = player.try_out(candidates, kept)
    chosen = compatible(kept, candidates, added, player.room)
    assert chosen
    assert not {0, 1} <= set(chosen)  # the second is where the effect of the first is looked for
    both = joined(kept.schedule, [candidates[0], candidates[2]])
    np.testing.assert_array_equal(kept.schedule.targets - both.targets, one_off(kept.schedule)[0] + one_off(kept.schedule)[2])


def test_where_no_change_helps_the_schedule_stays(player):
    kept = player.play([constant(player, 4)])[0]
    worse = Candidate(busier(kept.schedule, 3, 6), 3, 6, player.n_steps)
    assert improve(player, kept, [worse, worse]) == (kept, 2)


def one_off(schedule):
    """An instance of the first fleet in two intervals, at three times."""
    marks = []
    for first in (0, 4, 12):
        mark = np.zeros_like(schedule.targets)
        mark[first : first + 2, 0] = 1
        marks.append(mark)
    return marks


def test_changes_keep_to_the_world_and_say_where_they_differ(player):
    moves = Moves(player.room, 300.0, player.n_steps, 6, np.random.default_rng(0))
    schedule = constant(player, 3)
    candidates = moves.draw(schedule, 300)
    assert len(candidates) == 300
    turned = 0
    for each in candidates:
        assert player.room.holds(each.schedule.targets)
        assert (each.schedule.release[:, 0] >= each.schedule.release[:, 1]).all()
        differs = np.flatnonzero((each.schedule.targets != schedule.targets).any(axis=1))
        turned += differs.size == 0
        if differs.size:
            assert (differs[0], differs[-1] + 1) == (each.first, each.end)
            assert each.until == min(each.end + 6, player.n_steps)
    assert 0 < turned < 30


def test_schedules_are_packed_and_brought_within_the_vms(player):
    rng = np.random.default_rng(0)
    wild = rng.integers(-3, 60, (player.n_steps, len(player.room.most)))
    fitted = player.room.fit(wild)
    assert player.room.holds(fitted)
    assert not player.room.holds(fitted - 1)
    day = Room.of(load_problem("day").world())
    crowded = day.fit(np.full((2, len(day.most)), 99))
    assert day.holds(crowded)
    assert crowded.sum(axis=1).tolist() == [int(day.vms.sum())] * 2  # what is asked for and there is given
    schedule = Schedule.holding(fitted, player.world)
    again = Schedule.unpacked(schedule.packed())
    for name in ("targets", "routing", "release"):
        np.testing.assert_array_equal(getattr(again, name), getattr(schedule, name))


def test_feasible_schedules_come_first(player):
    courses = player.play([constant(player, 12), constant(player, 0)])
    assert courses[0].score.rank[0] == 0
    assert courses[1].score.rank[0] == 1
    assert courses[0].score.rank < courses[1].score.rank


def test_other_episodes_and_files_are_refused(search, found, tmp_path):
    file = tmp_path / "plans.json"
    write_plans(file, search.head(), "", [found])
    env = search.env()
    with pytest.raises(InputError, match=r"plans.json' has no plan for this episode; it has day=\S+ variant=0"):
        play_policy(env, PlanPolicy(file), {**EPISODE, "variant": 1}, SEED)
    with pytest.raises(InputError, match="has no plan for this episode"):
        play_policy(env, PlanPolicy(file), EPISODE, SEED + 1)
    with pytest.raises(InputError, match="was searched with seed = 0, not 1"):
        plans_by_episode(file, {**search.head(), "seed": 1})
    with pytest.raises(InputError, match="knows no episode"):
        PlanPolicy(file).reset(None, None)
    with pytest.raises(InputError, match="file = 3 is no path"):
        PlanPolicy(3).reset(None, None)
    with pytest.raises(InputError, match="cannot be read"):
        play_policy(env, PlanPolicy(tmp_path / "absent.json"), EPISODE, SEED)
    text = file.read_text()
    for broken in ("", "{}", text[:-10], text.replace('"plans"', '"plants"')):
        file.write_text(broken)
        with pytest.raises(InputError, match="holds no plans"):
            play_policy(env, PlanPolicy(file), EPISODE, SEED)
    write_plans(file, search.head(), "", [replace(found, schedule={**found.schedule, "targets": "AAAA"})])
    with pytest.raises(InputError, match="schedule cannot be read"):
        play_policy(env, PlanPolicy(file), EPISODE, SEED)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Search(MINI, split="train"), "split = 'train' of 'mini' lists no episodes"),
        (lambda: Search(MINI, split="tset"), "split = 'tset' does not exist"),
        (lambda: Search(MINI, seed=-1), "seed = -1"),
        (lambda: Search(MINI, hours=0), "hours = 0"),
        (lambda: Search(MINI).episodes("someday"), "day = 'someday' is not in split 'test'"),
        (lambda: Search(MINI).episodes(variant=9), "variant = 9 does not exist"),
        (lambda: find(Search(MINI, hours=1), EPISODE, 0), "evaluations = 0"),
    ],
    ids=range(7),
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_all_episodes_or_those_of_a_day_or_variant():
    every = MINI.split("test").held_out()
    assert Search(MINI).episodes() == every
    assert Search(MINI).episodes("0", 1) == [every[1]]
    assert Search(MINI).episodes(every[0]["day"].upper()) == [each for each in every if each["day"] == every[0]["day"]]


def test_an_episode_is_the_same_where_its_rates_differ_in_their_last_digits():
    env = FleetEnv(problem="mini", split="test", horizon_s=3600.0)
    env.reset(seed=1, options={"day": 0, "variant": 4})
    workload, seed, world = env.episode.workload, env.episode.workload_seed, env.setup.world
    nudged = workload.scale(1.0 + 1e-15)
    assert play(nudged, world, seed).identity != play(workload, world, seed).identity
    assert episode_identity(nudged, world, seed) == episode_identity(workload, world, seed)
    assert episode_identity(workload, world, seed + 1) != episode_identity(workload, world, seed)
