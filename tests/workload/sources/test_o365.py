"""The Office 365 week: rates, sizes and shares follow what was recovered."""

import numpy as np
import pytest
from scipy import stats

from sageserve_env.errors import InputError
from sageserve_env.workload import O365Week, o365_june
from sageserve_env.workload.catalog import PEAK_DAY_REQUESTS, PEAK_DAY_S, PEAK_HOUR_S
from sageserve_env.workload.drawn.sizes import table_mean
from sageserve_env.workload.sources.data_files import columns
from sageserve_env.workload.sources.o365_data import MODELS, QUANTILES, WEEK_S, size_tables, week
from tests.workload.drawn.test_sizes import PUBLISHED
from tests.workload.helpers import play


@pytest.fixture(scope="module")
def requests(world):
    return play(O365Week().stream(world, 11))


def hourly(requests, model, interactive):
    rows = (requests["model"] == model) & ((requests["tier"] < 2) == interactive)
    hour = (requests["arrival_s"][rows] / 3600).astype(int)
    return np.bincount(hour, minlength=168), np.bincount(hour, requests["prompt_tokens"][rows], 168)


def recovered(label, kind, column):
    table = columns("o365/o365_hourly.csv")
    return table[column][(table["model"] == label) & (table["tier"] == kind)]


@pytest.mark.parametrize("model", range(4))
@pytest.mark.parametrize("kind", ["prod", "dev"])
def test_hourly_requests_follow_the_curve(requests, model, kind):
    label = list(MODELS)[model]
    counts, _ = hourly(requests, model, kind == "prod")
    expected = recovered(label, kind, "requests_est")
    z = (counts - expected) / np.sqrt(expected)
    assert np.abs(z).max() < 5
    assert 0.8 < z.var() < 1.25  # chi-square of 168 hours, 2 sigma on each side


@pytest.mark.parametrize("model", range(4))
@pytest.mark.parametrize("kind", ["prod", "dev"])
def test_hourly_tokens_follow_the_curve(requests, model, kind):
    label = list(MODELS)[model]
    counts, tokens = hourly(requests, model, kind == "prod")
    expected = recovered(label, kind, "prompt_tokens")
    busy = counts > 2000
    # B's final curve is interpolated from 20-minute means here, so that an hour may differ from the file's sum a little.
    np.testing.assert_allclose(tokens[busy], expected[busy], rtol=0.12)
    assert tokens.sum() == pytest.approx(expected.sum(), rel=0.02)


def test_within_the_hour_requests_follow_the_minutes(requests):
    rate = week()["C", "prod"].rate
    rows = (requests["model"] == 2) & (requests["tier"] < 2)
    counts = np.bincount((requests["arrival_s"][rows] / 60).astype(int), minlength=10_080)
    z = (counts - rate * 60) / np.sqrt(rate * 60)
    assert z[rate * 60 > 20].var() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("model", range(4))
def test_interactive_prompts_keep_the_published_shape(requests, model):
    name = list(MODELS.values())[model]
    tokens = requests["prompt_tokens"][(requests["model"] == model) & (requests["tier"] < 2)]
    published = np.array(PUBLISHED[name, "prompt_tokens"]) * tokens.mean() / table_mean(size_tables()[name, "prompt_tokens"])
    # Ten percent is the reading of the figure; the hours' own tokens per request blur the steps of the shape a little more.
    np.testing.assert_allclose(np.quantile(tokens, QUANTILES), published, rtol=0.15)


@pytest.mark.parametrize("model", range(4))
def test_outputs_have_the_published_quantiles(requests, model):
    name = list(MODELS.values())[model]
    tokens = requests["output_tokens"][requests["model"] == model]
    np.testing.assert_allclose(np.quantile(tokens, QUANTILES), PUBLISHED[name, "output_tokens"], rtol=0.1, atol=0.6)


