"""Random cases through this simulator and through a plain-Python reference of the authors' rules: the same, request by request."""

import numpy as np
import pytest

from sageserve_env.workload.request import REQUEST_DTYPE
from tests.reference import random_cases

SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_fleets_of_one_group(seed):
    outcome = random_cases.compare(random_cases.draw(seed))
    assert outcome is None or outcome.first_different is None, outcome


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_fleets_of_several_groups(seed):
    outcome = random_cases.compare(random_cases.draw(seed, most_instances=8))
    assert outcome is None or outcome.first_different is None, outcome


@pytest.mark.parametrize("seed", range(16))
def test_fleets_that_scale(seed):
    # Where a VM is given away while it still works, theirs goes on with those requests beside the new instance: no such seed here.
    outcome = random_cases.compare(random_cases.draw_reactive(seed))
    assert outcome is not None
    assert outcome.killed_at_work == 0
    assert outcome.first_different is None, outcome
    assert outcome.moves[0] == outcome.moves[1]


def test_the_cases_reach_what_they_are_for():
    outcomes = [outcome for seed in SEEDS if (outcome := random_cases.compare(random_cases.draw(seed))) is not None]
    assert len(outcomes) > 0.8 * len(SEEDS)
    assert sum(outcome.rerouted > 0.01 for outcome in outcomes) >= 3
    assert sum(outcome.waited > 0.01 for outcome in outcomes) >= 3


def test_memory_between_two_tokens_counts_in_the_utilization():
    # Bloom-176B has memory for 89,234.59 KV tokens: with 62,464 of them in use, 69.9997 % are, not 70.0002 % of 89,234.
    requests = np.zeros(2, REQUEST_DTYPE)
    requests["arrival_s"], requests["prompt_tokens"], requests["output_tokens"] = [0.0, 2.0], [62_463, 10], 2
    outcome = random_cases.compare(random_cases.RandomCase(0, {"bloom-176b": 1}, requests))
    assert outcome is not None
    assert outcome.rerouted == 0
    assert outcome.first_different is None, outcome


def test_requests_that_arrive_together_and_alike():
    requests = np.zeros(300, REQUEST_DTYPE)
    requests["arrival_s"] = np.repeat([1.0, 1.5, 40.0], 100)
    requests["prompt_tokens"], requests["output_tokens"] = 2000, 50
    requests["origin"] = np.arange(300) % 3
    outcome = random_cases.compare(random_cases.RandomCase(0, {"bloom-176b": 3}, requests))
    assert outcome is not None
    assert outcome.first_different is None, outcome
