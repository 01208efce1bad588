"""Traffic of curves: rates as asked, peaks at their minutes by each region's clock, days that show no other."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.scenarios import load_problem
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.scenarios.sources import DAY_S, CurveSource, CurveWindow, Peaks, Traffic, curve_days, curve_week
from sageserve_env.scenarios.sources.curves import EDGE_S
from sageserve_env.workload.sources.curves import BIN_S, curve

HOUR_S = 3600.0
DAY_BINS = round(DAY_S / EDGE_S)
PROMPT, OUTPUT = ("mooncake-prompt", 32_768), ("deepseek-r1-output", 16_384)
PLAIN = Traffic("a", 2.0, (0.4, 0.25, 0.35), (("west", 1.0),), PROMPT, OUTPUT)
WEEK = curve_week("week", ("o365-a",))
(THURSDAY,) = curve_days(("o365-a",), "thursday")
AS_RECORDED = Perturbation()


def rates(source, window, perturbation=AS_RECORDED, turns=1):
    """Requests per second by (model, region, whether NIW), in bins of ``EDGE_S``."""
    intensity = source.play(window, perturbation, turns).folded(0)
    assert np.diff(intensity.edges) == pytest.approx(np.full(intensity.edges.size - 1, EDGE_S))
    found = {}
    for series, rate in zip(intensity.series, intensity.rate, strict=True):
        (region,) = series.regions
        found[series.model, region, series.tiers[2] > 0] = rate
    return found


def fast(source, window, perturbation=AS_RECORDED, region="west"):
    """Of the interactive tiers of model a."""
    return rates(source, window, perturbation)["a", region, False]


def ratio_of_peaks(peaks, window, clock_s=0.0):
    """Interactive rates with peaks over those without, in bins of ``EDGE_S``."""
    clocks = (("west", clock_s),)
    return fast(CurveSource((replace(PLAIN, peaks=peaks),), clocks), window) / fast(CurveSource((PLAIN,), clocks), window)


def test_a_weeks_mean_rate_and_shares_are_as_asked():
    traffic = (
        replace(PLAIN, regions=(("west", 0.75), ("east", 0.25))),
        replace(PLAIN, model="b", rate_per_s=0.5, tiers=(1.0, 1.0, 0.0)),
    )
    source = CurveSource(traffic)
    found = rates(source, curve_week("week", ("o365-a", "azure2024-code")))
    means = {key: rate.mean() for key, rate in found.items()}
    assert means == pytest.approx(
        {
            ("a", "west", False): 2.0 * 0.75 * 0.65,
            ("a", "west", True): 2.0 * 0.75 * 0.35,
            ("a", "east", False): 2.0 * 0.25 * 0.65,
            ("a", "east", True): 2.0 * 0.25 * 0.35,
            ("b", "west", False): 0.5,  # no NIW, and no series of it
        },
        rel=1e-3,
    )
    assert source.models == ("a", "b")


def test_requests_come_as_expected():
    problem = load_problem("mini")
    episode = problem.sample("test", np.random.default_rng(0), {"variant": 0, "day": 0})
    expected = episode.workload.folded(0).expected().sum()
    stream, count = episode.workload.stream(problem.world(), episode.workload_seed), 0
    while (chunk := stream.next_chunk()).size:
        count += chunk.size
        assert np.all(chunk["prompt_tokens"] <= 32_768)
        assert np.all(chunk["output_tokens"] <= 16_384)
    assert count == pytest.approx(expected, abs=4 * expected**0.5)


def test_a_day_is_its_part_of_the_week():
    """Between the bins of the record the rate is a straight line, which at a day's ends leads to its other end."""
    source = CurveSource((PLAIN,))
    week, day = fast(source, WEEK).reshape(7, DAY_BINS), fast(source, THURSDAY)
    assert day[2:-2] == pytest.approx(week[3, 2:-2])
    recorded = curve("o365-a").reshape(7, -1)[3]
    assert day.mean() == pytest.approx(2.0 * 0.65 * recorded.mean(), rel=1e-3)


@pytest.mark.parametrize(
    ("start_s", "duration_s", "hours"), [(0.0, 600.0, (9, 10, 17)), (1800.0, 900.0, (0, 23)), (2700.0, 300.0, (7,))]
)
@pytest.mark.parametrize("clock_s", [0.0, 3 * HOUR_S, -5 * HOUR_S])
def test_peaks_stand_on_their_minutes_by_the_regions_clock(start_s, duration_s, hours, clock_s):
    ratio = ratio_of_peaks(Peaks(3.0, start_s, duration_s, hours), THURSDAY, clock_s)
    expected = np.ones(DAY_BINS)
    for hour in hours:
        first = round((hour * HOUR_S + start_s - clock_s) % DAY_S / EDGE_S)
        expected[first : first + round(duration_s / EDGE_S)] = 3.0
    assert ratio == pytest.approx(expected)


def test_peaks_come_every_day_of_a_week_and_leave_niw_alone():
    peaks = Peaks(4.0, 0.0, 300.0, (8,))
    assert ratio_of_peaks(peaks, WEEK).reshape(7, DAY_BINS) == pytest.approx(np.tile(ratio_of_peaks(peaks, THURSDAY), (7, 1)))
    with_peaks, plain = (rates(CurveSource((each,)), THURSDAY)["a", "west", True] for each in (replace(PLAIN, peaks=peaks), PLAIN))
    np.testing.assert_array_equal(with_peaks, plain)