def test_totals_and_shares(requests):
    assert requests.size == pytest.approx(7.2e6, rel=0.002)
    assert requests["output_tokens"].mean() == pytest.approx(222, rel=0.01)
    tiers = np.bincount(requests["tier"])
    assert tiers[0] / tiers[1] == pytest.approx(44 / 28, rel=0.01)
    assert tiers[2] == pytest.approx(1.2e6, rel=0.005)
    for model, majority in enumerate((0, 2, 1, 2)):
        origins = np.bincount(requests["origin"][requests["model"] == model]) / (requests["model"] == model).sum()
        np.testing.assert_allclose(origins, np.where(np.arange(3) == majority, 0.5, 0.25), atol=0.003)
    assert np.bincount(requests["preference"])[0] / requests.size == pytest.approx(0.5, abs=0.002)


def test_weekday_peaks_and_weekend_are_the_papers(requests):
    interactive = requests[requests["tier"] < 2]
    rps = np.bincount((interactive["arrival_s"] / 14_400).astype(int)) / 14_400
    assert rps[:30].reshape(5, 6).max(axis=1).min() * 1.05 > 17
    assert rps.max() < 23
    assert rps[30:].min() > 2
    assert rps[30:].max() < 4.2


def test_peaks_are_where_the_catalog_says():
    table = columns("o365/o365_hourly.csv")
    by_hour = np.bincount(table["hour"], table["requests_est"])
    by_day = by_hour.reshape(7, 24).sum(axis=1)
    assert by_day.argmax() * 86_400 == PEAK_DAY_S
    assert by_day.max() == PEAK_DAY_REQUESTS
    assert by_hour.argmax() * 3600 == PEAK_HOUR_S


def test_a_slice_has_the_weeks_rates():
    day = O365Week(86_400 + 30, 86_400, scale=2.0).folded(0)
    full = O365Week().folded(0)
    middles = 0.5 * (day.edges[:-1] + day.edges[1:]) + 86_430
    bins = np.searchsorted(full.edges, middles, side="right") - 1
    np.testing.assert_array_equal(day.rate, 2 * full.rate[:, bins])
    assert day.duration_s == 86_400


def test_the_week_repeats():
    fortnight = O365Week(3 * 86_400, 2 * WEEK_S).folded(0)
    np.testing.assert_allclose(fortnight.expected(), 2 * O365Week().folded(0).expected())


@pytest.mark.parametrize("scale", [0.01, 100])
def test_scale(world, scale):
    workload = O365Week(86_400, 3600 if scale > 1 else 86_400, scale=scale)
    expected = workload.folded(0).expected().sum()
    assert abs(play(workload.stream(world, 0)).size - expected) < 5 * np.sqrt(expected)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"start_s": -1}, "start_s = -1"),
        ({"start_s": WEEK_S}, "start_s = 604800"),
        ({"duration_s": 0}, "duration_s = 0"),
        ({"duration_s": float("nan")}, "duration_s = nan"),
        ({"scale": 0}, "scale = 0"),
        ({"scale": float("nan")}, "scale = nan"),
        ({"scale": "2"}, "scale = '2'"),
        ({"cv": 0}, "cv = 0"),
        ({"cv": 21}, "cv = 21"),
        ({"iw_fast_share": 1.5}, "iw_fast_share = 1.5"),
        ({"region_shares": {"gpt": {"westus": 1}}}, "model 'gpt'"),
        ({"region_shares": {"bloom-176b": {"westus": -1}}}, "share of westus = -1"),
        ({"chunk_rows": 0}, "chunk_rows = 0"),
        ({"chunk_rows": 1.5}, "chunk_rows = 1.5"),
    ],
)
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(InputError) as error:
        O365Week(**arguments)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_june_day_has_regions_of_its_own(world):
    requests = play(o365_june().stream(world, 0))
    interactive = requests[(requests["tier"] < 2) & (requests["model"] == 0)]
    assert interactive.size == pytest.approx(229_592, rel=0.01)
    hours = [np.bincount((interactive["arrival_s"][interactive["origin"] == r] / 3600).astype(int), minlength=24) for r in range(3)]
    # In the week the regions share one curve, and this table would be independent.
    assert stats.chi2_contingency(np.array(hours)).pvalue < 1e-9
