"""The rolling test: errors counted right, the same whatever comes later, and the command with its files."""

import csv

import numpy as np
import pytest

from baselines.forecast import Arima, ExponentialSmoothing, Oracle, SeasonalNaive, token_rates
from baselines.forecast.backtest import main
from baselines.forecast.backtest_report import plot_backtest
from baselines.forecast.rolling import Prediction, backtest, errors, pinball
from sageserve_env.errors import InputError
from sageserve_env.workload import O365Week
from sageserve_env.world import published

REGIONS, MODELS = ["westus", "centralus", "eastus"], ["a", "b"]


def waves(hours=30, window_s=900.0):
    rng = np.random.default_rng(0)
    n = round(hours * 3600 / window_s)
    return rng.uniform(500, 1_500, (3, 2, n)) * (2 + np.sin(np.arange(n) * window_s / 86_400 * 2 * np.pi))


@pytest.fixture(scope="module")
def monday_and_tuesday():
    """The first 32 hours of the O365 week, interactive."""
    return token_rates(O365Week(duration_s=32 * 3600.0), published(), seed=3)


def test_oracle_makes_no_error_and_naive_makes_yesterdays():
    rates = waves()
    oracle = Oracle(rates.reshape(6, -1), 900.0)
    result = backtest(rates, 900.0, REGIONS, MODELS, [SeasonalNaive(), oracle])
    assert result.actual.shape == (3, 2, 6, 4)
    np.testing.assert_array_equal(result.origins, np.arange(96, 120, 4))
    np.testing.assert_array_equal(result.actual[1, 0, 2], rates[1, 0, 104:108])
    rows = {tuple(row[k] for k in ("forecaster", "model", "region", "horizon_min")): row for row in result.rows()}
    assert len(rows) == 2 * 2 * 4 * 5
    exact = rows["oracle", "a", "all", "all"]
    assert (exact["mape_pct"], exact["wape_pct"], exact["pinball_tps"], exact["coverage"]) == (0, 0, 0, 1)
    yesterday, today = rates[1, 0, 1:24:4], rates[1, 0, 97:120:4]
    row = rows["seasonal naive", "a", "centralus", "30"]
    assert row["mape_pct"] == pytest.approx((np.abs(yesterday - today) / today).mean() * 100)
    assert row["wape_pct"] == pytest.approx(np.abs(yesterday - today).sum() / today.sum() * 100)
    assert row["windows"] == 6
    over_regions = np.mean([rows["seasonal naive", "b", region, "15"]["mape_pct"] for region in REGIONS])
    assert rows["seasonal naive", "b", "all", "15"]["mape_pct"] == pytest.approx(over_regions)


def test_pinball():
    actual, quantile = np.array([10.0, 10.0]), np.array([7.0, 12.0])
    assert pinball(actual, quantile, 0.9) == pytest.approx((0.9 * 3 + 0.1 * 2) / 2)
    assert pinball(actual, actual, 0.1) == 0


def test_silent_windows_stay_out_of_mape_only():
    zeros, ones = np.zeros((1, 4)), np.ones((1, 4))
    prediction = Prediction(2 * ones, 0 * ones, 4 * ones, 0.8)
    some = errors(np.array([[0.0, 1.0, 4.0, 0.0]]), prediction, (slice(None),))
    assert some["mape_pct"] == pytest.approx(75)
    assert some["wape_pct"] == pytest.approx(140)
    assert (some["windows"], some["windows_in_mape"]) == (4, 2)
    none = errors(zeros, prediction, (slice(None),))
    assert np.isnan([none["mape_pct"], none["wape_pct"]]).all()
    assert none["coverage"] == 1


def test_later_traffic_changes_no_earlier_prediction(monday_and_tuesday):
    rates = monday_and_tuesday[:, :2]
    cut = 28 * 4
    altered = np.concatenate([rates[:, :, :cut], 9 * rates[:, :, :1] + 0 * rates[:, :, cut:]], axis=2)
    for forecaster in (SeasonalNaive(), ExponentialSmoothing(), Arima()):
        first, second = (
            backtest(series, 900.0, REGIONS, MODELS, [forecaster]).predictions[forecaster.name] for series in (rates, altered)
        )
        for part in ("point", "lower", "upper"):
            np.testing.assert_array_equal(getattr(first, part)[:, :, :5], getattr(second, part)[:, :, :5])


def test_the_second_morning_of_the_o365_week(monday_and_tuesday):
    world = published()
    names = [region.name for region in world.regions], [model.name for model in world.models]
    forecasters = [SeasonalNaive(), ExponentialSmoothing(), Arima()]
    rows = backtest(monday_and_tuesday, 900.0, *names, forecasters).rows()
    assert {row["forecaster"] for row in rows} == {"seasonal naive", "exponential smoothing", "ARIMA"}
    assert {row["horizon_min"] for row in rows} == {"15", "30", "45", "60", "all"}
    assert {row["region"] for row in rows} == {*names[0], "all"}
    assert all(np.isfinite(row["mape_pct"]) for row in rows)


def test_the_command(tmp_path, monday_and_tuesday, monkeypatch, capsys):
    monkeypatch.setattr("baselines.forecast.backtest.token_rates", lambda *_: monday_and_tuesday[:, :, : 26 * 4])
    assert main(["--out", str(tmp_path / "new" / "folder")]) == 0
    printed = capsys.readouterr().out
    for word in ("llama-2-70b", "centralus", "ARIMA", "seasonal naive", "pinball", "60 min"):
        assert word in printed
    with (tmp_path / "new" / "folder" / "backtest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 4 * 4 * 5
    assert float(rows[0]["mape_pct"]) > 0
    assert (tmp_path / "new" / "folder" / "backtest.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_names_what_is_wrong(tmp_path, capsys):
    assert main(["--out", str(tmp_path), "--workload", "o365-wek"]) == 2
    assert "did you mean 'o365-week'?" in capsys.readouterr().err
    assert main(["--out", str(tmp_path), "--workload", "o365-hour"]) == 2
    assert "rates cover 1 h; give 25 h or more" in capsys.readouterr().err


def test_wrong_names_and_pictures_are_refused(tmp_path):
    rates = waves()
    with pytest.raises(InputError, match=r"rates has shape \(3, 2, 120\)"):
        backtest(rates, 900.0, REGIONS, ["a"], [SeasonalNaive()])
    result = backtest(rates, 900.0, REGIONS, MODELS, [SeasonalNaive()])
    with pytest.raises(InputError, match="no picture format that matplotlib knows"):
        plot_backtest(result, tmp_path / "figure.xyz", band="ARIMA")
    assert plot_backtest(result, tmp_path / "figure.svg", band="seasonal naive").read_text().startswith("<?xml")
