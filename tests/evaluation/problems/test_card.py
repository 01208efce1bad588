import pytest

from sageserve_env.env.rewards import TERMS
from sageserve_env.evaluation.problems.card import CardRow, headroom, label, markdown
from sageserve_env.evaluation.problems.episodes import EpisodeScore

HELD = {"attainable_iw_f": 100.0, "attainable_iw_n": 100.0, "attainable_niw": 100.0}


def row(name, *episodes):
    """A row of episodes given as dollars and late IW-F."""
    scores = [EpisodeScore(dict.fromkeys(TERMS, 0.0) | HELD | {"vm_usd": usd, "breaches_iw_f": late}) for usd, late in episodes]
    return CardRow(name, scores)


def test_a_row_is_feasible_where_every_episode_is():
    both, one = row("a", (10.0, 5.0), (30.0, 0.0)), row("b", (10.0, 6.0), (30.0, 0.0))
    assert (both.held, both.is_feasible, both.usd) == (2, True, 20.0)
    assert (one.held, one.is_feasible) == (1, False)
    assert one.worst("IW-F") == pytest.approx(0.94)


def test_headroom_is_against_the_cheapest_feasible_policy():
    rows = [row("reactive, tuned", (100.0, 0.0)), row("lt-ua, tuned", (50.0, 50.0)), row("hindsight", (60.0, 0.0))]
    assert headroom(rows, ("reactive", "lt-ua")) == "by 40.0%"
    assert headroom(rows[:2], ("reactive",)) is None
    assert headroom(rows[1:], ("reactive",)) is None


def test_where_none_is_feasible_headroom_is_against_the_one_that_holds_its_levels_most():
    often, never = row("lt-ua, tuned", (100.0, 0.0), (100.0, 9.0)), row("lt-i, tuned", (50.0, 50.0), (50.0, 50.0))
    rows = [never, often, row("hindsight", (60.0, 0.0), (60.0, 0.0))]
    assert headroom(rows, ("lt-i", "lt-ua")) == "by 40.0% (which holds its levels on 1 of 2 days only)"


def test_the_table_tells_all_of_it():
    text = markdown([row("reactive, tuned", (100.0, 1.0)), row("hindsight", (60.0, 0.0))])
    assert "| reactive, tuned | 100 | 100 | 0 | 99.0% | 100.0% | 100.0% | 1 of 1 | 0% |" in text
    assert "Hindsight is cheaper than the best tuned constant by 40.0%" in text


def test_labels_name_the_options():
    assert label("static", {}) == "static"
    assert label("static", {"instances": 0}) == "static, instances 0"
