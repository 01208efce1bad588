"""The generator's law: rates follow intensities, gaps their law, labels their shares; and its determinism."""

import pickle

import numpy as np
import pytest
from numba import njit
from scipy import stats

from sageserve_env.errors import InputError
from sageserve_env.workload import REQUEST_DTYPE, Intensity, IntensityWorkload, O365Week, Series
from sageserve_env.workload.drawn import kernel
from sageserve_env.workload.drawn.generated import alias_rows
from sageserve_env.workload.drawn.sizes import size_table
from tests.workload.helpers import make_world, play, same

SIZES = size_table([0.1, 0.5, 0.9], [10, 100, 1000])


def one_series(rate, cv=1.0, law=None, edges=None, tiers=(1.0, 0.0, 0.0)):
    rate = np.atleast_2d(np.asarray(rate, float))
    edges = np.arange(rate.shape[1] + 1) * 100.0 if edges is None else edges
    names = ("llama-2-70b", "bloom-176b", "llama-3.1-8b")
    series = tuple(Series(names[k], tiers, None, SIZES, SIZES) for k in range(rate.shape[0]))
    intensity = Intensity.renewal(series, edges, rate, cv)
    if law is not None:
        intensity = Intensity(series, edges, rate, np.ones_like(rate), np.full_like(rate, 0.7), np.full(rate.shape, law, np.int32))
    return IntensityWorkload("test", intensity)


def test_counts_follow_the_intensity(world):
    rate = np.array([[5.0, 50.0, 0.0, 20.0, 1.0], [8.0, 0.0, 3.0, 0.5, 30.0]])
    requests = play(one_series(rate).stream(world, 3))
    for model in range(2):
        times = requests["arrival_s"][requests["model"] == model]
        counts = np.histogram(times, np.arange(6) * 100.0)[0]
        expected = rate[model] * 100
        assert counts[expected == 0].sum() == 0
        z = (counts - expected)[expected > 0] / np.sqrt(expected[expected > 0])
        assert np.abs(z).max() < 4


def test_poisson_gaps_are_exponential(world):
    times = play(one_series([[20.0] * 50]).stream(world, 1))["arrival_s"]
    assert stats.kstest(np.diff(times) * 20.0, "expon").pvalue > 1e-3


@pytest.mark.parametrize("cv", [0.3, 0.8, 2.0, 4.0])
def test_gamma_gaps_have_the_cv(world, cv):
    rate = [[20.0, 60.0, 5.0] * 20]
    times = play(one_series(rate, cv=cv).stream(world, 1))["arrival_s"]
    operational = np.interp(times, np.arange(61) * 100.0, np.concatenate([[0], np.cumsum(np.array(rate[0]) * 100)]))
    gaps = np.diff(operational)
    assert gaps.mean() == pytest.approx(1.0, abs=5 * cv / np.sqrt(gaps.size))
    assert gaps.std() == pytest.approx(cv, rel=0.05)
    law = stats.gamma(cv**-2, scale=cv**2)
    # At some sizes only: at a large cv most gaps are below the resolution of a float64 time.
    for size in (1e-4, 1e-2, 0.3, 1.0, 3.0, 10.0):
        p = law.cdf(size)
        assert abs((gaps < size).mean() - p) < 4 * np.sqrt(p * (1 - p) / gaps.size) + 1e-9


