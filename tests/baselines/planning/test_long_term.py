import logging
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from baselines.bounds.hindsight import OraclePolicy
from baselines.forecast import Forecast
from baselines.long_term.lt_i import LtI
from baselines.long_term.lt_u import LtU
from baselines.long_term.lt_ua import LtUa
from baselines.long_term.policy import CAPACITIES, Traffic
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.scenarios import Scenario
from sageserve_env.workload.rates import past_rates
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import published, siloed
from sageserve_env.world.schema import LeadTimes
from tests.sim.helpers import ArrayStream, requests, toy_world

THETA = [[10.0]]
POLICIES = (LtI, LtU, LtUa)


@dataclass(frozen=True)
class Rows:
    """Requests in memory, with a past."""

    rows: np.ndarray
    duration_s: float
    past: object = None
    name: str = "rows"

    def stream(self, world, seed):
        return ArrayStream(self.rows, 4096)


@dataclass
class Fixed:
    """Always forecasts the same tokens/s, one for each series."""

    rates: tuple
    name: str = "fixed"

    def forecast(self, history, window_s):
        point = np.repeat(np.array(self.rates, float)[:, None], round(3600 / window_s), axis=1)
        assert len(history) == len(point)
        return Forecast(point, point, point, 0.8, window_s, ("fixed",) * len(point))


@dataclass
class Watched:
    """A policy, the fleets that it saw and the knobs that it set."""

    policy: object
    fleets: list = field(default_factory=list)
    knobs: list = field(default_factory=list)

    def reset(self, scenario, rng):
        self.policy.reset(scenario, rng)

    def decide(self, telemetry):
        self.fleets.append((telemetry.active + telemetry.provisioning).sum(axis=1).tolist())
        self.knobs.append(self.policy.decide(telemetry))
        return self.knobs[-1]


HOUR_BEFORE = Rows(requests((10.0, 900, 1)), 3600.0)


def traffic(*rows, duration_s=1800.0):
    return Rows(requests(*rows), duration_s, HOUR_BEFORE)


def busy(duration_s=1800.0):
    """A request each second: far more than a toy instance serves."""
    return traffic(*((float(t), 400, 200) for t in range(int(duration_s))), duration_s=duration_s)


def telemetry(now_s, interactive, fleet, niw=0):
    """What the policies read, of one model; tokens so far and instances by region."""
    arrived = np.zeros((len(fleet), 1, 3), np.int64)
    arrived[:, 0, 0], arrived[:, 0, 2] = interactive, niw
    active = np.array(fleet)[:, None]
    return SimpleNamespace(now_s=now_s, arrived_tokens=arrived, active=active, provisioning=np.zeros_like(active))


def started(policy, world, workload=None):
    policy.reset(Scenario("s", world, workload or traffic()), np.random.default_rng(0))
    return policy


def watch(policy, world, workload, control_interval_s=15.0):
    watched = Watched(policy)
    result = run_episode(Scenario("s", world, workload, control_interval_s=control_interval_s), watched)
    return watched, result


def test_lt_i_applies_the_plan_at_once():
    # Region 0 must serve 0.8 x 55 = 44 tokens/s itself, both together 55 + 5 + a tenth of the NIW (450 / 3600): 61 tokens/s.
    policy = LtI(forecaster=Fixed((55.0, 6.0)), throughput=THETA)
    world = toy_world(regions=2, instances=4, vms=10)
    past = Rows(requests((3000.0, 450, 1, 2)), 3600.0)
    watched, result = watch(policy, world, Rows(requests((1.0, 10, 1)), 1800.0, past))
    assert watched.fleets[0] == [4, 4]
    assert all(fleet == [5, 2] for fleet in watched.fleets[1:])
    assert all(np.array_equal(knobs.floor, knobs.cap) for knobs in watched.knobs)
    assert policy.plans[0].niw_tokens_per_s.tolist() == [[0.125], [0.0]]
    assert result.metrics.fleet_total.active == 7


