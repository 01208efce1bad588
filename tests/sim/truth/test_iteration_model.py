"""Iteration models and chunked prefill with answers on paper: runs and their cuts, chunks, and what is attainable.

Every time is a multiple of 1/65536 s, so sums are exact in binary.
"""

from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from sageserve_env.sim.serving.timing import iterations_until, run_s
from sageserve_env.world.schema import Serving
from tests.sim.helpers import log_by_request, prefill_time, requests, simulate, toy_model, toy_world

BASE, SEQUENCE, CONTEXT, TOKEN, BEFORE = 0.125, 1 / 64, 1 / 4096, 1 / 64, 1 / 65536
"""The coefficients of the toy model."""


def modelled(**parts):
    world = toy_world(**parts)
    return replace(world, models=(replace(world.models[0], profiles={"t0": toy_model()}),))


def budget(tokens, max_batch=8, **parts):
    return Serving(max_batch=max_batch, prefill_budget_tokens=tokens, **parts)


def chunk_time(tokens, before=0, decodes=0, context=0):
    """Seconds of an iteration with one chunk of a prompt of which ``before`` tokens are prefilled."""
    own = TOKEN * tokens + BEFORE * (tokens * before + tokens * (tokens - 1) / 2)
    return BASE + SEQUENCE * decodes + CONTEXT * context + own


def decode_run(contexts, iterations):
    """Seconds of decode iterations of requests with these contexts, one after the other."""
    times = [BASE + sum(SEQUENCE + CONTEXT * (context + step) for context in contexts) for step in range(iterations)]
    return sum(times)


@pytest.mark.parametrize("overhead_s", [0.0, 0.0625])
@pytest.mark.parametrize(("prompt", "output"), [(1, 1), (64, 2), (100, 40), (500, 17)])
def test_one_request_alone(prompt, output, overhead_s):
    (row,) = log_by_request(simulate(modelled(serving=Serving(iteration_overhead_s=overhead_s)), requests((2.0, prompt, output))))
    first_s = 2.0 + chunk_time(prompt) + overhead_s
    assert row["first_token_s"] == first_s
    assert row["completion_s"] == first_s + decode_run([prompt + 1], output - 1) + (output - 1) * overhead_s


@pytest.mark.parametrize("tokens", [1, 7, 8, 9, 63, 64, 65, 1000])
def test_a_prompt_in_chunks(tokens):
    (row,) = log_by_request(simulate(modelled(serving=budget(tokens, max_batch=1)), requests((0.0, 64, 1))))
    chunks = [min(tokens, 64 - before) for before in range(0, 64, tokens)]
    assert row["first_token_s"] == sum(chunk_time(chunk, tokens * place) for place, chunk in enumerate(chunks))
    assert row["prefill_start_s"] == 0.0


def test_a_prompt_of_exactly_one_chunk_and_one_of_a_token_more():
    for prompt, chunks in ((32, [32]), (33, [32, 1])):
        (row,) = log_by_request(simulate(modelled(serving=budget(32)), requests((0.0, prompt, 1))))
        assert row["first_token_s"] == sum(chunk_time(chunk, 32 * place) for place, chunk in enumerate(chunks))


def test_chunks_of_tables_are_iterations_of_the_prefill_table():
    (row,) = log_by_request(simulate(toy_world(serving=budget(32)), requests((0.0, 80, 1))))
    assert row["first_token_s"] == 2 * prefill_time(32) + prefill_time(16)


def test_decodes_come_first_and_the_chunk_gets_the_rest():
    # Seven decode, so a budget of eight leaves the eighth request one token of its prompt in each iteration.
    rows = requests((0.0, 1, 1), *((0.0, 1, 30) for _ in range(7)), (1.0, 5, 2))  # the first lets the others start together
    log = log_by_request(simulate(modelled(serving=budget(8)), rows))[1:]
    together_s = chunk_time(1) + BASE + 7 * TOKEN
    assert log["first_token_s"][:7].tolist() == [together_s] * 7
    boundary_s, done = together_s, 0
    while boundary_s <= 1.0:
        boundary_s += decode_run([2 + done] * 7, 1)
        done += 1
    assert log["prefill_start_s"][7] == boundary_s
    chunks_s = sum(chunk_time(1, before, 7, 7 * (2 + done + before)) for before in range(5))
    assert log["first_token_s"][7] == boundary_s + chunks_s


