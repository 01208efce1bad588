"""Chunked prefill and decode times that know the context, against a plain reference that goes iteration by iteration."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.workload.request import REQUEST_DTYPE
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import IterationModel, Serving
from tests.reference import engine
from tests.sim.helpers import log_by_request, simulate, toy_profile, toy_world

SEEDS = range(120)
TIMES = ("prefill_start_s", "first_token_s", "decode_start_s", "completion_s")


def random_times(rng):
    """Tables, or an iteration model some of whose coefficients may be 0."""
    if rng.random() < 0.25:
        return toy_profile()
    parts = rng.uniform(0.1, 1.0, 5) * [0.05, 0.01, 1e-4, 1e-3, 1e-5] * (rng.random(5) < [1.0, 0.8, 0.8, 0.8, 0.8])
    return IterationModel(*(float(part) for part in parts), provenance="drawn at random")


def draw(seed):
    """A world of one endpoint, and requests that fit."""
    rng = np.random.default_rng(seed)
    kv_tokens, max_batch = int(rng.choice([100, 300, 5000])), int(rng.choice([1, 2, 4, 16, 64]))
    budget = rng.choice([None, max_batch, max_batch + 1, max_batch + 7, max_batch + 60])
    serving = Serving(
        max_batch=max_batch,
        iteration_overhead_s=float(rng.choice([0.0, 0.003])),
        mixed_factor=float(rng.choice([1.0, 1.1])),
        kv_admission=str(rng.choice(["two_step", "reserve"])),
        prefill_budget_tokens=None if budget is None else int(budget),
    )
    world = toy_world(kv_tokens=kv_tokens, instances=int(rng.integers(1, 4)), serving=serving)
    world = replace(world, models=(replace(world.models[0], profiles={"t0": random_times(rng)}),))
    rows = np.zeros(int(rng.integers(1, 90)), REQUEST_DTYPE)
    rows["arrival_s"] = np.cumsum(rng.exponential(float(rng.choice([0.003, 0.05, 0.5])), len(rows)))
    rows["prompt_tokens"] = np.clip(rng.geometric(1 / rng.choice([5, 40, 100]), len(rows)), 1, kv_tokens // 2)
    rows["output_tokens"] = np.clip(rng.geometric(1 / rng.choice([2, 20, 100]), len(rows)), 1, kv_tokens // 2)
    return validate(world), rows


def both(world, rows):
    """The log of the simulator, the requests of the reference, and what happened in it."""
    requests = [engine.Request(float(row["arrival_s"]), int(row["prompt_tokens"]), int(row["output_tokens"])) for row in rows]
    seen = engine.serve(world, requests)
    return log_by_request(simulate(world, rows)), requests, seen


def assert_equal(log, requests):
    for name in TIMES:
        wanted = np.array([getattr(request, name) for request in requests])
        assert np.array_equal(np.isinf(log[name]), np.isinf(wanted)), name
        there = ~np.isinf(wanted)
        assert np.abs(log[name][there] - wanted[there]).max(initial=0.0) <= 1e-9, name
    assert log["instance"].tolist() == [request.instance for request in requests]


@pytest.mark.parametrize("part", range(4))
def test_every_time_of_every_request(part):
    for seed in SEEDS[part::4]:
        world, rows = draw(seed)
        log, requests, _ = both(world, rows)
        try:
            assert_equal(log, requests)
        except AssertionError as different:
            raise AssertionError(f"seed {seed}: {different}") from different


def test_the_cases_reach_what_they_are_for():
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        world, rows = draw(seed)
        requests = [engine.Request(float(row["arrival_s"]), int(row["prompt_tokens"]), int(row["output_tokens"])) for row in rows]
        seen.update(name for name, times in engine.serve(world, requests).items() if times > 0)
    assert min(seen[name] for name in ("preempted", "chunks", "mixed")) >= 4, seen
