"""HPA and KEDA on crafted telemetry, and in play."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from baselines.autoscalers import HpaPolicy, KedaPolicy
from baselines.autoscalers.hpa import recommended
from baselines.fleet import placed
from sageserve_env.errors import InputError
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Simulator
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import load_world, published
from sageserve_env.world.vms import region_capacity

WORLD = published(instances=4)
TWO_TYPES = load_world(Path(__file__).parents[2] / "examples" / "world_two_vm_types.yaml")
WORKLOAD = O365Week(duration_s=60.0)
TWO_TYPES_WORKLOAD = O365Week(duration_s=60.0, models={"llama-3.2-3b": "llama-3.1-8b"})
N = 12


def telemetry(world=WORLD, now_s=0.0, **changes):
    """The starting fleet of a world, with some of what it looks like changed."""
    workload = TWO_TYPES_WORKLOAD if world is TWO_TYPES else WORKLOAD
    seen = Simulator(world, workload).telemetry()
    return replace(seen, now_s=now_s, **changes)


def begun(policy, world=WORLD):
    policy.reset(Scenario("s", world, WORKLOAD), np.random.default_rng(0))
    return policy


def wanted(policy, seen):
    knobs = policy.decide(seen)
    assert (knobs.floor == knobs.cap).all()
    return knobs.floor.sum(axis=1).tolist()


def instances(count):
    return np.full((N, 1), count)


def test_the_recommendation_is_kubernetes():
    def one(active, coming, metric):
        return int(recommended(np.array([active]), np.array([coming]), np.array([metric]), 0.5, 0.1)[0])

    assert one(4, 0, 1.0) == 8
    assert one(4, 0, 0.54) == 4  # within the tolerance
    assert one(4, 0, 0.46) == 4
    assert one(4, 0, 0.25) == 2
    assert one(4, 4, 1.0) == 8  # those on their way are enough
    assert one(4, 6, 1.0) == 10  # and none is taken back while it is busy
    assert one(4, 4, 0.25) == 2  # what is on its way does not count on the way in
    assert one(3, 0, 0.5 + 1e-12) == 3
    assert one(0, 2, 1.0) == 2  # nobody serves yet: wait


def test_hpa_tracks_its_target_within_its_limits():
    policy = begun(HpaPolicy(target_utilization=0.5, most_added=3, most_added_share=0.5))
    assert wanted(policy, telemetry(utilization=np.full(N, 0.75))) == [6] * N
    assert wanted(policy, telemetry(now_s=1.0, utilization=np.full(N, 1.0))) == [7] * N  # 8, but three at a time
    ten = telemetry(now_s=2.0, active=instances(10), utilization=np.full(N, 1.0))
    assert wanted(policy, ten) == [15] * N  # half of ten is more than three


def test_hpa_shrinks_to_the_greatest_recommendation_of_its_window():
    policy = begun(HpaPolicy(target_utilization=0.5, stabilisation_s=300.0))
    busy, idle = np.full(N, 0.5), np.full(N, 0.1)
    assert wanted(policy, telemetry(utilization=busy)) == [4] * N
    assert wanted(policy, telemetry(now_s=300.0, utilization=idle)) == [4] * N
    assert wanted(policy, telemetry(now_s=301.0, utilization=idle)) == [2] * N  # 1, but the world's least is 2


def test_hpa_takes_the_greatest_of_its_metrics():
    running = np.zeros((N, 3), np.int64)
    running[:, 0] = 80
    seen = telemetry(utilization=np.full(N, 0.5), running=running)
    assert wanted(begun(HpaPolicy(target_utilization=None, target_running=10.0)), seen) == [8] * N
    assert wanted(begun(HpaPolicy(target_utilization=0.5, target_running=40.0)), seen) == [4] * N
    assert wanted(begun(HpaPolicy(target_utilization=0.25, target_running=40.0)), seen) == [8] * N


def test_keda_follows_the_backlog_and_idles_after_its_cool_down():
    policy = begun(KedaPolicy(target=10.0, activation=5.0, cool_down_s=600.0, stabilisation_s=0.0))
    waiting = np.zeros((N, 3), np.int64)
    waiting[:, 1] = 35
    assert wanted(policy, telemetry(waiting=waiting, running=waiting)) == [7] * N
    waiting[:, 1] = 5
    assert wanted(policy, telemetry(now_s=599.0, waiting=waiting)) == [2] * N
    assert wanted(begun(KedaPolicy(target=1.0, activation=5.0, cool_down_s=600.0)), telemetry(waiting=waiting)) == [5] * N
    late = begun(KedaPolicy(target=1.0, activation=5.0, cool_down_s=600.0, stabilisation_s=0.0))
    wanted(late, telemetry())
    assert wanted(late, telemetry(now_s=599.0, waiting=waiting)) == [5] * N
    assert wanted(late, telemetry(now_s=600.0, waiting=waiting)) == [2] * N


def test_kedas_backlogs():
    waiting, tokens = np.zeros((N, 3), np.int64), np.zeros((N, 3), np.int64)
    waiting[:, 0], tokens[:, 0] = 30, 9000
    queued = np.full((3, 4), 20)
    seen = telemetry(waiting=waiting, waiting_tokens=tokens, running=waiting, queued=queued, queued_tokens=100 * queued)
    assert wanted(begun(KedaPolicy("requests", target=15.0)), seen) == [4] * N
    assert wanted(begun(KedaPolicy("waiting", target=6.0)), seen) == [5] * N
    assert wanted(begun(KedaPolicy("waiting-tokens", target=3000.0)), seen) == [3] * N
    assert wanted(begun(KedaPolicy("waiting", target=10.0, niw_share=0.5)), seen) == [4] * N
    assert wanted(begun(KedaPolicy("waiting-tokens", target=2000.0, niw_share=0.5)), seen) == [5] * N


def test_instances_stay_where_they_are_and_come_where_there_is_room():
    world = TWO_TYPES
    most, seen = region_capacity(world), telemetry(world)
    now = (seen.active + seen.provisioning).astype(np.int32)
    np.testing.assert_array_equal(placed(seen, now.sum(axis=1), most), now)
    more = placed(seen, now.sum(axis=1) + 1, most)
    assert (more >= now).all()
    assert (more.sum(axis=1) == now.sum(axis=1) + 1).all()
    fewer = placed(seen, now.sum(axis=1) - 1, most)
    assert (fewer <= now).all()
    assert (fewer.sum(axis=1) == now.sum(axis=1) - 1).all()
    all_of_them = placed(seen, np.full(len(now), 10**6), most)
    assert (all_of_them <= most).all()
    assert (all_of_them.sum(axis=1) == most.sum(axis=1)).all()


def test_a_rise_takes_the_first_type_that_has_a_free_vm():
    seen = telemetry(TWO_TYPES)
    now, most = (seen.active + seen.provisioning).astype(np.int64), region_capacity(TWO_TYPES)
    one_more = now.sum(axis=1)
    one_more[0] += 1
    assert seen.spot[0].tolist() == [0, 40]
    assert (placed(seen, one_more, most)[0] - now[0]).tolist() == [0, 1]
    assert (placed(replace(seen, spot=np.ones_like(seen.spot)), one_more, most)[0] - now[0]).tolist() == [1, 0]
    assert (placed(replace(seen, spot=np.zeros_like(seen.spot)), one_more, most)[0] - now[0]).tolist() == [1, 0]  # it waits


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (HpaPolicy(target_utilization=None), "leave no metric"),
        (HpaPolicy(target_utilization=0.0), "target_utilization = 0"),
        (HpaPolicy(target_utilization=1.5), "target_utilization = 1.5"),
        (HpaPolicy(target_running=float("nan")), "target_running = nan"),
        (HpaPolicy(tolerance=-0.1), "tolerance = -0.1"),
        (HpaPolicy(min_instances=1), "min_instances = 1 is below the least that world 'published' allows; give 2 or more"),
        (HpaPolicy(stabilisation_s=float("inf")), "stabilisation_s = inf"),
        (HpaPolicy(most_added=0), "most_added = 0"),
        (HpaPolicy(most_added_share="x"), "most_added_share = x"),
        (HpaPolicy(admission_order="LIFO"), "admission_order = 'LIFO'"),
        (KedaPolicy("tokens"), "metric = 'tokens'"),
        (KedaPolicy(target=0), "target = 0"),
        (KedaPolicy(activation=-1.0), "activation = -1"),
        (KedaPolicy(cool_down_s=1e9), "cool_down_s = 1000000000"),
        (KedaPolicy(niw_share=2), "niw_share = 2"),
        (KedaPolicy(min_instances=1.5), "min_instances = 1.5"),
        (KedaPolicy(min_instances=0), "min_instances = 0 is below the least"),
    ],
    ids=str,
)
def test_bad_options_are_named(policy, message):
    with pytest.raises(InputError, match=message):
        begun(policy)
