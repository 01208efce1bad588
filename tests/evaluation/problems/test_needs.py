import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.evaluation.problems.needs import MOST_INSTANCES, Needs, break_even_usd, needs, play_needed, sizes
from sageserve_env.scenarios import load_problem

NOON = {"day": "friday-o365-a", "variant": 0, "start_s": 11 * 3600.0}


def two_hours():
    return load_problem("mini").with_overrides(horizon_s=7200.0)


def break_even(problem, options):
    return break_even_usd(problem, options, needs(problem, options))


def met(*shares):
    """One hour, region and model, by instances."""
    return np.array(shares, float).reshape(len(shares), 1, 1, 1)


def test_the_least_fleet_that_meets_a_level_is_found():
    found = Needs(met(0.5, 0.9, 0.96, 1.0), 1.0, 10)
    assert [int(found.instances(level)[0, 0, 0]) for level in (0.0, 0.4, 0.95, 0.99)] == [0, 1, 3, 4]


def test_where_no_request_came_no_instance_is_needed():
    found = Needs(np.full((MOST_INSTANCES, 1, 1, 1), np.nan), 1.0, 0)
    assert found.instances()[0, 0, 0] == 0
    assert found.swing.tolist() == [0.0]


def test_a_level_that_no_fleet_meets_asks_for_more_than_were_tried():
    found = Needs(np.full((MOST_INSTANCES, 1, 1, 1), 0.5), 0.5, 10)
    assert found.instances()[0, 0, 0] == MOST_INSTANCES + 1


def test_sizes_are_tried_one_by_one_then_in_steps_of_a_tenth():
    assert sizes(4) == (1, 2, 3, 4)
    assert sizes(20) == (*range(1, 13), 14, 16, 18, 20)
    found = Needs(np.repeat([0.5, 0.96], [13, 3]).reshape(16, 1, 1, 1), 1.0, 10, sizes(20))
    assert [int(found.instances(level)[0, 0, 0]) for level in (0.5, 0.9, 0.99)] == [1, 16, 21]
    with pytest.raises(InputError, match="most = 0 is out of range; give a whole number, 1 to 100"):
        needs(two_hours(), NOON, most=0)


def test_swings_compare_the_largest_hour_with_the_smallest():
    hours = np.zeros((MOST_INSTANCES, 2, 2, 1))  # one region needs 1, then 4; the other always 2
    for hour, region, count in ((0, 0, 1), (1, 0, 4), (0, 1, 2), (1, 1, 2)):
        hours[count - 1 :, hour, region] = 1.0
    found = Needs(hours, 1.0, 10)
    assert found.swing.tolist() == [2.0]
    assert found.endpoint_swing.tolist() == [4.0]


def test_more_instances_meet_more_and_what_is_needed_serves():
    problem = two_hours()
    found = needs(problem, NOON)
    assert found.met.shape == (MOST_INSTANCES, 2, 3, 1)
    assert found.met[0].mean() < 0.5 < 0.99 < found.met[-1].mean()
    assert found.attainable > 0.98
    served, starved = (play_needed(problem, found.instances(level), NOON) for level in (0.99, 0.3))
    assert starved.attainment["IW-F"] < served.attainment["IW-F"]
    assert starved.terms["vm_usd"] < served.terms["vm_usd"]


def test_above_the_price_no_late_fleet_is_cheaper_than_every_honest_one():
    price, played = break_even(two_hours(), NOON)
    assert 0 < price < load_problem("mini").breach_prices_usd[0]
    honest = [score for _, score in played if min(score.attainment["IW-F"], score.attainment["IW-N"]) >= 0.95]
    late = [score for _, score in played if score not in honest]
    for score in late:
        dearest = 1.01 * price
        assert score.terms["vm_usd"] + dearest * score.breaches > min(h.terms["vm_usd"] + dearest * h.breaches for h in honest)


def test_a_day_that_no_fleet_serves_is_told():
    problem = load_problem("mini").with_overrides(horizon_s=3600.0)
    with pytest.raises(ValueError, match="no fleet holds the levels"):
        break_even(problem, NOON | {"scale": 50.0})


def test_a_day_that_every_fleet_serves_is_told():
    with pytest.raises(InputError, match=r"azure: every fleet holds the levels .* take another day"):
        break_even(load_problem("azure"), {"day": "conv", "variant": 0})
