"""Recorded weeks and sizes that problems put together."""

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import load_workload
from sageserve_env.workload.drawn.sizes import CELLS
from sageserve_env.workload.sources.curves import BIN_S, CURVES, LOCAL_BINS, SIZES, curve, sizes
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.workload.sources.servegen import total_rate

DAY_BINS = 144
WEEK_BINS = 1008


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_is_a_whole_week_of_mean_one(name):
    shape = curve(name)
    assert shape.shape == (WEEK_BINS,)
    assert shape.mean() == pytest.approx(1.0)
    assert shape.min() > 0
    assert curve(name) is shape
    assert not shape.flags.writeable


@pytest.mark.parametrize("name", CURVES)
def test_no_day_of_a_curve_stands_still(name):
    """A gap in a record would be no traffic."""
    days = curve(name).reshape(7, DAY_BINS)
    assert days.max(axis=1) == pytest.approx(np.full(7, days.max()), rel=0.9)
    assert days.mean(axis=1).min() > 0.2


@pytest.mark.parametrize("name", [name for name in CURVES if not name.startswith("servegen")])
def test_curves_of_known_weekdays_are_low_at_the_weekend(name):
    days = curve(name).reshape(7, DAY_BINS).mean(axis=1)
    assert days[5:].max() < days[:5].min()


def test_an_o365_curve_is_the_interactive_traffic_of_its_model():
    intensity = O365Week().intensity
    rate = sum(
        row
        for series, row in zip(intensity.series, intensity.rate, strict=True)
        if (series.model, series.tiers[2]) == ("llama-2-70b", 0.0)
    )
    expected = rate.reshape(WEEK_BINS, 10).mean(axis=1)
    assert curve("o365-a") == pytest.approx(np.roll(expected / expected.mean(), LOCAL_BINS))


def test_an_azure_curve_begins_on_monday():
    """The record begins elsewhere in the week; what it has at an instant of the week is where the curve has it."""
    workload = load_workload("azure2024-code-week")
    rate = workload.intensity.rate.sum(axis=0)
    shape = np.roll(curve("azure2024-code"), -LOCAL_BINS)
    for hour in (0, 30, 100):
        bin_of_record = int(np.searchsorted(workload.intensity.edges, hour * 3600.0 + BIN_S / 2, side="right") - 1)
        bin_of_week = round((workload.week_start_s + hour * 3600.0) / BIN_S) % WEEK_BINS
        assert shape[bin_of_week] / shape[0] == pytest.approx(rate[bin_of_record] / rate[_bin_of_monday(workload)], rel=1e-9)


def _bin_of_monday(workload):
    since_s = -workload.week_start_s % (7 * 86_400.0)
    return int(np.searchsorted(workload.intensity.edges, since_s + BIN_S / 2, side="right") - 1)


@pytest.mark.parametrize("model", ["m-large", "m-small"])
def test_servegens_two_weeks_are_two_curves(model):
    first, second = curve(f"servegen-{model}-1"), curve(f"servegen-{model}-2")
    recorded = total_rate(model)
    assert recorded.size == 2 * WEEK_BINS
    assert first == pytest.approx(recorded[:WEEK_BINS] / recorded[:WEEK_BINS].mean())
    assert second == pytest.approx(recorded[WEEK_BINS:] / recorded[WEEK_BINS:].mean())


@pytest.mark.parametrize("name", SIZES)
def test_sizes_rise_and_are_cut(name):
    table = sizes(name, 1000)
    assert table.shape == (CELLS + 1,)
    assert np.all(np.diff(table) >= 0)
    assert (table.min() >= 1.0, table.max()) == (True, 1000.0)
    uncut = sizes(name, 10**9)
    assert table == pytest.approx(np.minimum(uncut, 1000.0))


def test_conversations_are_long_and_reasoning_is_longer_than_answers():
    prompt, answer, reasoning = (sizes(name, 10**9).mean() for name in ("mooncake-prompt", "mooncake-output", "deepseek-r1-output"))
    assert 10_000 < prompt < 15_000
    assert 300 < answer < 400
    assert 1000 < reasoning < 2500


def test_names_that_do_not_exist_are_named():
    with pytest.raises(InputError, match=r"curve = 'o365-d' does not exist; choose one of o365-a, .*servegen-m-small-2"):
        curve("o365-d")
    with pytest.raises(InputError, match=r"sizes = 'burst-gpt' do not exist; choose one of mooncake-prompt"):
        sizes("burst-gpt", 100)
