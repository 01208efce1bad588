"""Forecast and program with a short lookahead: fleets that are there before a recurring peak, on any requests."""

from dataclasses import replace

import numpy as np
import pytest

from baselines.capacity import load_capacity, mixture, sizes_in
from baselines.forecast_program import ForecastProgramPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.scenarios import Scenario
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.drawn.sizes import size_table, table_mean
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import load_world

HOUR_S = 3600.0
MODEL = "bloom-176b"
LEAD_S = 900.0


def small_world():
    """One model and one region, 15 minutes to redeploy."""
    world = load_world("published-a100")
    model = next(model for model in world.models if model.name == MODEL)
    return replace(
        world,
        regions=(replace(world.regions[0], vm_capacity={world.vm_types[0].name: 12}),),
        latency_s=((0.0,),),
        models=(model,),
        pools=(replace(world.pools[0], instances={MODEL: 2}),),
        lead_times=replace(world.lead_times, reclaim_s=LEAD_S, redeploy_s=LEAD_S),
    )


def peaks(hours, tokens=1):
    """A quiet hour whose minutes 30 to 40 are eight times as busy, again and again."""
    edges = 600.0 * np.arange(6 * hours + 1)
    rate = np.where(np.arange(6 * hours) % 6 == 3, 8.0, 1.0)[None]
    sizes = size_table([0.1, 0.9], [150 * tokens, 250 * tokens]), size_table([0.1, 0.9], [100, 300])
    return IntensityWorkload("peaks", Intensity.renewal((Series(MODEL, (1.0, 0.0, 0.0), None, *sizes),), edges, rate, cv=1.0))


class Watched:
    def __init__(self, policy):
        self.policy, self.wanted = policy, []

    def reset(self, scenario, rng):
        self.policy.reset(scenario, rng)

    def decide(self, telemetry):
        knobs = self.policy.decide(telemetry)
        self.wanted.append((telemetry.now_s, int(knobs.floor.sum())))
        return knobs


def test_instances_are_started_a_lead_time_before_a_recurring_peak_and_given_up_after():
    workload = peaks(2).after(peaks(24))
    policy = ForecastProgramPolicy(throughput=[[450.0]], epsilon=1.0, head_room=1.0)
    watched = Watched(policy)
    run_episode(Scenario("peaks", small_world(), workload, control_interval_s=300.0), watched, seed=1)
    wanted = dict(watched.wanted)
    quiet, busy = wanted[0.0], wanted[2100.0]
    assert busy >= quiet + 2
    for start_s in (0.0, HOUR_S):
        assert wanted[start_s + 300.0] == quiet
        assert wanted[start_s + 1800.0 - LEAD_S] == busy
        assert wanted[start_s + 3000.0] == quiet


def test_head_room_and_lookahead_do_what_they_say():
    workload = peaks(1).after(peaks(24))

    def first(**options):
        watched = Watched(ForecastProgramPolicy(throughput=[[450.0]], epsilon=1.0, **options))
        run_episode(Scenario("peaks", small_world(), workload, 300.0, duration_s=300.0), watched, seed=1)
        return watched.wanted[0][1]

    assert first(lookahead_s=300.0, head_room=1.0) == 2
    assert first(lookahead_s=3600.0, head_room=1.0) == 4
    assert first(lookahead_s=3600.0, head_room=2.0) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head_room": 0}, "head_room = 0"),
        ({"head_room": float("nan")}, "head_room = nan"),
        ({"lookahead_s": 7200.0}, "lookahead_s = 7200"),
        ({"replan_s": 60.0}, "replan_s = 60"),
        ({"forecaster": "tarot"}, "forecaster = 'tarot'"),
        ({"capacity": "guessed"}, "capacity = 'guessed'"),
    ],
    ids=str,
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        ForecastProgramPolicy(**options).reset(Scenario("s", small_world(), peaks(1)), np.random.default_rng(0))


def test_capacity_is_that_of_the_requests_that_come():
    world = small_world()
    week = load_capacity(world)
    np.testing.assert_array_equal(load_capacity(world, workload=O365Week(duration_s=3600.0)), week)
    own = load_capacity(world, workload=peaks(1))
    assert own[0, 0] != week[0, 0]
    np.testing.assert_array_equal(load_capacity(world, workload=peaks(1)), own)
    assert load_capacity(world, workload=peaks(1, tokens=10))[0, 0] > 1.2 * own[0, 0]  # the same answers to longer prompts


def test_sizes_are_mixed_by_what_interactive_requests_there_are():
    short, long = size_table([0.5], [100]), size_table([0.5], [1000])
    batch = size_table([0.5], [50_000])
    series = (
        Series(MODEL, (1, 0, 0), None, short, short),
        Series(MODEL, (0, 1, 0), None, long, long),
        Series(MODEL, (0, 0, 1), None, batch, batch),
        Series("other", (1, 0, 0), None, batch, batch),
    )
    intensity = Intensity.renewal(series, np.array([0.0, 60.0]), np.array([[3.0], [1.0], [9.0], [1.0]]), cv=1.0)
    found = sizes_in(IntensityWorkload("mixed", intensity), MODEL)
    assert table_mean(found.prompt) == pytest.approx(0.75 * table_mean(short) + 0.25 * table_mean(long), rel=0.02)
    assert sizes_in(IntensityWorkload("mixed", intensity), "absent") is None
    np.testing.assert_array_equal(mixture([long], [1.0]), long)