def test_weibull_gaps_have_their_law(world):
    times = play(one_series([[20.0] * 50], law=kernel.WEIBULL).stream(world, 1))["arrival_s"]
    law = stats.weibull_min(0.7, scale=1 / stats.weibull_min(0.7).mean())
    assert stats.kstest(np.diff(times) * 20.0, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("cv", [0.3, 4.0])
def test_renewals_are_stationary_from_the_start(world, cv):
    workload = one_series([[0.5]], cv=cv)
    counts = np.array([play(workload.stream(world, seed)).size for seed in range(400)])
    assert counts.mean() == pytest.approx(50, abs=4 * counts.std() / 20)


def test_labels_have_their_shares(world):
    series = Series("bloom-176b", (2.0, 1.0, 1.0), {"westus": 5, "eastus": 3, "centralus": 2}, SIZES, SIZES)
    intensity = Intensity.renewal((series,), np.array([0.0, 1000.0]), np.array([[100.0]]), 1.0)
    requests = play(IntensityWorkload("labels", intensity).stream(world, 5))
    assert set(requests["model"]) == {1}
    for field, shares in {"tier": (0.5, 0.25, 0.25), "origin": (0.5, 0.2, 0.3), "preference": (0.5, 0.5)}.items():
        counts = np.bincount(requests[field], minlength=len(shares))
        assert stats.chisquare(counts, np.array(shares) * requests.size).pvalue > 1e-3


def test_alias_tables_are_exact():
    weights = np.array([0.0, 3.0, 1.0, 0.5, 5.5])
    accept, alias = alias_rows(weights)
    share = accept.copy()
    np.add.at(share, alias, 1 - accept)
    np.testing.assert_allclose(share / 5, weights / weights.sum(), atol=1e-12)


def test_sizes_follow_their_table_and_are_at_least_one(world):
    requests = play(one_series([[100.0] * 20]).stream(world, 2))
    for field in ("prompt_tokens", "output_tokens"):
        np.testing.assert_allclose(np.percentile(requests[field], [10, 50, 90]), [10, 100, 1000], rtol=0.05)
    tiny = Series("bloom-176b", (1.0, 0, 0), None, SIZES * 1e-6, SIZES * 1e-6)
    intensity = Intensity.renewal((tiny,), np.array([0.0, 10.0]), np.array([[10.0]]), 1.0)
    assert play(IntensityWorkload("tiny", intensity).stream(world, 2))["prompt_tokens"].min() == 1


@pytest.mark.parametrize("n_series", [1, 2, 3, 5, 6, 7, 13])
def test_any_number_of_series_comes_out_in_order(world, n_series):
    series = tuple(Series("llama-2-70b", (1.0, 0, 0), None, SIZES, SIZES) for _ in range(n_series))
    rate = np.linspace(0.5, 3.0, n_series)[:, None] * np.ones((1, 4))
    workload = IntensityWorkload("many", Intensity.renewal(series, np.arange(5) * 100.0, rate, 1.0))
    requests = play(workload.stream(world, 0))
    assert np.all(np.diff(requests["arrival_s"]) >= 0)
    assert abs(requests.size - rate.sum() * 100) < 5 * np.sqrt(rate.sum() * 100)


def test_one_series_does_not_move_another(world):
    a = play(one_series([[5.0], [7.0]]).stream(world, 9))
    b = play(one_series([[5.0], [700.0]]).stream(world, 9))
    assert same(a[a["model"] == 0], b[b["model"] == 0])


@pytest.mark.parametrize("chunk_rows", [1, 7, 1000])
def test_chunk_size_changes_nothing(world, chunk_rows):
    whole = play(O365Week(3600, 60).stream(world, 4))
    assert same(whole, play(O365Week(3600, 60, chunk_rows=chunk_rows).stream(world, 4)))


def test_padding_bytes_are_zero(world):
    a, b = (O365Week(0, 600).stream(world, 4).next_chunk() for _ in range(2))
    assert a.tobytes() == b.tobytes()


def test_seeds_differ_and_repeat(world):
    workload = O365Week(0, 600)
    assert same(play(workload.stream(world, 1)), play(workload.stream(world, 1)))
    assert not same(play(workload.stream(world, 1)), play(workload.stream(world, 2)))


def test_snapshot_is_cheap_and_not_moved_by_the_stream(world):
    stream = O365Week(0, 3600, chunk_rows=100).stream(world, 1)
    before = stream.snapshot()
    copy = pickle.dumps(before)
    assert len(copy) < 4096
    stream.next_chunk()
    assert before == pickle.loads(copy)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True, None])
def test_bad_seeds_are_named(world, seed):
    with pytest.raises(InputError, match="seed"):
        O365Week(0, 60).stream(world, seed)


def test_names_that_the_world_lacks_are_named():
    with pytest.raises(InputError, match=r"o365-week: model 'bloom-176b' is not in the world"):
        O365Week(0, 60).stream(make_world(models=("llama-2-70b",)), 0)
    with pytest.raises(InputError, match=r"region 'eastus' is not in the world; it has westus, centralus"):
        O365Week(0, 60).stream(make_world(regions=("westus", "centralus")), 0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rate": np.array([[-1.0]])}, "rate has value -1"),
        ({"rate": np.array([[np.nan]])}, "rate has value nan"),
        ({"rate": np.ones((1, 2))}, r"rate has shape \(1, 2\)"),
        ({"edges": np.array([1.0, 2.0])}, "edges"),
        ({"edges": np.array([0.0, 0.0])}, "edges"),
    ],
)
def test_bad_intensities_are_named(change, word):
    arguments = {"edges": np.array([0.0, 60.0]), "rate": np.array([[1.0]]), **change}
    with pytest.raises(InputError, match=word):
        Intensity.renewal((Series("m", (1.0, 0, 0), None, SIZES, SIZES),), arguments["edges"], arguments["rate"], 1.0)


@pytest.mark.parametrize(("tiers", "regions"), [((-1.0, 0, 0), None), ((0.0, 0, 0), None), ((1.0, 0, 0), {"westus": np.nan})])
def test_bad_shares_are_named(tiers, regions):
    with pytest.raises(InputError, match="series of m"):
        Series("m", tiers, regions, SIZES, SIZES)


@njit
def fill_all(states, bins, edges, sizes, labels, out):
    counts = np.zeros(states.shape[0], np.int64)
    for e in range(states.shape[0]):
        counts[e] = kernel.fill(states[e], bins, edges, sizes, labels, out[e])
    return counts


def test_compiled_code_can_fill_for_many_environments(world):
    workload = O365Week(0, 600)
    tables = workload.tables(world, 0)
    states = np.stack([tables.start(seed) for seed in range(3)])
    out = np.zeros((3, 20_000), REQUEST_DTYPE)
    counts = fill_all(states, *tables.arrays, out)
    for seed in range(3):
        assert same(out[seed, : counts[seed]], play(workload.stream(world, seed)))
