import math
from itertools import pairwise

import numpy as np
import pytest

from baselines import ReactivePolicy, StaticPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import instants, patience_s, run_episode
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import TIERS, published
from tests.sim.helpers import ArrayWorkload, requests, toy_world

SCENARIO = Scenario("slice", published(instances=4), O365Week(start_s=126_000.0, duration_s=700.0), control_interval_s=200.0)


class Noisy:
    """Draws random numbers, many or few, and holds the fleet."""

    def __init__(self, draws):
        self.draws, self.seen, self.times = draws, [], []

    def reset(self, scenario, rng):
        self.knobs, self.rng = Knobs.static(scenario.world), rng

    def decide(self, telemetry):
        self.times.append(telemetry.now_s)
        self.seen.append(self.rng.random(self.draws)[0])
        return self.knobs


@pytest.fixture(scope="module")
def result():
    return run_episode(SCENARIO, ReactivePolicy(), seed=1, resolution_s=90.0)


def same_series(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_the_same_seed_gives_the_same_result(result):
    again = run_episode(SCENARIO, ReactivePolicy(), seed=1, resolution_s=90.0)
    assert again.metrics.to_dict() == result.metrics.to_dict()
    same_series(again.series, result.series)
    other = run_episode(SCENARIO, ReactivePolicy(), seed=2, resolution_s=90.0)
    assert other.metrics.total.arrived != result.metrics.total.arrived


def test_looking_changes_nothing(result):
    other = run_episode(SCENARIO, ReactivePolicy(), seed=1, resolution_s=7.0, log_requests=True)
    assert other.metrics.to_dict() == result.metrics.to_dict()


def test_a_policys_random_numbers_are_its_own():
    few, many = Noisy(1), Noisy(1000)
    one, other = run_episode(SCENARIO, few, seed=1), run_episode(SCENARIO, many, seed=1)
    assert one.metrics.to_dict() == other.metrics.to_dict()
    assert few.seen[0] == many.seen[0]
    assert few.times == [0.0, 200.0, 400.0, 600.0]
    again = Noisy(1)
    run_episode(SCENARIO, again, seed=1)
    assert again.seen == few.seen


def test_the_series_spans_the_run(result):
    time_s, interval_s = result.series["time_s"], result.series["interval_s"]
    assert time_s.tolist() == [90.0, 180.0, 270.0, 360.0, 450.0, 540.0, 630.0, 700.0]
    assert interval_s.tolist() == [90.0] * 7 + [70.0]


def test_the_series_adds_up_to_the_metrics(result):
    series, metrics, interval_s = result.series, result.metrics, result.series["interval_s"]

    def integral(kind):
        return sum((column * interval_s).sum() for name, column in series.items() if name.split("/")[0] == kind)

    total, fleet = metrics.total, metrics.fleet_total
    assert integral("requests_per_s") == pytest.approx(total.arrived)
    assert integral("prompt_tokens_per_s") == pytest.approx(total.arrived_prompt_tokens)
    assert integral("active") / 3600 == pytest.approx(fleet.active_h)
    assert integral("provisioning") / 3600 == pytest.approx(fleet.provisioning_h)
    assert integral("draining") / 3600 == pytest.approx(fleet.draining_h)
    assert integral("spot") / 3600 == pytest.approx(metrics.spot_donated_h)
    assert integral("dollars_per_h") / 3600 == pytest.approx(fleet.dollars)
    assert sum(column[-1] for name, column in series.items() if name.startswith("waiting/")) == total.waiting
    assert series["queued_niw"][-1] == total.queued


def test_one_interval_has_the_percentiles_of_the_whole():
    result = run_episode(SCENARIO, StaticPolicy(), resolution_s=1000.0)
    for tier, row in zip(TIERS, result.metrics.service_by("tier"), strict=True):
        assert result.series[f"ttft_p95_s/{tier}"].tolist() == [row.ttft_p95_s]
        assert result.series[f"slo_attainment/{tier}"].tolist() == [row.slo_met / row.completed]
    for row in result.metrics.fleet_by("model-region-vm_type"):
        utilization = result.series[f"utilization/{row.region}/{row.model}/unified"]
        assert utilization.tolist() == [pytest.approx(row.mean_utilization)]


def test_an_interval_that_rejects_says_so():
    world = toy_world(instances=3)  # 1,000 KV tokens
    rows = requests((1.0, 50, 5, 1), (2.0, 999, 2, 1), (101.0, 999, 2, 1), (201.0, 50, 5, 1))
    scenario = Scenario("too large", world, ArrayWorkload(rows), duration_s=300.0)
    series = run_episode(scenario, StaticPolicy(), resolution_s=100.0).series
    assert series["slo_attainment/IW-N"].tolist() == [0.5, 0.0, 1.0]


def test_after_the_workload_the_fleet_runs_dry():
    scenario = Scenario("tail", SCENARIO.world, O365Week(start_s=126_000.0, duration_s=60.0), duration_s=2000.0)
    result = run_episode(scenario, StaticPolicy(), resolution_s=500.0)
    assert result.metrics.total.completed == result.metrics.total.arrived > 0
    assert math.isnan(result.series["ttft_p95_s/IW-F"][-1])
    assert result.series["utilization/westus/llama-2-70b/unified"][-1] == 0


def test_progress_is_told():
    calls = []
    run_episode(SCENARIO, StaticPolicy(), resolution_s=350.0, progress=lambda now_s, arrived: calls.append((now_s, arrived)))
    assert [now_s for now_s, _ in calls] == [0.0, 200.0, 350.0, 400.0, 600.0, 700.0]
    assert calls[0][1] == 0
    assert all(before[1] < after[1] for before, after in pairwise(calls))


def test_instants_that_do_not_divide():
    assert list(instants(10.0, 4.0, 3.0)) == [
        (0.0, False, True),
        (3.0, False, True),
        (4.0, True, False),
        (6.0, False, True),
        (8.0, True, False),
        (9.0, False, True),
        (10.0, True, False),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution_s": 0.0}, "resolution_s = 0.0 is not valid"),
        ({"resolution_s": math.inf}, "resolution_s = inf is not valid"),
        ({"seed": -1}, "seed = -1 is out of range"),
        ({"seed": 0.5}, "seed = 0.5 is out of range"),
    ],
)
def test_a_bad_argument_is_named(options, message):
    with pytest.raises(InputError, match=message):
        run_episode(SCENARIO, StaticPolicy(), **options)