@pytest.mark.parametrize("policy_type", [LtU, LtUa])
@pytest.mark.parametrize(
    ("begin", "workload", "end"),
    [(2, busy(), 4), (2, traffic((1.0, 1, 1)), 2), (8, traffic((1.0, 1, 1)), 4), (8, busy(), 8)],
    ids=["out while busy", "not out while idle", "in while idle", "not in while busy"],
)
def test_lt_u_moves_by_utilization_and_never_past_its_target(policy_type, begin, workload, end):
    policy = policy_type(forecaster=Fixed((40.0,)), throughput=THETA)
    watched, _ = watch(policy, toy_world(instances=begin, vms=10), workload)
    fleets = np.array(watched.fleets).ravel()
    assert policy.plans[0].target.tolist() == [[4]]
    assert fleets[-1] == end
    assert fleets.min() >= min(begin, 4)
    assert fleets.max() <= max(begin, 4)
    assert np.abs(np.diff(fleets)).max() <= 1  # the tick's one instance at a time


def test_lt_u_bounds_follow_the_present_count():
    policy = started(LtU(forecaster=Fixed((40.0, 40.0)), throughput=THETA), toy_world(regions=2, instances=4, vms=10))
    for fleet, floor, cap in (([3, 6], [3, 4], [4, 6]), ([4, 5], [4, 4], [4, 5]), ([1, 4], [2, 4], [4, 4])):
        knobs = policy.decide(telemetry(0.0, 0, fleet))
        assert (knobs.floor.ravel().tolist(), knobs.cap.ravel().tolist()) == (floor, cap)


@pytest.mark.parametrize("policy_type", [LtU, LtUa])
def test_what_is_busy_and_idle_is_the_worlds_to_say_or_an_option(policy_type):
    world = toy_world(instances=5, vms=20)
    for options, expected in (
        ({}, [world.scaling.scale_out_utilization, world.scaling.scale_in_utilization]),
        ({"scale_out_utilization": 0.15, "scale_in_utilization": 0.05}, [0.15, 0.05]),
    ):
        policy = started(policy_type(forecaster=Fixed((40.0,)), throughput=THETA, **options), world)
        knobs = policy.decide(telemetry(0.0, 0, [5]))
        assert [*knobs.scale_out_utilization, *knobs.scale_in_utilization] == expected


# The forecast is 100 tokens/s, traffic is observed over 300 s: 5 times it is 150,000 tokens, half of it 15,000.
@pytest.mark.parametrize(
    ("tokens", "higher", "lower"),
    [(149_999, 0, 0), (150_000, 1, 0), (150_001, 1, 0), (15_001, 0, 0), (15_000, 0, 1), (14_999, 0, 1), (0, 0, 1), (30_000, 0, 0)],
)
@pytest.mark.parametrize(("now_s", "late"), [(2399.0, 0), (2400.0, 1), (3599.0, 1), (3600.0, 0)])
def test_lt_ua_passes_its_target_late_in_the_hour_only(now_s, late, tokens, higher, lower):
    policy = started(LtUa(forecaster=Fixed((100.0,)), throughput=THETA), toy_world(instances=5, vms=20))
    policy.decide(telemetry(0.0, 0, [5]))
    policy.decide(telemetry(now_s - 300.0, 7_000, [5]))
    knobs = policy.decide(telemetry(now_s, 7_000 + tokens, [5]))
    assert knobs.cap.tolist() == [[20 if late and higher else 10]]
    assert knobs.floor.tolist() == [[2 if late and lower else 5]]


def test_lt_ua_options():
    world = toy_world(instances=5, vms=20)
    policy = started(LtUa(Fixed((100.0,)), throughput=THETA, out_factor=2.0, late_s=600.0, observed_s=60.0), world)
    policy.decide(telemetry(0.0, 0, [5]))
    policy.decide(telemetry(2940.0, 0, [5]))
    assert policy.decide(telemetry(3000.0, 12_000, [5])).cap.tolist() == [[20]]
    for options in ({"out_factor": 0.5}, {"in_factor": -1.0}, {"late_s": 3601.0}, {"observed_s": 0.0}):
        with pytest.raises(InputError, match=next(iter(options))):
            started(LtUa(**options), world)


def test_lt_ua_does_not_take_expected_silence_for_a_burst():
    policy = started(LtUa(forecaster=Fixed((0.0,)), throughput=THETA), toy_world(instances=5, vms=20))
    policy.decide(telemetry(0.0, 0, [5]))
    assert policy.decide(telemetry(3000.0, 0, [5])).cap.tolist() == [[5]]