@pytest.mark.parametrize("phase_s", [HOUR_S, -1.5 * HOUR_S, 1000.0])
def test_a_phase_moves_the_curve_and_not_the_peaks(phase_s):
    peaks = Peaks(3.0, 1800.0, 600.0, (7, 12))
    moved = Perturbation(phase_s=phase_s)
    plain, peaky = CurveSource((PLAIN,)), CurveSource((replace(PLAIN, peaks=peaks),))
    ratio = fast(peaky, THURSDAY, moved) / fast(plain, THURSDAY, moved)
    assert ratio == pytest.approx(ratio_of_peaks(peaks, THURSDAY))
    if phase_s % EDGE_S == 0:
        assert fast(plain, THURSDAY, moved) == pytest.approx(np.roll(fast(plain, THURSDAY), round(phase_s / EDGE_S)))
    assert fast(plain, THURSDAY, moved).mean() == pytest.approx(fast(plain, THURSDAY).mean(), rel=1e-3)


def test_the_sun_is_earlier_where_the_clock_is_ahead():
    source = CurveSource((replace(PLAIN, regions=(("west", 0.5), ("east", 0.5))),), (("east", 3 * HOUR_S),))
    west, east = (fast(source, THURSDAY, region=region) for region in ("west", "east"))
    assert east == pytest.approx(np.roll(west, -round(3 * HOUR_S / EDGE_S)))


def test_turns_repeat_the_window_with_its_peaks():
    source = CurveSource((replace(PLAIN, peaks=Peaks(3.0)),))
    once, twice = fast(source, THURSDAY), rates(source, THURSDAY, turns=2)["a", "west", False]
    assert twice == pytest.approx(np.tile(once, 2))


def test_the_past_is_the_days_before_of_the_same_curves():
    source = CurveSource((replace(PLAIN, peaks=Peaks(3.0, 0.0, 600.0, (9,))),))
    played = source.play(THURSDAY, AS_RECORDED)
    assert played.past.duration_s == 3 * DAY_S
    assert played.past.past is None
    before = dict(zip([s.tiers[2] > 0 for s in played.past.folded(0).series], played.past.folded(0).rate, strict=True))
    week = fast(source, WEEK)
    assert before[False][2 : 3 * DAY_BINS - 2] == pytest.approx(week[2 : 3 * DAY_BINS - 2])
    assert source.play(WEEK, AS_RECORDED).past is None


def test_the_past_has_the_same_phase_and_level_but_other_noise():
    source = CurveSource((PLAIN,))
    moved = Perturbation(level=1.5, phase_s=HOUR_S)
    past, plain = (source.play(THURSDAY, each).past.folded(0).rate for each in (moved, AS_RECORDED))
    assert past == pytest.approx(1.5 * np.roll(plain, round(HOUR_S / EDGE_S), axis=1))
    (monday, tuesday) = curve_days(("o365-a",), "monday", "tuesday")
    noisy = Perturbation(noise=0.3, noise_seed=5)
    now, before = source.play(monday, noisy).folded(0), source.play(tuesday, noisy).past.folded(0)
    assert not np.allclose(now.rate, before.rate)


def test_shares_of_a_window_are_changed_by_their_factors():
    """A factor acts on what the window has: on this day, with its peaks, not on the mean of the week."""
    traffic = (replace(PLAIN, peaks=Peaks(3.0)), replace(PLAIN, model="b", rate_per_s=1.0))
    source = CurveSource(traffic)
    (window,) = curve_days(("o365-a", "azure2024-code"), "friday")

    def expected(perturbation):
        return {key: rate.sum() for key, rate in rates(source, window, perturbation).items()}

    plain, changed = expected(AS_RECORDED), expected(Perturbation(models=(("a", 1.3),)))
    assert sum(changed.values()) == pytest.approx(sum(plain.values()))
    for is_batch in (False, True):
        odds = [each["a", "west", is_batch] / each["b", "west", is_batch] for each in (changed, plain)]
        assert odds[0] == pytest.approx(1.3 * odds[1])
    more_batch = expected(Perturbation(tiers=(("NIW", 1.2),)))
    batch, rest = (
        [sum(value for key, value in each.items() if key[2] == is_batch) for each in (more_batch, plain)]
        for is_batch in (True, False)
    )
    assert batch[0] / rest[0] == pytest.approx(1.2 * batch[1] / rest[1])
    unchanged = expected(Perturbation(models=(("a", 1.0),), tiers=(("NIW", 1.0),)))
    assert unchanged == pytest.approx(plain)


def test_windows_are_named_and_lie_in_their_week():
    days = curve_days(("o365-b",), "monday", "friday", suffix="-x")
    assert [(day.name, day.start_s, day.span_s, day.week_start_s) for day in days] == [
        ("monday-x", 0.0, DAY_S, 0.0),
        ("friday-x", 4 * DAY_S, DAY_S, 4 * DAY_S),
    ]
    assert CurveWindow("week", 0.0, 7 * DAY_S, 0.0, ("o365-a",)) == WEEK
    assert DAY_S % BIN_S == 0 == BIN_S % EDGE_S
