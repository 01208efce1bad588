"""Token sizes: the table passes through the published quantiles, and means come out as asked."""

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload.drawn.sizes import CELLS, narrowed, scaled_to_mean, size_table, table_mean
from sageserve_env.workload.sources.o365_data import MODELS, OUTPUT_MEAN, QUANTILES, size_tables, week

PUBLISHED = {
    ("llama-2-70b", "prompt_tokens"): (2800, 5000, 5600, 8900, 8900, 16000),
    ("bloom-176b", "prompt_tokens"): (310, 530, 3300, 6800, 8000, 11700),
    ("llama-3.1-8b", "prompt_tokens"): (600, 1400, 3600, 6000, 10600, 34000),
    ("llama-3.2-3b", "prompt_tokens"): (970, 2300, 4400, 8400, 15000, 52000),
    ("llama-2-70b", "output_tokens"): (8, 13, 57, 147, 235, 645),
    ("bloom-176b", "output_tokens"): (18, 75, 85, 105, 173, 1100),
    ("llama-3.1-8b", "output_tokens"): (11, 50, 112, 307, 667, 1800),
    ("llama-3.2-3b", "output_tokens"): (8, 61, 142, 352, 845, 4300),
}


def at(table, levels):
    return np.interp(np.array(levels) * CELLS, np.arange(CELLS + 1), table)


@pytest.mark.parametrize("key", PUBLISHED)
def test_tables_pass_near_the_published_quantiles(key):
    np.testing.assert_allclose(at(size_tables()[key], QUANTILES), PUBLISHED[key], rtol=0.1)


def test_mean_output_of_the_week_is_222():
    weight = {(label, kind): curve.rate.sum() for (label, kind), curve in week().items()}
    mean = sum(w * table_mean(size_tables()[MODELS[label], "output_tokens"]) for (label, _), w in weight.items())
    assert mean / sum(weight.values()) == pytest.approx(OUTPUT_MEAN)


def test_table_mean_is_the_mean_of_draws():
    table = size_table([0.1, 0.5, 0.9], [10, 100, 5000])
    draws = at(table, np.random.default_rng(0).random(400_000))
    assert draws.mean() == pytest.approx(table_mean(table), rel=0.01)
    assert table_mean(scaled_to_mean(table, 777.0)) == pytest.approx(777.0)


def test_narrowed_takes_out_the_spread_that_a_factor_puts_back():
    rng = np.random.default_rng(0)
    table = size_table([0.05, 0.5, 0.95], [10, 100, 1000])
    draws = np.log(at(narrowed(table, 0.4), rng.random(200_000))) + 0.4 * rng.standard_normal(200_000)
    assert draws.std() == pytest.approx(np.log(table).std(), rel=0.02)


@pytest.mark.parametrize(
    ("levels", "tokens", "value"),
    [
        ([0.5], [1, 2], "2 sizes"),
        ([0.5, 0.5], [1, 2], "[0.5, 0.5]"),
        ([0.0, 0.5], [1, 2], "[0.0, 0.5]"),
        ([0.1, 0.5], [2, 1], "[2.0, 1.0]"),
        ([0.1, 0.5], [0, 1], "[0.0, 1.0]"),
        ([0.1, 0.5], [1, np.nan], "nan"),
    ],
)
def test_bad_quantiles_are_named(levels, tokens, value):
    with pytest.raises(InputError, match="token quantiles") as error:
        size_table(levels, tokens)
    assert value in str(error.value)


@pytest.mark.parametrize("mean", [0, -1, np.nan, np.inf])
def test_bad_means_are_named(mean):
    with pytest.raises(InputError, match="mean_tokens"):
        scaled_to_mean(size_table([0.5], [10]), mean)