@pytest.mark.parametrize("policy_type", POLICIES)
def test_demand_that_no_plan_meets_takes_the_vms_and_is_logged(policy_type, caplog):
    policy = started(policy_type(forecaster=Fixed((1e6, 10.0)), throughput=THETA), toy_world(regions=2, instances=2, vms=7))
    with caplog.at_level(logging.WARNING):
        knobs = policy.decide(telemetry(0.0, 0, [2, 2]))
    assert knobs.cap.ravel().tolist() == [7, 7]
    assert not policy.plans[0].plan.feasible
    assert "not feasible" in caplog.text


@pytest.mark.parametrize("policy_type", POLICIES)
def test_no_demand_keeps_the_least_number_of_instances(policy_type):
    policy = started(policy_type(forecaster=Fixed((0.0, 0.0)), throughput=THETA), toy_world(regions=2, instances=4, vms=7))
    assert policy.decide(telemetry(0.0, 0, [4, 4])).floor.ravel().tolist() == [2, 2]


def test_without_a_past_the_starting_fleet_is_held_for_an_hour():
    policy = started(LtI(forecaster=Fixed((90.0,)), throughput=THETA), toy_world(vms=20), Rows(requests(), 7200.0))
    for now_s in (0.0, 1800.0, 3599.0):
        assert policy.decide(telemetry(now_s, 0, [1])).floor.tolist() == [[1]]
    assert policy.decide(telemetry(3700.0, 0, [1])).floor.tolist() == [[9]]
    assert [hour.start_s for hour in policy.plans] == [3600.0]


def test_traffic_counts_windows_of_the_past_and_of_telemetry():
    past = Rows(requests((100.0, 180, 1), (1000.0, 90, 1, 2), (1700.0, 360, 1, 1)), 1800.0)
    traffic = Traffic(Rows(requests(), 7200.0, past), toy_world(), 900.0, seed=0)
    assert traffic.history(0.0).tolist() == [[0.2, 0.4]]
    assert traffic.niw_rate(0.0).tolist() == [[0.05]]
    for now_s in (600.0, 1200.0, 3600.0):  # 1 token/s; looks that miss the windows' edges are joined by straight lines
        traffic.see(telemetry(now_s, int(now_s), [1], niw=int(now_s / 2)))
    assert traffic.history(1200.0) == pytest.approx(np.array([[0.2, 0.4, 1.0]]))
    assert traffic.history(3600.0) == pytest.approx(np.array([[0.2, 0.4, 1.0, 1.0, 1.0, 1.0]]))
    assert traffic.niw_rate(3600.0) == pytest.approx(0.5)


def test_the_past_has_a_past_and_its_windows_end_at_time_zero():
    world, week = published(), O365Week(duration_s=18_000.0, scale=0.01)
    first, second = week.slice(0.0, 7200.0), week.slice(7200.0, 3600.0)
    workload = Rows(requests(), 900.0, second.after(first))
    assert past_rates(workload, world, 1, 900.0).shape == (3, 4, 12)
    odd = Rows(requests(), 900.0, week.slice(0.0, 4000.0))
    assert past_rates(odd, world, 1, 900.0).shape == (3, 4, 4)


def test_two_runs_are_identical():
    workload = O365Week(start_s=126_000.0, duration_s=7200.0, scale=0.1)
    runs = []
    for _ in range(2):
        policy = LtUa(forecaster="seasonal-naive", throughput=[[1000.0]] * 4, admission_order="EDF")
        watched, result = watch(policy, published(instances=3), workload, control_interval_s=300.0)
        runs.append((result.metrics.to_dict(), [knobs.floor.tolist() for knobs in watched.knobs], watched.fleets))
    assert str(runs[0]) == str(runs[1])
    assert len(policy.plans) == 2


