"""Episodes: deterministic, of the right length, changed by options and overrides, and refused with reasons."""

import json
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.scenarios import PROBLEMS, SPLITS, load_problem
from sageserve_env.sim import Simulator
from sageserve_env.workload import O365Week, Trace, write_trace
from sageserve_env.world import LeadTimes, published

HELD_OUT = {"variant": 0}


def rng(seed=7):
    return np.random.default_rng(seed)


def first_requests(episode, world, count=500):
    stream = episode.workload.stream(world, episode.workload_seed)
    return stream.next_chunk()[:count].tolist()


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("split", SPLITS)
def test_the_same_random_state_gives_the_same_episode(name, split):
    problem = load_problem(name)
    a, b, other = problem.sample(split, rng()), problem.sample(split, rng()), problem.sample(split, rng(8))
    assert (a.workload_seed, a.description, a.week_start_s) == (b.workload_seed, b.description, b.week_start_s)
    assert a.workload_seed != other.workload_seed
    assert first_requests(a, problem.world()) == first_requests(b, problem.world()) != first_requests(other, problem.world())


@pytest.mark.parametrize("name", PROBLEMS)
def test_an_episode_lasts_its_horizon(name):
    problem = load_problem(name)
    for split in SPLITS:
        episode = problem.sample(split, rng())
        assert episode.horizon_s == problem.horizon_s <= episode.workload.duration_s
        assert problem.horizon_s % problem.control_interval_s == 0
        day = next(w for w in problem.split(split).windows if w.name == episode.description["day"])
        assert episode.week_start_s == day.week_start_s + episode.description["start_s"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_description_is_json_and_the_parts_pickle(name):
    problem = load_problem(name)
    episode = problem.sample("train", rng())
    assert json.loads(json.dumps(episode.description)) == episode.description
    again = pickle.loads(pickle.dumps(problem)).sample("train", rng())
    assert again.description == episode.description
    assert first_requests(pickle.loads(pickle.dumps(episode)), problem.world()) == first_requests(episode, problem.world())


@pytest.mark.parametrize("options", [{}, {"day": "tuesday-o365-a"}, {"scale": 2.0}, {"start_s": 600}, {"initial_instances": 2}])
def test_options_take_no_draw(options):
    taken, plain = rng(), rng()
    episode = load_problem("mini").sample("train", taken, options)
    assert episode.workload_seed == load_problem("mini").sample("train", plain).workload_seed
    assert taken.bit_generator.state == plain.bit_generator.state


def test_sampling_leaves_no_global_state_and_the_options_alone():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  the state that must not be touched
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    options = {"day": "monday-o365-b", "initial_instances": {"qwen3-32b": 3}}
    load_problem("mini").sample("train", rng(), options)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    assert options == {"day": "monday-o365-b", "initial_instances": {"qwen3-32b": 3}}


def test_one_sample_does_not_change_the_next():
    problem = load_problem("day")
    before = first_requests(problem.sample("test", rng(), HELD_OUT), problem.world())
    problem.sample("test", rng(), {"variant": 3, "scale": 3.0, "start_s": 5000.0})
    assert first_requests(problem.sample("test", rng(), HELD_OUT), problem.world()) == before


def test_options_change_what_they_name():
    problem = load_problem("mini")
    plain = problem.sample("test", rng(), {"day": "friday-o365-a", **HELD_OUT})
    scaled = problem.sample("test", rng(), {"day": 0, "scale": 3.0, **HELD_OUT})
    late = problem.sample("test", rng(), {"day": "Friday-O365-A", "start_s": 43_200, "initial_instances": 6, **HELD_OUT})
    assert scaled.workload.folded(0).expected().sum() == pytest.approx(3 * plain.workload.folded(0).expected().sum())
    assert late.workload.folded(0).rate == pytest.approx(np.roll(plain.workload.folded(0).rate, -144, axis=1))
    assert late.week_start_s == plain.week_start_s + 43_200
    assert (plain.initial_instances, late.initial_instances) == (None, {"qwen3-32b": 6})


def test_initial_instances_keep_the_models_not_named():
    episode = load_problem("azure").sample("train", rng(), {"initial_instances": {"bloom-176b": 2}})
    assert episode.initial_instances == {"llama-2-70b": 8, "bloom-176b": 2}


@pytest.mark.parametrize(
    ("split", "options", "message"),
    [
        ("train", {"dya": "monday"}, "'dya' does not exist; allowed: day, start_s, scale, initial_instances, variant"),
        (
            "train",
            {"day": "thursday"},
            r"'thursday' is not in split 'train' of 'mini'; its days are monday-o365-a \(0\), tuesday",
        ),
        ("test", {"day": 4}, "day = 4 is not in split 'test'"),
        ("test", {"day": True}, "day = True"),
        ("test", {"day": 0.0}, r"day = 0\.0"),
        ("train", {"variant": 0}, "draws its perturbations and lists none"),
        ("test", {"variant": 5}, "variant = 5 does not exist; split 'test' of 'mini' has 0 to 4"),
        ("test", {"variant": -1}, "variant = -1"),
        ("train", {"scale": 0}, "scale = 0 is not usable"),
        ("train", {"scale": "big"}, "scale = 'big'"),
        ("train", {"scale": 1e300}, "scale = 1e[+]300 is not usable; give a finite number > 0 and <= 10000"),
        ("train", {"start_s": -1.0}, r"start_s = -1\.0"),
        ("train", {"start_s": 86_400}, r"start_s = 86400 is beyond '\w+day-[-0-9a-z]+'; give less than 86400 s"),
        ("train", {"initial_instances": 13}, "= 13 is more than its 12 VMs"),
        ("train", {"initial_instances": {"gpt": 1}}, "'gpt' is not a model of this world; known: 'qwen3-32b'"),
        ("train", {"initial_instances": 1.5}, r"= 1\.5 is out of range; give a whole number"),
        ("train", ["day"], "is no dict"),
        ("dev", {}, "split = 'dev' does not exist; choose one of train, validation, test"),
    ],
)
def test_bad_options_are_named(split, options, message):
    with pytest.raises(InputError, match=message):
        load_problem("mini").sample(split, rng(), options)


def test_a_late_start_of_a_trace_is_refused():
    with pytest.raises(InputError, match=r"leaves less than 600 s of 'code'; give at most 36"):
        load_problem("azure").sample("test", rng(), {"day": "code", "start_s": 60.0})


def test_a_problem_that_does_not_exist():
    with pytest.raises(InputError, match="problem = 'maxi' does not exist; choose one of mini, day"):
        load_problem("maxi")


def test_overrides_change_what_they_name():
    problem = load_problem("paper")
    changed = problem.with_overrides(
        world="physical", control_interval_s=60.0, horizon_s=7200.0, lead_times={"reclaim_s": 5.0}, admission_order="EDF"
    )
    assert changed.world().name == "physical"
    assert changed.world().lead_times == LeadTimes(reclaim_s=5.0)
    assert (changed.control_interval_s, changed.horizon_s, changed.admission_order) == (60.0, 7200.0, "EDF")
    assert problem.with_overrides() is problem
    assert problem.with_overrides(lead_times=LeadTimes(1, 2, 3)).world().lead_times.redeploy_s == 2
    assert problem.horizon_s == 86_400.0


def test_a_short_horizon_draws_its_start_a_long_one_repeats_the_day():
    short = load_problem("mini").with_overrides(horizon_s=3600.0)
    starts = {short.sample("train", rng(seed)).description["start_s"] for seed in range(40)}
    assert len(starts) > 30
    assert all(start % 300 == 0 and start <= 82_800 for start in starts)
    long = load_problem("mini").with_overrides(horizon_s=129_600.0)
    rate = long.sample("test", rng(), HELD_OUT).workload.folded(0).rate
    assert rate[:, 288:] == pytest.approx(rate[:, :144])


def test_a_workload_of_ones_own_is_played_as_it_is():
    own = O365Week(1800.0, 7200.0, scale=0.1)
    problem = load_problem("paper").with_overrides(workload=own)
    assert problem.horizon_s == 7200.0
    seeds = set()
    for split in SPLITS:
        episode = problem.sample(split, rng())
        assert episode.workload.folded(0).rate == pytest.approx(own.folded(0).rate)
        assert episode.week_start_s == 1800.0
        seeds.add(episode.workload_seed)
    assert len(seeds) == 3
    scaled = problem.sample("train", rng(), {"day": "whole", "scale": 2.0})
    assert scaled.workload.folded(0).expected().sum() == pytest.approx(2 * own.folded(0).expected().sum())


class Bare:
    """A workload with nothing but what the protocol asks for."""

    name = "bare"
    duration_s = 3600.0

    def stream(self, world, seed):
        return O365Week(0.0, 3600.0, scale=0.1).stream(world, seed)


def test_a_bare_workload_can_be_started_late_and_scaled():
    problem = load_problem("paper").with_overrides(workload=Bare(), horizon_s=900.0)
    world = problem.world()
    episode = problem.sample("train", rng(), {"start_s": 1200.0, "scale": 2.0})
    requests = episode.workload.stream(world, 1).next_chunk()
    plain = Bare().stream(world, 1).next_chunk()["arrival_s"]
    assert requests.size == pytest.approx(2 * np.sum((plain >= 1200) & (plain < 2100)), abs=3)


def test_a_trace_file_is_a_workload(tmp_path):
    world = published()
    write_trace(O365Week(0.0, 1200.0, scale=0.1), world, tmp_path / "own.csv", seed=1)
    problem = load_problem("paper").with_overrides(workload=str(tmp_path / "own.csv"), horizon_s=600.0)
    episode = problem.sample("test", rng(), {"start_s": 300.0})
    recorded = Trace(tmp_path / "own.csv").stream(world, 0).next_chunk()["arrival_s"]
    assert episode.workload.stream(world, 0).next_chunk().size == np.sum((recorded >= 300) & (recorded < 900))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"world": "mars"}, "world = 'mars' is no preset"),
        ({"world": 3}, "world = 3 is none"),
        ({"workload": "o366-day"}, "workload 'o366-day' is not known; did you mean"),
        ({"workload": 3}, "workload = int object has no name, duration_s, stream"),
        ({"workload": "o365-day"}, "model 'llama-2-70b' is not in the world; it has qwen3-32b"),
        ({"control_interval_s": 0}, "control_interval_s = 0"),
        ({"control_interval_s": 1e6}, "control_interval_s = 1e[+]06 is longer than horizon_s = 86400"),
        ({"control_interval_s": 1e-300}, "control_interval_s = 1e-300 cuts 86400 s into more than 10,000,000 intervals"),
        ({"control_interval_s": "x"}, "control_interval_s = x is not valid"),
        ({"horizon_s": float("nan")}, "horizon_s = nan"),
        ({"horizon_s": 1e300}, r"horizon_s = 1e\+300 is not valid; give seconds, more than 0, at most 31622400"),
        ({"horizon_s": float("inf")}, "horizon_s = inf"),
        ({"lead_times": {"reclaim": 1.0}}, "'reclaim' does not exist; it has reclaim_s, redeploy_s, remote_fetch_s"),
        ({"lead_times": {"reclaim_s": -1.0}}, r"lead_times.reclaim_s = -1\.0"),
        ({"lead_times": {"reclaim_s": "1"}}, "reclaim_s = '1' is not a number"),
        ({"lead_times": 60.0}, r"lead_times = 60\.0 is no dict"),
        ({"admission_order": "LIFO"}, "admission_order = 'LIFO'; choose one of FCFS, EDF, PF, DPA"),
    ],
)
def test_bad_overrides_are_named(overrides, message):
    with pytest.raises(InputError, match=message):
        load_problem("mini").with_overrides(**overrides)


