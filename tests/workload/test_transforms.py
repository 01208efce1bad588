"""Transforms: how much of what comes out, exactly for intensities and by count for requests on record."""

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import O365Week, Trace, Transformed, write_trace
from tests.workload.helpers import play, regular_trace, same


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return regular_trace(tmp_path_factory.mktemp("t") / "t.csv", 20_000)  # 2 a second for 10,000 s


@pytest.fixture(scope="module")
def trace(path):
    return Trace(path)


def expected(workload, seed=0):
    return workload.folded(seed).expected()


DAY = O365Week(86_400, 86_400)


@pytest.mark.parametrize("factor", [0.1, 1.0, 2.5, 100])
def test_scale(world, trace, factor):
    np.testing.assert_allclose(expected(DAY.scale(factor)), factor * expected(DAY))
    if factor < 100:
        n = play(trace.scale(factor).stream(world, 0)).size
        assert abs(n - 20_000 * factor) <= 5 * np.sqrt(20_000 * 0.25)


def test_scale_by_one_is_the_trace(world, trace):
    assert same(play(trace.scale(1).stream(world, 0)), play(trace.stream(world, 0)))


def test_copies_come_soon_after(world, trace):
    requests = play(trace.scale(4).stream(world, 0))
    original = play(trace.stream(world, 0))
    assert requests.size == 80_000
    assert set(original["arrival_s"]) <= set(requests["arrival_s"])
    lag = (
        requests["arrival_s"]
        - original["arrival_s"][np.searchsorted(original["arrival_s"], requests["arrival_s"], side="right") - 1]
    )
    assert lag.max() < 1.0


def test_slice(world, trace):
    requests = play(trace.slice(100.0, 50.0).stream(world, 0))
    original = play(trace.stream(world, 0))
    inside = original[(original["arrival_s"] >= 100) & (original["arrival_s"] < 150)]
    inside["arrival_s"] -= 100
    assert same(requests, inside)
    part = DAY.slice(3600, 7200)
    assert part.duration_s == 7200
    assert part.week_start_s == 86_400 + 3600
    np.testing.assert_array_equal(part.folded(0).rate, DAY.folded(0).rate[:, 60:180])


def test_slices_of_slices(world, trace):
    once = play(trace.slice(120.0, 20.0).stream(world, 0))
    assert same(once, play(trace.slice(100.0, 50.0).slice(20.0, 20.0).stream(world, 0)))


def test_shift_is_cyclic_for_intensities():
    shifted = DAY.shift(7200).folded(0)
    np.testing.assert_allclose(shifted.rate[:, 120:], DAY.folded(0).rate[:, :-120])
    np.testing.assert_allclose(shifted.rate[:, :120], DAY.folded(0).rate[:, -120:])
    back = DAY.shift(90.5).shift(-90.5).folded(0)
    np.testing.assert_allclose(back.expected(), expected(DAY))


def test_shift_is_plain_for_traces(world, trace):
    later = trace.shift(1000)
    assert later.duration_s == trace.duration_s + 1000
    requests = play(later.stream(world, 0))
    assert requests.size == 20_000
    assert requests["arrival_s"][0] == 1000
    earlier = play(trace.shift(-1000).stream(world, 0))
    assert earlier.size == 18_000
    assert earlier["arrival_s"][0] == 0


def test_burst_is_the_papers(world, trace):
    burst = DAY.burst()
    rate, base = burst.folded(0).rate, DAY.folded(0).rate
    np.testing.assert_allclose(rate[:, ::60], 9 * base[:, ::60])
    np.testing.assert_allclose(rate[:, 1::60], base[:, 1::60])
    requests = play(trace.burst().stream(world, 0))
    assert requests.size == 20_000 + 8 * 3 * 120
    inside = requests["arrival_s"] % 3600 < 60
    assert inside.sum() >= 9 * 3 * 120 - 8 * 3 * 3  # but for copies that jitter carries over the window's end


def test_burst_windows_need_no_grid():
    burst = DAY.burst(copies=1.5, window_s=7.25, every_s=100.5)
    seconds = np.diff(burst.folded(0).edges)
    assert seconds.min() > 0
    ratio = expected(burst).sum() / expected(DAY).sum()
    assert ratio == pytest.approx(1 + 1.5 * 7.25 / 100.5, rel=0.01)


def test_tier_mix(world, trace):
    mixed = DAY.tier_mix({"IW-F": 1, "IW-N": 1, "NIW": 2})
    assert expected(mixed).sum() == pytest.approx(expected(DAY).sum())
    by_tier = sum(n * np.array(s.tiers) / sum(s.tiers) for s, n in zip(mixed.folded(0).series, expected(mixed), strict=True))
    np.testing.assert_allclose(by_tier / by_tier.sum(), [0.25, 0.25, 0.5])
    tiers = np.bincount(play(trace.tier_mix({"IW-F": 1, "NIW": 3}).stream(world, 0))["tier"], minlength=3)
    assert tiers.sum() == pytest.approx(20_000, rel=0.02)
    np.testing.assert_allclose(tiers / tiers.sum(), [0.25, 0, 0.75], atol=0.01)


def test_model_mix(world, trace):
    shares = {"llama-2-70b": 5, "llama-3.2-3b": 1}
    mixed = DAY.model_mix(shares)
    assert expected(mixed).sum() == pytest.approx(expected(DAY).sum())
    assert expected(mixed)[:2].sum() == pytest.approx(5 / 6 * expected(DAY).sum())
    assert expected(mixed)[2:6].sum() == 0
    models = np.bincount(play(trace.model_mix(shares).stream(world, 0))["model"], minlength=4)
    np.testing.assert_allclose(models / models.sum(), [5 / 6, 0, 0, 1 / 6], atol=0.01)


