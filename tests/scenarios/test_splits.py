"""Splits share nothing, and a train split stays within its documented bounds."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sageserve_env.errors import InputError
from sageserve_env.scenarios import PROBLEMS, SPLITS, Randomisation, load_problem
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.scenarios.sources import CurveWindow, weekdays

MODELS = ("llama-2-70b", "bloom-176b")
names = st.sampled_from(list(PROBLEMS))
seeds = st.integers(0, 2**32 - 1)


def spans(split):
    """(record, first moment, last moment) of all that is played, in the time of its record."""
    return [(record, w.start_s, w.start_s + w.span_s) for w in split.windows for record in records(w)]


def records(window):
    """The curves of a window, the trace, or the Office 365 week."""
    if isinstance(window, CurveWindow):
        return window.curves
    return [window.name if window.week_start_s != window.start_s else "o365"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_splits_share_no_moment_of_a_record(name):
    for a, b in combinations(load_problem(name).splits, 2):
        for record, start, end in spans(a):
            for other, other_start, other_end in spans(b):
                assert record != other or end <= other_start or other_end <= start


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_window_of_a_split_is_there_twice(name):
    for split in load_problem(name).splits:
        spans_of_windows = [(*records(w), w.start_s) for w in split.windows]
        assert len({w.name for w in split.windows}) == len(set(spans_of_windows)) == len(split.windows)


@pytest.mark.parametrize("name", ["mini", "day", "week", "burst"])
def test_models_follow_every_curve_of_their_split(name):
    problem = load_problem(name)
    for split in problem.splits:
        curves = {curve for window in split.windows for curve in window.curves}
        for place, _ in enumerate(problem.source.models):
            assert {window.curves[place] for window in split.windows} == curves


def test_held_out_perturbations_are_other_ones():
    for name in PROBLEMS:
        validation, test = (set(split.variants) for split in load_problem(name).splits[1:])
        assert Perturbation() in validation & test
        assert name == "azure" or validation & test == {Perturbation()}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_the_three_splits(name):
    problem = load_problem(name)
    assert tuple(split.name for split in problem.splits) == SPLITS
    assert problem.splits[0].randomisation is not None
    assert len(problem.splits[1].variants) == 5
    assert len(problem.splits[2].held_out()) == 20
    assert all(split.randomisation is None for split in problem.splits[1:])


@settings(deadline=None)
@given(name=names, seed=seeds)
def test_seeds_encode_the_split(name, seed):
    for index, split in enumerate(SPLITS):
        drawn = load_problem(name).sample(split, np.random.default_rng(seed)).workload_seed
        assert drawn >> 30 == index
        assert 0 <= drawn < 2**32


@settings(deadline=None)
@given(name=names, seed=seeds)
def test_train_stays_within_its_bounds(name, seed):
    problem = load_problem(name)
    split = problem.split("train")
    law, drawn = split.randomisation, split.draw(np.random.default_rng(seed), problem.source.models).perturbation
    assert law.level[0] <= drawn.level <= law.level[1]
    assert law.phase_s[0] <= drawn.phase_s <= law.phase_s[1]
    assert law.noise[0] <= drawn.noise <= law.noise[1]
    assert drawn.burst_copies == 0 or law.burst_copies[0] <= drawn.burst_copies <= law.burst_copies[1]
    assert all(law.model_factor[0] <= factor <= law.model_factor[1] for _, factor in drawn.models)
    assert all(law.tier_factor[0] <= factor <= law.tier_factor[1] for _, factor in drawn.tiers)
    assert {model for model, _ in drawn.models} <= set(problem.source.models)


def test_train_reaches_the_whole_of_its_bounds():
    law, rng = Randomisation(), np.random.default_rng(5)
    drawn = [law.draw(rng, MODELS) for _ in range(2000)]
    for values, (low, high) in (
        ([np.log(p.level) for p in drawn], np.log(law.level)),
        ([p.phase_s for p in drawn], law.phase_s),
        ([p.noise for p in drawn], law.noise),
    ):
        assert np.histogram(values, bins=5, range=(low, high))[0] == pytest.approx(400, rel=0.25)
    assert np.mean([p.burst_copies > 0 for p in drawn]) == pytest.approx(law.burst_probability, abs=0.03)
    assert np.corrcoef([p.level for p in drawn], [dict(p.models)["bloom-176b"] for p in drawn])[0, 1] == pytest.approx(0, abs=0.1)


@settings(max_examples=30, deadline=None)
@given(level=st.floats(0.1, 4), phase_s=st.integers(-7200, 7200), factor=st.floats(0.5, 2), window=st.sampled_from(range(7)))
def test_level_and_shares_come_out_as_asked(level, phase_s, factor, window):
    day = weekdays("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[window]
    source = load_problem("paper").source
    plain = source.play(day, Perturbation()).folded(0)
    changed = source.play(day, Perturbation(level=level, phase_s=phase_s, models=(("bloom-176b", factor),))).folded(0)
    assert changed.expected().sum() == pytest.approx(level * plain.expected().sum())
    is_bloom = np.array([series.model == "bloom-176b" for series in plain.series])

    def odds(intensity):
        return intensity.expected()[is_bloom].sum() / intensity.expected()[~is_bloom].sum()

    assert odds(changed) == pytest.approx(factor * odds(plain))


def test_a_phase_moves_traffic_within_its_day():
    source, (day,) = load_problem("paper").source, weekdays("thursday")
    plain = source.play(day, Perturbation()).folded(0)
    late = source.play(day, Perturbation(phase_s=3600.0)).folded(0)
    assert late.rate == pytest.approx(np.roll(plain.rate, 60, axis=1))


@pytest.mark.parametrize(
    ("name", "bins"), [("mini", 12), ("day", 12), ("burst", 12), ("week", 12), ("paper", 60), ("scale2025", 60)]
)
def test_playing_a_window_shows_no_other(name, bins):
    """An episode that starts an hour before the end of its day, or week, goes on with the beginning of the same one."""
    problem = load_problem(name).with_overrides(horizon_s=7200.0)
    for split in problem.splits[1:]:
        for window in split.windows:
            options = {"day": window.name, "start_s": window.span_s - 3600.0, "variant": 0}
            own = problem.source.play(window, Perturbation()).folded(0).rate
            rate = problem.sample(split.name, np.random.default_rng(1), options).workload.folded(0).rate
            assert rate == pytest.approx(np.concatenate([own[:, -bins:], own[:, :bins]], axis=1))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"level": (0.0, 1.0)}, "lower bound of level = 0.0"),
        ({"level": (2.0, 1.0)}, "level = 2.0 to 1.0 is not in order"),
        ({"phase_s": (0.0, float("inf"))}, "upper bound of phase_s = inf"),
        ({"burst_probability": 1.5}, "burst_probability = 1.5"),
        ({"noise": (-0.1, 0.1)}, "lower bound of noise = -0.1"),
    ],
)
def test_bad_bounds_are_named(bounds, message):
    with pytest.raises(InputError, match=message):
        Randomisation(**bounds)