def test_a_world_must_have_the_models_of_the_traffic():
    with pytest.raises(InputError, match=r"model 'llama-3\.1-8b' is not in the world"):
        load_problem("day").with_overrides(world=load_problem("mini").world())


def test_a_trace_is_not_longer_than_it_is():
    with pytest.raises(InputError, match="horizon_s = 900 is longer than 'code'; give at most 636 s"):
        load_problem("azure").with_overrides(horizon_s=900.0)


def test_on_mini_a_small_fleet_breaches_and_a_large_one_wastes():
    """The trade-off of the problem, over four busy hours with their peaks."""
    problem = load_problem("mini").with_overrides(horizon_s=14_400.0)
    episode = problem.sample("test", rng(), {"day": "friday-o365-a", "start_s": 32_400.0, "variant": 0})
    met = {}
    for size in (1, 5, 12):
        sim = Simulator(with_instances(problem.world(), size), episode.workload, seed=episode.workload_seed)
        sim.advance(episode.horizon_s)
        rows = sim.metrics().service
        met[size] = next(row for row in rows if (row.scope, row.tier) == ("tier", "IW-F")).slo_attainment_of_attainable

    assert met[1] < 0.7 < 0.95 < met[5] <= met[12]  # more than twice the bill for nothing


def with_instances(world, count):
    return replace(world, pools=tuple(replace(pool, instances={"qwen3-32b": count}) for pool in world.pools))
