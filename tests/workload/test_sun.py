"""Traffic that follows the sun: the same requests, in each region by its own clock."""

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import O365Week, Trace, load_workload
from sageserve_env.workload.sources.globe import globe_week
from sageserve_env.workload.transforms.sun import FollowSun
from sageserve_env.world import load_world
from sageserve_env.world.presets.globe import UTC_OFFSETS_H
from tests.workload.helpers import make_world, play, regular_trace

WEEK_S, HOUR = 604_800.0, 60  # minutes
CLOCKS = {"westus": -8.0, "centralus": 0.0, "eastus": 5.5}


def by_region(intensity):
    """Requests in each minute by region and model, and prompt tokens' factors weighted by them."""
    sums = {}
    for series, rate, factor in zip(intensity.series, intensity.rate, intensity.prompt_factor, strict=True):
        (region,) = series.regions
        requests, tokens = sums.get((region, series.model), (0.0, 0.0))
        sums[region, series.model] = requests + rate, tokens + rate * factor
    return sums


def test_no_request_is_lost_and_each_region_has_the_curve_by_its_clock():
    week = O365Week()
    sun = week.follow_sun(CLOCKS).folded(0)
    assert sun.expected().sum() == pytest.approx(week.intensity.expected().sum(), rel=1e-12)
    assert len(sun.series) == 3 * len(week.intensity.series)
    found = by_region(sun)
    for model in {series.model for series in week.intensity.series}:
        own = [k for k, series in enumerate(week.intensity.series) if series.model == model]
        for region, hours in CLOCKS.items():
            shares = np.array(
                [week.intensity.series[k].regions[region] / sum(week.intensity.series[k].regions.values()) for k in own]
            )
            local = week.intensity.rate[own]
            # At 00:00 UTC a clock that is ahead by so many hours shows the curve of that hour.
            np.testing.assert_allclose(found[region, model][0], shares @ np.roll(local, -int(hours * HOUR), axis=1), rtol=1e-9)
            tokens = shares @ np.roll(local * week.intensity.prompt_factor[own], -int(hours * HOUR), axis=1)
            np.testing.assert_allclose(found[region, model][1], tokens, rtol=1e-9)


def test_equal_clocks_change_nothing_but_the_series():
    week = O365Week()
    sun = week.follow_sun(dict.fromkeys(CLOCKS, 0.0)).folded(0)
    np.testing.assert_allclose(sun.rate.sum(axis=0), week.intensity.rate.sum(axis=0), rtol=1e-12)


def test_the_globes_peaks_come_region_by_region():
    intensity = load_workload("globe-week").folded(0)
    rates = {
        region: sum(rate for (name, _), (rate, _) in by_region(intensity).items() if name == region) for region in UTC_OFFSETS_H
    }
    days = {region: rate[: 5 * 1440].reshape(5, 24, 60).sum(axis=(0, 2)) for region, rate in rates.items()}
    local = {region: np.roll(day, int(UTC_OFFSETS_H[region])) for region, day in days.items()}
    peaks = {region: int(day.argmax()) for region, day in local.items()}
    assert max(peaks.values()) - min(peaks.values()) <= 1  # by their own clocks, at the same hour
    together = sum(days.values())
    assert together.max() / together.min() < 0.6 * max(day.max() / day.min() for day in days.values())


def test_a_day_of_the_globe_is_a_slice_of_its_week():
    day = load_workload("globe-day")
    assert (day.name, day.duration_s, day.week_start_s) == ("globe-day", 86_400.0, 86_400.0)
    whole = load_workload("globe-week").folded(0)
    np.testing.assert_array_equal(day.folded(0).rate, whole.rate[:, 1440:2880])
    assert day.past.duration_s == 86_400.0


def test_it_plays_in_its_world():
    world = load_world("globe")
    workload = globe_week(86_400.0, 3600.0, scale=0.05)
    chunk = play(workload.stream(world, 1))
    assert set(chunk["origin"]) == set(range(6))
    assert chunk["origin"].size == pytest.approx(workload.folded(0).expected().sum(), rel=0.1)
    with pytest.raises(InputError, match=r"globe-week.* is not in the world"):
        globe_week().stream(load_world("modern"), 0)


def test_shares_of_regions_may_be_given():
    skewed = globe_week(region_shares={"westus": 3.0, "koreacentral": 1.0}).folded(0)
    sums = {}
    for series, expected in zip(skewed.series, skewed.expected(), strict=True):
        (region,) = series.regions
        sums[region] = sums.get(region, 0.0) + expected
    assert sums["westus"] == pytest.approx(3 * sums["koreacentral"])
    assert set(sums) == {"westus", "koreacentral"}


class DayOfRecord(Trace):
    """A trace that says that it lasts a day."""

    duration_s = 86_400.0


@pytest.mark.parametrize(
    ("clocks", "message"),
    [
        ({}, "names no region"),
        ([("westus", 1.0)], "is no mapping"),
        ({"westus": 15.0}, "hours of 'westus' = 15.0 is not usable"),
        ({"westus": np.nan}, "hours of 'westus' = nan"),
        ({"westus": "9"}, "hours of 'westus' = '9'"),
    ],
)
def test_clocks_that_do_not_exist(clocks, message):
    with pytest.raises(InputError, match=message):
        O365Week().follow_sun(clocks)


def test_what_cannot_follow_the_sun_says_so(tmp_path):
    with pytest.raises(InputError, match="lasts 3600 s, no whole days"):
        O365Week(0.0, 3600.0).follow_sun(CLOCKS)
    with pytest.raises(InputError, match="clock of 'eastus' is not known"):
        O365Week().follow_sun({"westus": 0.0, "centralus": 0.0}).folded(0)
    record = DayOfRecord(regular_trace(tmp_path / "t.csv", 20))
    with pytest.raises(InputError, match="is a record of requests; give one made of rates"):
        record.apply(FollowSun((("westus", 0.0),))).stream(make_world(), 0)