@pytest.mark.parametrize("policy_type", POLICIES)
def test_the_future_changes_no_knob_before_it(policy_type):
    steady = [(10.0 * k, 100, 10) for k in range(1080)]
    futures = ([(*row[:1], 1, 1) for row in steady if row[0] >= 6000], [row for row in steady if row[0] >= 6000])
    seen = []
    for future in futures:
        workload = traffic(*(row for row in steady if row[0] < 6000), *future, duration_s=10_800.0)
        policy = policy_type(forecaster="seasonal-naive", throughput=[[2.0]])
        watched, _ = watch(policy, toy_world(instances=2, vms=30), workload, control_interval_s=300.0)
        seen.append([(knobs.floor.tolist(), knobs.cap.tolist()) for knobs in watched.knobs])
    assert seen[0][:21] == seen[1][:21]
    assert seen[0] != seen[1]


def test_prepare_sets_the_starting_fleet():
    world = published()
    assert LtU().prepare(world) is world
    assert set(LtU(initial_instances=8).prepare(world).pools[0].instances.values()) == {8}
    with pytest.raises(InputError, match="initial_instances = -1"):
        LtU(initial_instances=-1).prepare(world)


def test_throughput_is_the_capacity_chosen():
    planned, saturated, level = (started(LtI(capacity=name), published())._throughput for name in CAPACITIES)
    assert planned.shape == (4, 1)
    assert planned == pytest.approx(saturated / 2)
    assert ((level > 0) & (level <= saturated)).all()


@pytest.mark.parametrize(
    ("policy", "world", "message"),
    [
        (LtI(), siloed(), "pools = 'interactive, non-interactive' are several"),
        (LtI(forecaster="astrology"), published(), "forecaster = 'astrology' is not known"),
        (LtI(epsilon=2.0), published(), "epsilon = 2.0"),
        (LtI(niw_share=-1.0), published(), "niw_share = -1.0"),
        (LtU(forecaster="seasonal-naive", scale_out_utilization=1.5), published(), "scale_out_utilization = 1.5 is out of range"),
        (LtUa(forecaster="seasonal-naive", scale_in_utilization=-0.1), published(), "scale_in_utilization = -0.1 is out of range"),
        (LtI(throughput=np.full((4, 1), 10.0), admission_order="LIFO"), published(), "admission_order = 'LIFO'"),
        (LtI(capacity="NIW"), published(), "capacity = 'NIW' is not known; choose one of planned, saturated, level"),
        (OraclePolicy(), published(), "seed = None"),
        (OraclePolicy(seed=0), siloed(), "oracle plans one pool"),
    ],
)
def test_bad_options(policy, world, message):
    with pytest.raises(InputError, match=message):
        started(policy, world)


def test_the_oracle_starts_a_lead_time_before_the_traffic():
    world = replace(toy_world(instances=2, vms=20), lead_times=LeadTimes(60.0, 600.0, 7200.0))
    policy = OraclePolicy(throughput=THETA)
    burst = traffic((1000.0, 45_000, 1), (1900.0, 9_000, 1, 2), duration_s=3600.0)  # 50 tokens/s, then 10 of NIW
    policy.foresee(burst, 0)
    started(policy, world, burst)
    targets = [int(policy.decide(telemetry(300.0 * k, 0, [2])).floor[0, 0]) for k in range(12)]
    assert targets == [2, 5, 5, 5, 5, 5, 2, 2, 2, 2, 2, 2]


def test_the_oracle_meets_all_demand():
    world, workload = published(instances=4), O365Week(start_s=126_000.0, duration_s=3600.0, scale=0.3)
    policy = OraclePolicy(seed=0, throughput=[[3000.0]] * 4)
    watched, _ = watch(policy, world, workload, control_interval_s=900.0)
    for k, knobs in enumerate(watched.knobs):
        supply = 3000.0 * knobs.floor.reshape(3, 4)
        assert (supply.sum(axis=0) >= policy._demand[:, :, k].sum(axis=0)).all()
        assert (supply >= 0.8 * policy._demand[:, :, k]).all()


def test_the_runner_prepares_the_world_and_lets_the_oracle_see():
    policy = OraclePolicy(initial_instances=3, throughput=[[3000.0]] * 4)
    workload = O365Week(start_s=126_000.0, duration_s=600.0)
    result = run_episode(Scenario("s", published(), workload), policy, seed=4)
    assert sum(result.world.pools[0].instances.values()) == 12
    assert result.metrics.total.arrived > 0
