"""Conditions: read from text, and the episodes that they stand for."""

import pytest

from sageserve_env.errors import InputError
from sageserve_env.evaluation.generalisation.conditions import Condition, usual
from sageserve_env.scenarios import load_problem


@pytest.mark.parametrize("text", ["mini", "burst:2", "mini@train", "day@validation:0.5"])
def test_conditions_are_read_and_shown(text: str) -> None:
    assert str(Condition.parse(text)) == text


def test_ids_stand_for_problems() -> None:
    assert Condition.parse("SageServe/Mini-v0@test:1") == Condition("mini", "test", 1.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no condition"),
        ("maxi", "--on = 'maxi' does not exist"),
        ("mini@weekend", "--on: split = 'weekend'"),
        ("mini:fast", "is no level"),
        ("mini:0", "--on: level = 0"),
        ("mini:nan", "--on: level"),
        ("mini:2:2", "no condition"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Condition.parse(text)


def test_episodes_are_the_days_of_the_split_at_the_level() -> None:
    problem = load_problem("mini")
    train, test = (Condition.parse(f"mini@{split}:2").episodes(problem, None) for split in ("train", "test"))
    assert [each["day"] for each in train] == [window.name for window in problem.split("train").windows]
    assert {each["scale"] for each in (*train, *test)} == {2.0}
    assert [set(each) for each in (train[0], test[0])] == [{"day", "scale"}, {"day", "scale", "variant"}]
    assert Condition.parse("mini").episodes(problem, 1) == [{"day": test[0]["day"], "variant": 0, "scale": 1.0}]


def test_what_is_tried_leaves_home() -> None:
    names = [str(each) for each in usual("burst")]
    assert len(names) == len(set(names))
    assert {"burst", "burst@train", "burst:0.5", "burst:2", "storm"} <= set(names)
