"""Forecasters: no look-ahead, shapes, and what little, silent or constant history does."""

from dataclasses import dataclass

import numpy as np
import pytest

from baselines.forecast import INTERACTIVE, Arima, ExponentialSmoothing, Oracle, Recurring, SeasonalNaive, token_rates
from baselines.forecast.arima import ORDERS, choose_order
from baselines.forecast.base import checked_history, to_log
from baselines.forecast.profile import moving_average, profiles
from baselines.forecast.rolling import backtest
from sageserve_env.errors import InputError
from sageserve_env.workload import REQUEST_DTYPE
from sageserve_env.world import published

HONEST = [SeasonalNaive(), ExponentialSmoothing(), Arima()]
DAY = 96  # windows of 900 s


def daily(days, seed=0, series=2, noise=0.1, window_s=900.0):
    """Traffic with a daily wave and noise, shape (series, windows)."""
    rng = np.random.default_rng(seed)
    n = round(days * 86_400 / window_s)
    wave = 5_000 * np.exp(np.sin(np.arange(n) * window_s / 86_400 * 2 * np.pi))
    return wave * np.exp(noise * rng.standard_normal((series, n)))


@dataclass
class Requests:
    """A workload of given requests."""

    rows: np.ndarray
    duration_s: float
    name: str = "requests"

    def stream(self, world, seed):
        self.chunks = [*np.array_split(self.rows, 3), self.rows[:0]]
        return self

    def next_chunk(self):
        return self.chunks.pop(0)