# --- until the last request is done -------------------------------------------------------------------------------------------


def drained(rows, world=None, **options):
    scenario = Scenario("drained", world or toy_world(instances=2), ArrayWorkload(rows), control_interval_s=100.0)
    return run_episode(scenario, StaticPolicy(), drain=True, **options)


def test_one_request_is_served():
    rows = requests((0.0, 50, 500, 1))
    world = toy_world(instances=1)
    cut = run_episode(Scenario("cut", world, ArrayWorkload(rows)), StaticPolicy(), log_requests=True)
    assert (cut.horizon_s, cut.metrics.total.completed, cut.metrics.total.arrived) == (1.0, 0, 1)
    result = drained(rows, world, log_requests=True)
    done_s = float(result.requests["completion_s"][0])
    assert result.metrics.total.completed == 1
    assert done_s <= result.horizon_s < done_s + 1.0
    assert result.metrics.now_s == result.horizon_s == result.series["time_s"][-1]
    assert result.metrics.fleet_total.active_h == pytest.approx(result.horizon_s / 3600)


def test_a_run_that_is_over_at_the_horizon_ends_there():
    rows = requests((0.0, 50, 5, 1), (200.5, 999, 2))  # the second fits nowhere
    result = drained(rows)
    assert (result.horizon_s, result.metrics.total.rejected) == (201.5, 1)


def test_the_policy_goes_on_deciding_and_the_series_are_whole():
    policy = Noisy(1)
    rows = requests(*[(0.01 * k, 200, 100, 2) for k in range(400)])
    scenario = Scenario("drained", toy_world(instances=1), ArrayWorkload(rows), control_interval_s=7.0)
    result = run_episode(scenario, policy, drain=True, resolution_s=11.0)
    total = result.metrics.total
    assert (total.completed, total.slo_missed + total.slo_met) == (400, 400)
    assert policy.times == [7.0 * k for k in range(len(policy.times))]
    assert policy.times[-1] > scenario.horizon_s
    assert result.series["interval_s"].sum() == result.horizon_s
    active_s = result.series["active/r0/m0/unified"] @ result.series["interval_s"]
    assert active_s / 3600 == pytest.approx(result.metrics.fleet_total.active_h)


