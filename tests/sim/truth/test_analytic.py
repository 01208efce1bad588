"""Cases with an answer on paper: one request alone, an empty workload, queues of one server."""

import math

import numpy as np
import pytest

from sageserve_env.sim import Simulator
from sageserve_env.workload.request import REQUEST_DTYPE
from sageserve_env.world import published
from sageserve_env.world.measured.profiles import evaluate
from sageserve_env.world.schema import Routing, Serving
from tests.sim.helpers import ArrayWorkload, decode_time, log_by_request, prefill_time, requests, simulate, toy_world

Z = 4.0
"""Standard errors that a simulated mean may lie from theory: a right simulator is further off once in 15,000 draws."""


@pytest.mark.parametrize("kv_admission", ["two_step", "reserve"])
@pytest.mark.parametrize(("prompt", "output"), [(1, 1), (64, 2), (100, 40), (500, 17)])
@pytest.mark.parametrize(("overhead_s", "delay_s"), [(0.0, 0.0), (0.0625, 0.5)])
def test_one_request_alone(prompt, output, overhead_s, delay_s, kv_admission):
    serving = Serving(iteration_overhead_s=overhead_s, kv_admission=kv_admission)
    world = toy_world(latency_s=0.25, serving=serving, routing=Routing(delay_s=delay_s))
    (row,) = log_by_request(simulate(world, requests((2.0, prompt, output))))
    assert row["routed_s"] == 2.0
    assert row["prefill_start_s"] == 2.0 + 0.25 + delay_s
    assert row["first_token_s"] == row["prefill_start_s"] + prefill_time(prompt) + overhead_s
    assert row["completion_s"] == row["first_token_s"] + (output - 1) * (decode_time(1) + overhead_s)
    assert row["decode_start_s"] == (row["first_token_s"] if output > 1 else math.inf)


@pytest.mark.parametrize("model", range(4))
def test_one_request_alone_in_the_published_world(model):
    world = published(instances=2)
    sim = simulate(world, requests((1.0, 1234, 321, 0, 0, model)))
    (row,) = log_by_request(sim)
    profile = world.models[model].profiles[world.vm_types[0].name]
    overhead_s = world.serving.iteration_overhead_s
    ttft_s = world.latency_s[0][0] + world.routing.delay_s + evaluate(profile.prefill, 1234) + overhead_s
    assert row["first_token_s"] - 1.0 == pytest.approx(ttft_s, rel=1e-12)
    e2e_s = ttft_s + 320 * (evaluate(profile.decode, 1) + overhead_s)
    assert row["completion_s"] - 1.0 == pytest.approx(e2e_s, rel=1e-12)
    total = sim.metrics().total
    assert total.ttft_mean_s == pytest.approx(ttft_s, rel=1e-9)
    assert total.ttft_p50_s == pytest.approx(ttft_s, rel=0.01)
    assert total.e2e_p99_s == pytest.approx(e2e_s, rel=0.01)


def test_two_requests_share_their_iterations():
    # Both prefilled at once; then 4 iterations of two and 5 of one.
    log = log_by_request(simulate(toy_world(), requests((0.0, 10, 1), (0.0, 20, 5), (0.0, 30, 10))))
    first_s = prefill_time(10)
    assert log["first_token_s"].tolist() == [first_s, *[first_s + prefill_time(50)] * 2]
    second_s = first_s + prefill_time(50) + 4 * decode_time(2)
    assert log["completion_s"].tolist() == [first_s, second_s, second_s + 5 * decode_time(1)]


def test_an_arrival_cuts_a_run_at_the_next_boundary_and_mixes():
    world = toy_world(serving=Serving(mixed_factor=1.5))
    start_s = prefill_time(64)
    arrival_s = start_s + 2.5 * decode_time(1)
    log = log_by_request(simulate(world, requests((0.0, 64, 11), (arrival_s, 20, 3))))
    joined_s = start_s + 3 * decode_time(1)
    mixed_s = joined_s + 1.5 * prefill_time(20 + 1)  # carries the first request's fifth token
    assert log["prefill_start_s"].tolist() == [0.0, joined_s]
    assert log["first_token_s"].tolist() == [start_s, mixed_s]
    assert log["completion_s"][1] == mixed_s + 2 * decode_time(2)
    assert log["completion_s"][0] == mixed_s + 2 * decode_time(2) + 4 * decode_time(1)