def test_two_prompts_share_a_budget_in_order():
    log = log_by_request(simulate(modelled(serving=budget(48)), requests((0.0, 1, 1), (0.0, 60, 1), (0.0, 30, 1))))
    start_s = chunk_time(1)
    first_s = start_s + chunk_time(48)
    both_s = first_s + BASE + TOKEN * (12 + 30) + BEFORE * (12 * 48 + 12 * 11 / 2 + 30 * 29 / 2)
    assert log["first_token_s"].tolist() == [start_s, both_s, both_s]
    assert log["prefill_start_s"].tolist() == [0.0, start_s, first_s]  # its first chunk is not before the second iteration


@pytest.mark.parametrize(("iteration", "share"), [(0, 0.5), (0, 0.0), (3, 0.25), (8, 0.5), (9, 0.5), (9, 0.0)])
def test_an_arrival_cuts_a_growing_run_at_the_next_boundary(iteration, share):
    start_s = chunk_time(64)
    ends_s = [start_s + decode_run([65], done) for done in range(11)]
    arrival_s = ends_s[iteration] + share * (ends_s[iteration + 1] - ends_s[iteration])
    log = log_by_request(simulate(modelled(), requests((0.0, 64, 11), (arrival_s, 20, 1))))
    # One that comes at a boundary within a run waits for the next; at the first token the run has not begun.
    assert log["prefill_start_s"][1] == (start_s if (iteration, share) == (0, 0.0) else ends_s[iteration + 1])
    if iteration == 9:
        assert log["completion_s"][0] == ends_s[10]


@njit
def done_at(start_s, iteration_s, growth_s, done, late_s):
    """Iterations done at the end of iteration ``done``, a rounding error before, and somewhat after."""
    end_s = start_s + run_s(iteration_s, growth_s, done)
    times_s = end_s, np.nextafter(end_s, 0.0), end_s + late_s
    return [iterations_until(start_s, iteration_s, growth_s, time_s) for time_s in times_s]


def test_iterations_until_agrees_with_the_ends_of_runs():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        start_s, iteration_s = 10 ** rng.uniform(-2, 6), 10 ** rng.uniform(-3, 1)
        growth_s = iteration_s * 10 ** rng.uniform(-9, 0) * rng.choice([0.5, 1.0, 1.9])
        done = int(10 ** rng.uniform(0, 5))
        assert done_at(start_s, iteration_s, growth_s, done, 0.4 * iteration_s) == [done, done - 1, done]


@pytest.mark.parametrize("kind", ["tables", "model"])
@pytest.mark.parametrize("tokens", [None, 16, 64, 65])
@pytest.mark.parametrize("tier", [0, 2])
def test_unattainable_is_what_one_request_alone_does_not_reach(kind, tokens, tier):
    world = (toy_world if kind == "tables" else modelled)(serving=budget(tokens))
    rows = requests((0.0, 64, 5, tier))
    sim = simulate(replace(world, niw=replace(world.niw, managed=False)), rows)
    (row,) = sim.request_log()
    reached_s = float(row["first_token_s" if tier == 0 else "completion_s"])
    for slo_s, missed in ((reached_s, 0), (np.nextafter(reached_s, 0.0), 1)):
        tiers = tuple(replace(each, slo_s=float(slo_s)) for each in world.tiers)
        total = simulate(replace(world, tiers=tiers, niw=replace(world.niw, managed=False)), rows).metrics().total
        assert (total.slo_met, total.slo_missed, total.unattainable) == (1 - missed, missed, missed)