def test_draining_changes_nothing_before_the_horizon():
    scenario = Scenario("hour", published(instances=4), O365Week(start_s=126_000.0, duration_s=600.0), control_interval_s=200.0)
    plain, whole = (run_episode(scenario, ReactivePolicy(), resolution_s=100.0, drain=drain) for drain in (False, True))
    for name, column in plain.series.items():
        assert np.array_equal(column, whole.series[name][: len(column)], equal_nan=True), name
    assert whole.metrics.total.completed == whole.metrics.total.arrived == plain.metrics.total.arrived


def test_what_never_runs_is_given_up():
    class Nobody:
        def reset(self, scenario, rng):
            self.knobs = Knobs.static(scenario.world)
            self.knobs.floor[:] = self.knobs.cap[:] = 0

        def decide(self, telemetry):
            return self.knobs

    world = toy_world(instances=1)
    scenario = Scenario("nobody", world, ArrayWorkload(requests((5.0, 50, 5))), control_interval_s=3600.0)
    result = run_episode(scenario, Nobody(), drain=True, resolution_s=3600.0)
    assert result.metrics.total.waiting == 1
    assert patience_s(world) < result.horizon_s < patience_s(world) + 2 * 3600.0


# --- at the door ----------------------------------------------------------------------------------------------------------------


class Deciding(Noisy):
    """Decides what it is given."""

    def __init__(self, decision):
        super().__init__(1)
        self.decision = decision

    def decide(self, telemetry):
        return self.decision


@pytest.mark.parametrize("decision", [None, "x", 4, {}])
def test_a_decision_that_is_no_knobs(decision):
    with pytest.raises(InputError, match=r"policy 'Deciding' at 0 s: knobs = .* is no Knobs"):
        run_episode(SCENARIO, Deciding(decision))


def test_a_decision_out_of_range_names_the_policy():
    knobs = Knobs.static(SCENARIO.world)
    knobs.cool_down_s[3] = math.inf
    with pytest.raises(
        InputError, match=r"policy 'Deciding' at 0 s: knob cool_down_s\[3\] = inf is out of range; give 0 to 1000000000"
    ):
        run_episode(SCENARIO, Deciding(knobs))


@pytest.mark.parametrize(
    ("policy", "message"), [(None, "no reset and no decide"), (StaticPolicy, "is a class"), ("static", "no reset")]
)
def test_what_is_no_policy(policy, message):
    with pytest.raises(InputError, match=rf"policy = .*{message}"):
        run_episode(SCENARIO, policy)


def test_what_is_no_scenario():
    with pytest.raises(InputError, match="scenario = 'o365-day' is no Scenario"):
        run_episode("o365-day", StaticPolicy())


@pytest.mark.parametrize("name", ["control_interval_s", "duration_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, 1e300, "x", True])
def test_a_scenario_of_absurd_numbers(name, value):
    with pytest.raises(InputError, match=rf"{name} = .* is not valid; give seconds, more than 0, at most 31622400"):
        Scenario("absurd", SCENARIO.world, SCENARIO.workload, **{name: value})


def test_more_intervals_than_anyone_waits_for():
    with pytest.raises(
        InputError, match=r"control_interval_s = 1e-300 cuts 700 s into more than 10,000,000 intervals; give at least"
    ):
        Scenario("absurd", SCENARIO.world, SCENARIO.workload, 1e-300)
    with pytest.raises(
        InputError, match=r"resolution_s = 1e-300 cuts 700 s into more than 1,000,000 intervals; give at least 0\.0007"
    ):
        run_episode(SCENARIO, StaticPolicy(), resolution_s=1e-300)


@pytest.mark.parametrize(("world", "workload", "message"), [(None, None, "world = None is no World"), ("w", None, "is no World")])
def test_a_scenario_of_wrong_kinds(world, workload, message):
    with pytest.raises(InputError, match=message):
        Scenario("wrong", world, SCENARIO.workload)
    with pytest.raises(InputError, match="workload = NoneType object has no"):
        Scenario("wrong", SCENARIO.world, workload)
