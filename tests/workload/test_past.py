"""What came before a workload: the part of the record that forecasters may see."""

import numpy as np
import pytest

from sageserve_env.scenarios import load_problem
from sageserve_env.workload import load_workload
from sageserve_env.workload.sources.o365 import O365Week

DAY_S = 86_400.0


def test_past_ends_where_the_workload_begins():
    thursday = load_workload("o365-thursday")
    assert thursday.past.duration_s == 3 * DAY_S
    assert thursday.past.past is None
    assert O365Week().past is None
    whole = O365Week().intensity
    np.testing.assert_array_equal(thursday.past.intensity.rate, whole.rate[:, : 3 * 1440])
    np.testing.assert_array_equal(thursday.intensity.rate, whole.rate[:, 3 * 1440 : 4 * 1440])


def test_transforms_reach_the_past():
    thursday = load_workload("o365-thursday").scale(0.5)
    assert thursday.past.folded(0).expected().sum() == pytest.approx(0.5 * O365Week(0, 3 * DAY_S).intensity.expected().sum())
    noon = thursday.slice(DAY_S / 2, 3600.0)
    assert (noon.past.duration_s, noon.past.past.duration_s) == (DAY_S / 2, 3 * DAY_S)
    assert noon.past.week_start_s == 3 * DAY_S


def test_a_trace_has_a_past_where_it_is_sliced():
    trace = load_workload("azure2023-conv")
    assert trace.past is None
    assert trace.slice(600.0, 60.0).scale(2.0).past.duration_s == 600.0
    assert trace.slice(600.0, 60.0).shift(5.0).past is None


def test_noise_of_the_past_is_another():
    day = O365Week(5 * DAY_S, DAY_S)
    flat = day.after(O365Week(5 * DAY_S, DAY_S)).noise(0.3, seed=5)
    assert not np.array_equal(flat.folded(0).rate, flat.past.folded(0).rate)


@pytest.mark.parametrize(("problem", "suffix"), [("paper", ""), ("day", "-2"), ("mini", "-o365-b")])
@pytest.mark.parametrize(("split", "days"), [("train", {"monday": 0, "wednesday": 2}), ("test", {"friday": 4})])
def test_episodes_have_the_days_before_as_their_past(problem, suffix, split, days):
    for day, before in days.items():
        episode = load_problem(problem).sample(split, np.random.default_rng(1), {"day": day + suffix})
        past = episode.workload.past
        assert (past is None) if before == 0 else past.duration_s == before * DAY_S