def trace(hours, seed):
    """One request every ten seconds or so, from all regions to all models, in all tiers."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(hours * 360, REQUEST_DTYPE)
    rows["arrival_s"] = np.sort(rng.uniform(0, hours * 3600, rows.size))
    rows["prompt_tokens"], rows["output_tokens"] = rng.integers(1, 9_000, rows.size), 1
    for name, count in (("model", 4), ("origin", 3), ("tier", 3)):
        rows[name] = rng.integers(0, count, rows.size)
    return rows


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
def test_changing_the_future_of_the_trace_changes_no_forecast(forecaster):
    cut_h, world = 31, published()
    past, other = trace(34, seed=1), trace(34, seed=2)
    altered = np.concatenate([past[past["arrival_s"] < cut_h * 3600], other[other["arrival_s"] >= cut_h * 3600]])
    predictions = []
    for rows in (past, altered):
        choose_order.cache_clear()
        rates = token_rates(Requests(rows, 34 * 3600.0), world)[:, :2]
        predictions.append(backtest(rates, 900.0, ["a", "b", "c"], ["x", "y"], [forecaster]).predictions[forecaster.name])
    known = cut_h - 24 + 1  # the hours predicted at 24:00 to 31:00
    for part in ("point", "lower", "upper"):
        first, second = (getattr(prediction, part) for prediction in predictions)
        np.testing.assert_array_equal(first[:, :, :known], second[:, :, :known])
    assert (first[:, :, known:] != second[:, :, known:]).any()  # what was the future, once past, does count


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
def test_a_forecast_depends_on_the_history_alone(forecaster):
    series = daily(2.5)
    first = forecaster.forecast(series, 900.0)
    forecaster.forecast(daily(2.5, seed=9), 900.0)
    choose_order.cache_clear()
    second = forecaster.forecast(series.copy(), 900.0)
    alone = forecaster.forecast(series[1:], 900.0)
    for part in ("point", "lower", "upper"):
        np.testing.assert_array_equal(getattr(first, part), getattr(second, part))
        np.testing.assert_array_equal(getattr(first, part)[1:], getattr(alone, part))


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
@pytest.mark.parametrize("days", [0.011, 0.1, 0.5, 1.0, 1.3, 2.2])
@pytest.mark.parametrize("window_s", [300.0, 900.0, 1800.0])
def test_shapes_and_order(forecaster, days, window_s):
    forecast = forecaster.forecast(daily(max(days, window_s / 86_400), window_s=window_s), window_s)
    assert forecast.point.shape == forecast.lower.shape == forecast.upper.shape == (2, 3600 / window_s)
    assert (forecast.lower >= 0).all()
    assert (forecast.lower <= forecast.point).all()
    assert (forecast.point <= forecast.upper).all()
    assert np.isfinite(forecast.upper).all()
    assert (forecast.level, forecast.window_s, len(forecast.rules)) == (0.8, window_s, 2)


def rule_of(forecaster, days):
    return forecaster.forecast(daily(days, series=1), 900.0).rules[0]


def test_rules_follow_the_length_of_the_history():
    assert [rule_of(SeasonalNaive(), days) for days in (0.5, 1)] == ["mean of the last hour", "yesterday"]
    smoothing = [rule_of(ExponentialSmoothing(), days) for days in (0.1, 0.5, 1.25, 8)]
    assert smoothing == ["mean of the last hour", "ETS", "ETS on yesterday", "ETS on last week"]
    arima = [rule_of(Arima(), days) for days in (0.1, 0.5, 1.25, 8)]
    assert arima[:2] == ["mean of the last hour", "ARIMA(0,1,1)"]
    assert arima[2].endswith(" on yesterday")
    assert arima[3].endswith(" on yesterday and last week")


def test_seasonal_naive_is_yesterday():
    series = daily(1.5)
    forecast = SeasonalNaive().forecast(series, 900.0)
    np.testing.assert_allclose(forecast.point, series[:, DAY // 2 : DAY // 2 + 4])


@pytest.mark.parametrize("forecaster", HONEST[1:], ids=lambda f: f.name)
def test_beats_seasonal_naive_where_days_differ(forecaster):
    rng = np.random.default_rng(3)
    series = daily(6, noise=0.05, series=3) * np.repeat(rng.uniform(0.5, 2.0, 6), DAY)
    result = backtest(series[None, :, :], 900.0, ["a"], ["x", "y", "z"], [SeasonalNaive(), forecaster], start_s=4 * 86_400.0)
    naive, other = (np.abs(p.point - result.actual).sum() for p in result.predictions.values())
    assert other < 0.5 * naive


@pytest.mark.parametrize("forecaster", HONEST[1:], ids=lambda f: f.name)
def test_intervals_cover_what_they_say(forecaster):
    result = backtest(daily(4, series=6)[None], 900.0, ["a"], list("abcdef"), [forecaster], start_s=2 * 86_400.0)
    prediction = result.predictions[forecaster.name]
    inside = ((prediction.lower <= result.actual) & (result.actual <= prediction.upper)).mean()
    assert inside == pytest.approx(0.8, abs=0.06)  # 1,152 windows; the wave within the day widens it a little


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
def test_level_widens_the_interval(forecaster):
    narrow, wide = (type(forecaster)(level=level).forecast(daily(2), 900.0) for level in (0.5, 0.95))
    assert (narrow.upper < wide.upper).all()
    assert (narrow.lower > wide.lower).all()
    np.testing.assert_array_equal(narrow.point, wide.point)


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
@pytest.mark.parametrize("value", [0.0, 1_234.0])
@pytest.mark.parametrize("windows", [1, 20, 3 * DAY, 9 * DAY])
def test_constant_history_goes_on(forecaster, value, windows):
    forecast = forecaster.forecast(np.full((1, windows), value), 900.0)
    np.testing.assert_allclose(forecast.point, value, rtol=1e-9)


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
def test_a_model_that_falls_silent(forecaster):
    series = daily(3, series=1)
    series[:, 2 * DAY - 20 :] = 0.0
    forecast = forecaster.forecast(series, 900.0)
    assert np.isfinite([forecast.point, forecast.lower, forecast.upper]).all()
    assert (forecast.point < 100).all()


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
def test_a_model_that_begins(forecaster):
    series = np.zeros((1, 2 * DAY))
    series[:, -8:] = 4_000.0
    forecast = forecaster.forecast(series, 900.0)
    assert np.isfinite([forecast.point, forecast.lower, forecast.upper]).all()
    if forecaster.name != "seasonal naive":
        assert (forecast.point > 1_000).all()


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
def test_one_window_of_history(forecaster):
    forecast = forecaster.forecast([[500.0]], 900.0)
    np.testing.assert_allclose(forecast.point, 500.0)
    assert (forecast.upper > 1_000).all()  # nothing is known about the spread
    assert forecast.rules == ("mean of the last hour",)


@pytest.mark.parametrize("forecaster", HONEST, ids=lambda f: f.name)
@pytest.mark.parametrize(
    ("history", "window_s", "message"),
    [
        (np.zeros((2, 0)), 900.0, r"history has shape \(2, 0\); give \(series, windows\), at least one"),
        (np.zeros(5), 900.0, r"history has shape \(5,\)"),
        ([[1.0, np.nan]], 900.0, r"history\[0, 1\] = nan is not valid"),
        ([[1.0], [-1.0]], 900.0, r"history\[1, 0\] = -1.0 is not valid"),
        ([[np.inf]], 900.0, r"history\[0, 0\] = inf"),
        ([[1.0]], 700.0, "window_s = 700.0 does not divide an hour"),
        ([[1.0]], 0.0, "window_s = 0.0 does not divide an hour"),
        ([[1.0]], 7200.0, "window_s = 7200.0 does not divide an hour"),
    ],
)
def test_bad_history_is_refused(forecaster, history, window_s, message):
    with pytest.raises(InputError, match=message):
        forecaster.forecast(history, window_s)


@pytest.mark.parametrize("make", [SeasonalNaive, ExponentialSmoothing, Arima])
@pytest.mark.parametrize("level", [0.0, 1.0, float("nan")])
def test_bad_level_is_refused(make, level):
    with pytest.raises(InputError, match=r"level = .* is not valid"):
        make(level=level)


@pytest.mark.parametrize("forecaster", HONEST[1:], ids=lambda f: f.name)
def test_statsmodels_missing_names_the_extra(forecaster, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("baselines.forecast.base.import_module", missing)
    choose_order.cache_clear()
    with pytest.raises(InputError, match=r"run: pip install 'sageserve-env\[forecast\]'"):
        forecaster.forecast(daily(1), 900.0)


def test_a_fit_that_fails_says_so(monkeypatch):
    monkeypatch.setattr("baselines.forecast.arima._fit", lambda *_: None)
    choose_order.cache_clear()
    series = daily(2, series=1)
    forecast = Arima().forecast(series, 900.0)
    assert forecast.rules == ("ARIMA(0,1,1) on yesterday did not fit: mean of the last hour",)
    np.testing.assert_allclose(forecast.point, series[:, -4:].mean())
    choose_order.cache_clear()


def test_order_is_chosen_on_whole_days_and_kept_within_the_day():
    choose_order.cache_clear()
    series = daily(2.5, series=1)
    for windows in range(2 * DAY, 2 * DAY + 12, 4):
        Arima().forecast(series[:, :windows], 900.0)
    info = choose_order.cache_info()
    assert (info.misses, info.hits) == (1, 2)


def test_order_follows_the_data():
    rng = np.random.default_rng(0)
    moves = rng.standard_normal(800)
    for t in range(1, 800):
        moves[t] += 0.8 * moves[t - 1]
    assert choose_order((8 + 0.02 * moves.cumsum()).tobytes(), 900.0, 800) == (1, 1, 1)
    smoothed = 8 + 0.2 * rng.standard_normal(800) + 0.02 * rng.standard_normal(800).cumsum()
    assert choose_order(smoothed.tobytes(), 900.0, 800) in ORDERS[:2]
    assert choose_order(b"", 900.0, 800) == ORDERS[0]


def test_profile_reads_earlier_windows_only():
    log = to_log(daily(9, series=1)[0])
    for profile in profiles(log, 900.0):
        assert profile.past.shape == (log.size - profile.lag,)
        assert profile.future.shape == (4,)
        changed = log.copy()
        changed[log.size - profile.lag + 9 :] = (
            0.0  # beyond what the last window of the coming hour may read: lag - 4 and 4 around it
        )
        again = next(p for p in profiles(changed, 900.0) if p.name == profile.name)
        np.testing.assert_array_equal(profile.future, again.future)
    assert [profile.lag for profile in profiles(log, 900.0)] == [DAY, 7 * DAY]


def test_moving_average():
    np.testing.assert_allclose(moving_average(np.array([1.0, 2.0, 6.0, 3.0]), 1), [4 / 3, 3.0, 11 / 3, 4.0])


def test_oracle_looks_the_future_up():
    truth = daily(1)
    oracle = Oracle(truth, 900.0)
    forecast = oracle.forecast(truth[:, :10], 900.0)
    np.testing.assert_array_equal(forecast.point, truth[:, 10:14])
    np.testing.assert_array_equal(forecast.upper, forecast.lower)
    np.testing.assert_array_equal(oracle.forecast(truth[:, :94], 900.0).point[:, 2:], 0.0)  # the workload ends
    later = Oracle(truth, 900.0, lead_windows=5).forecast(truth[:, :15], 900.0)
    np.testing.assert_array_equal(later.point, truth[:, 10:14])


@pytest.mark.parametrize(
    ("history", "window_s", "lead", "message"),
    [
        (np.ones((3, 5)), 900.0, 0, "history has 3 series of 900.0 s windows; the oracle knows 2 of 900.0 s"),
        (np.ones((2, 5)), 300.0, 0, "history has 2 series of 300.0 s"),
        (np.ones((2, 5)), 900.0, 6, "history has 5 windows; the oracle's truth begins after 6"),
    ],
)
def test_oracle_refuses_what_it_does_not_know(history, window_s, lead, message):
    with pytest.raises(InputError, match=message):
        Oracle(daily(1), 900.0, lead).forecast(history, window_s)


def test_token_rates_counts_prompt_tokens():
    rows, world = trace(5, seed=4), published()
    rows = rows[rows["arrival_s"] < 4.9 * 3600]
    rates = token_rates(Requests(rows, 4.9 * 3600), world, window_s=900.0, tiers=INTERACTIVE)
    assert rates.shape == (3, 4, 20)
    chosen = rows[(rows["tier"] < 2) & (rows["origin"] == 2) & (rows["model"] == 1)]
    expected = [chosen["prompt_tokens"][(chosen["arrival_s"] // 900).astype(int) == w].sum() / 900 for w in range(19)]
    np.testing.assert_allclose(rates[2, 1, :19], expected)
    assert rates[:, :, 19].sum() * (4.9 * 3600 - 19 * 900) == pytest.approx(
        rows["prompt_tokens"][(rows["tier"] < 2) & (rows["arrival_s"] >= 19 * 900)].sum()
    )
    everything = token_rates(Requests(rows, 5 * 3600.0), world, tiers=(0, 1, 2))
    assert everything.sum() * 900 == pytest.approx(rows["prompt_tokens"].sum())
    with pytest.raises(InputError, match="window_s = 0"):
        token_rates(Requests(rows, 5 * 3600.0), world, window_s=0)


def test_history_is_not_written_to():
    series = daily(2)
    series.flags.writeable = False
    for forecaster in HONEST:
        forecaster.forecast(series, 900.0)
    assert checked_history([[1, 2]], 900.0).dtype == np.float64


def hourly_peak(hours, steps=12, height=9.0):
    """Traffic whose window 3 of each hour is higher, and whose level rises by the hour."""
    shape = np.ones(steps)
    shape[3] = height
    return np.concatenate([(100.0 + hour) * shape for hour in range(hours)])[None]


def test_a_peak_of_every_hour_is_foreseen_whenever_one_asks():
    history = hourly_peak(30)
    for cut in (0, 2, 5):
        seen = history[:, : history.shape[1] - cut]
        forecast = Recurring(hours=6).forecast(seen, 300.0)
        place = (3 + cut) % 12
        assert forecast.point[0].argmax() == place
        others = np.delete(forecast.point[0], place)
        assert forecast.point[0, place] / others.mean() == pytest.approx(9.0, rel=0.02)
        assert forecast.rules == ("yesterday, times the hour's shape",)
        assert (forecast.lower <= forecast.point).all()
        assert (forecast.point <= forecast.upper).all()


def test_without_a_shape_the_base_speaks():
    flat = np.full((2, 24), 50.0)
    base = SeasonalNaive()
    for history in (flat, hourly_peak(2)):  # two hours are too few to tell a shape
        np.testing.assert_allclose(Recurring(base).forecast(history, 300.0).point, base.forecast(history, 300.0).point)


def test_windows_without_traffic_stay_silent():
    history = np.tile(np.where(np.arange(12) == 3, 1000.0, 0.0), 30)[None]
    point = Recurring().forecast(history, 300.0).point[0]
    assert point[3] == pytest.approx(1000.0, rel=0.05)
    assert point.sum() - point[3] < 20
    assert (Recurring().forecast(np.zeros((1, 100)), 300.0).point == 0).all()


def test_recurring_checks_its_hours():
    with pytest.raises(InputError, match="hours = 2 is out of range"):
        Recurring(hours=2)