def test_noise_has_mean_one_and_its_level_and_memory(world, trace):
    edges = np.arange(0, 604_800, 60.0)
    logs, means = [], []
    for seed in range(30):
        ratio = O365Week().noise(0.4, 1800.0, seed=seed).folded(0)
        fine = O365Week().folded(0).refined(ratio.edges)
        level = ratio.rate[0] / fine.rate[0]
        means.append(level.mean())
        logs.append(np.log(level[np.searchsorted(ratio.edges, edges, side="right") - 1]))
    logs = np.array(logs)
    assert np.mean(means) == pytest.approx(1.0, abs=0.02)
    assert logs.std() == pytest.approx(0.4, rel=0.05)
    lagged = np.mean((logs[:, 30:] + 0.08) * (logs[:, :-30] + 0.08)) / 0.16
    assert lagged == pytest.approx(np.exp(-1), abs=0.07)


def test_noise_by_seed_of_its_own_or_of_the_stream(world, trace):
    fixed, free = DAY.noise(0.5, seed=3), DAY.noise(0.5)
    np.testing.assert_array_equal(fixed.folded(1).rate, fixed.folded(2).rate)
    assert not np.array_equal(free.folded(1).rate, free.folded(2).rate)
    np.testing.assert_array_equal(free.folded(1).rate, free.folded(1).rate)
    base = DAY.folded(0).refined(free.folded(1).edges).rate[[0, 4]]  # two models whose rates are never 0
    once, twice = (workload.folded(1).rate[[0, 4]] / base for workload in (free, free.noise(0.5)))
    assert not np.allclose(twice, once**2)
    assert not np.allclose(once[0], once[1])
    counts = [play(trace.noise(0.8, 5000).stream(world, seed)).size for seed in range(8)]
    assert len(set(counts)) == 8


def test_a_transform_leaves_its_base_alone(world):
    before = expected(DAY).copy()
    DAY.burst().scale(3).noise(0.4).slice(0, 60)
    np.testing.assert_array_equal(before, expected(DAY))
    assert DAY.name == "o365-week"


def test_folded_and_replayed_transforms_agree(world, tmp_path):
    week = O365Week(40_000, 3600)
    write_trace(week, world, tmp_path / "t.parquet")
    replay = Trace(tmp_path / "t.parquet", duration_s=3600)

    def change(workload):
        return workload.burst(4, 60, 600).scale(1.5).tier_mix({"IW-F": 1, "NIW": 1})

    a, b = play(change(week).stream(world, 0)), play(change(replay).stream(world, 0))
    assert a.size == pytest.approx(b.size, rel=0.02)
    for field in ("tier", "model"):
        np.testing.assert_allclose(np.bincount(a[field]) / a.size, np.bincount(b[field]) / b.size, atol=0.02)
    minute = [np.bincount((x["arrival_s"] / 60).astype(int), minlength=60) for x in (a, b)]
    assert np.corrcoef(*minute)[0, 1] > 0.99


def test_any_workload_can_be_transformed(world):
    class Plain:
        name, duration_s = "plain", 60.0

        def stream(self, world, seed):
            return O365Week(0, 60).stream(world, seed)

    from sageserve_env.workload.transforms.weightings import Scale

    assert play(Transformed(Plain(), Scale(2)).stream(world, 0)).size == 2 * play(Plain().stream(world, 0)).size


@pytest.mark.parametrize("base", ["week", "trace"])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda w: w.scale(0), "scale: factor = 0"),
        (lambda w: w.scale(-1), "scale: factor = -1"),
        (lambda w: w.scale(float("nan")), "scale: factor = nan"),
        (lambda w: w.scale("2"), "scale: factor = '2'"),
        (lambda w: w.scale(True), "scale: factor = True"),
        (lambda w: w.slice(-1, 5), "slice: start_s = -1"),
        (lambda w: w.slice(0, 0), "slice: duration_s = 0"),
        (lambda w: w.slice(0, 1e9), "start_s + duration_s = 1e+09 s is beyond"),
        (lambda w: w.shift(float("inf")), "shift: by_s = inf"),
        (lambda w: w.shift(-1e9), "shift: by_s = -1e+09 leaves nothing"),
        (lambda w: w.burst(copies=-1), "burst: copies = -1"),
        (lambda w: w.burst(window_s=0), "burst: window_s = 0"),
        (lambda w: w.burst(window_s=90, every_s=60), "burst: window_s = 90 is longer"),
        (lambda w: w.tier_mix({"FAST": 1}), "tier 'FAST' does not exist"),
        (lambda w: w.tier_mix({"NIW": -1}), "share of NIW = -1"),
        (lambda w: w.tier_mix({}), "adds up to 0"),
        (lambda w: w.noise(-0.1), "noise: level = -0.1"),
        (lambda w: w.noise(0.1, 0), "noise: correlation_s = 0"),
        (lambda w: w.noise(0.1, 60, seed=-1), "seed = -1"),
    ],
)
def test_bad_arguments_are_named(trace, base, change, word):
    with pytest.raises(InputError) as error:
        change(DAY if base == "week" else trace)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("base", ["week", "trace"])
def test_a_mix_cannot_make_models_that_are_not_there(world, trace, base):
    workload = DAY if base == "week" else trace
    with pytest.raises(InputError, match="model_mix: the workload has no model 'gpt-5'; it has llama-2-70b"):
        workload.model_mix({"gpt-5": 1}).stream(world, 0)
    without = workload.tier_mix({"NIW": 1}).tier_mix({"IW-F": 1})
    with pytest.raises(InputError, match="tier_mix: the workload has no tier 'IW-F'; it has NIW"):
        without.stream(world, 0)