def test_utilization_is_the_share_of_memory_in_use():
    world = toy_world(kv_tokens=1000, instances=2)
    sim = Simulator(world, ArrayWorkload(requests((0.0, 299, 101))), check=True)
    sim.advance(1.0)
    assert sim.telemetry().utilization.tolist() == [300 / 2000]
    sim.advance(prefill_time(299) + 1.0)
    assert sim.telemetry().utilization.tolist() == [400 / 2000]
    sim.advance(100.0)
    assert sim.telemetry().utilization.tolist() == [0.0]


def test_an_empty_workload():
    world = toy_world(regions=2, models=2, vms=5)
    sim = simulate(world, np.zeros(0, REQUEST_DTYPE), until_s=3600.0)
    metrics = sim.metrics()
    assert sim.now_s == 3600.0
    assert len(sim.request_log()) == 0
    assert metrics.total.arrived == metrics.total.completed == 0
    assert math.isnan(metrics.total.ttft_p95_s)
    assert math.isnan(metrics.total.slo_attainment)
    assert metrics.fleet_total.active_h == 4.0  # one instance of each model in each region, held
    assert metrics.fleet_total.dollars == 8.0
    assert metrics.spot_donated_h == 6.0


def poisson(rng, n, rate):
    rows = np.zeros(n, REQUEST_DTYPE)
    rows["arrival_s"] = np.cumsum(rng.exponential(1 / rate, n))
    rows["output_tokens"] = 1
    return rows


def mean_and_error(values, batches=50):
    """Mean of a stationary series and its standard error by batch means; the first batch is warm-up."""
    means = np.array([batch.mean() for batch in np.array_split(values, batches)])[1:]
    return means.mean(), means.std(ddof=1) / math.sqrt(len(means))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_waits_of_one_server_with_equal_services(load):
    # M/D/1: the mean wait is load * service / (2 * (1 - load)).
    service_s = prefill_time(48)
    rows = poisson(np.random.default_rng(int(100 * load)), 200_000, load / service_s)
    rows["prompt_tokens"] = 48
    log = log_by_request(simulate(toy_world(serving=Serving(max_batch=1)), rows, until_s=1e6, check=False))
    waits_s = log["prefill_start_s"] - log["arrival_s"]
    mean_s, error_s = mean_and_error(waits_s)
    expected_s = load * service_s / (2 * (1 - load))
    assert error_s < 0.05 * expected_s
    assert abs(mean_s - expected_s) < Z * error_s
    assert np.mean(waits_s == 0) == pytest.approx(1 - load, abs=0.01)  # arrivals see time averages


def test_waits_of_one_server_with_unequal_services():
    # M/G/1 (Pollaczek-Khinchine): the mean wait is rate * E[service^2] / (2 * (1 - load)).
    rng = np.random.default_rng(7)
    prompts = rng.choice([16, 240], size=200_000, p=[0.8, 0.2])
    services_s = prefill_time(prompts)
    rate = 0.6 / services_s.mean()
    rows = poisson(rng, len(prompts), rate)
    rows["prompt_tokens"] = prompts
    log = log_by_request(simulate(toy_world(serving=Serving(max_batch=1)), rows, until_s=1e6, check=False))
    mean_s, error_s = mean_and_error(log["prefill_start_s"] - log["arrival_s"])
    assert abs(mean_s - rate * np.mean(services_s**2) / (2 * 0.4)) < Z * error_s


def test_waits_obey_the_recursion_of_one_server():
    # Lindley: a request waits for what the one before it waited and was served, less the time between them. To the last bit.
    rows = poisson(np.random.default_rng(3), 5000, 0.8 / prefill_time(48))
    rows["arrival_s"] = np.floor(rows["arrival_s"] * 64) / 64
    rows["prompt_tokens"] = 48
    log = log_by_request(simulate(toy_world(serving=Serving(max_batch=1)), rows, until_s=1e5))
    start_s = 0.0
    for row in log:
        start_s = max(start_s, row["arrival_s"])
        assert row["prefill_start_s"] == start_s
        start_s += prefill_time(48)


def test_little_law_of_requests_in_the_system():
    # Mean number running = throughput x mean time in service: the simulator's own integral of memory against the log.
    rows = poisson(np.random.default_rng(11), 2000, 1.0)
    rows["prompt_tokens"], rows["output_tokens"] = 20, 10
    world = toy_world(serving=Serving(kv_admission="reserve"))
    sim = simulate(world, rows, until_s=3000.0)
    log = sim.request_log()
    token_s = np.sum((log["completion_s"] - log["prefill_start_s"]) * 30)
    assert len(log) == 2000
    assert sim.metrics().fleet_total.mean_utilization == pytest.approx(token_s / (3000.0 * 1000), rel=1e-9)
