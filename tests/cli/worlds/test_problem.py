"""``sageserve problem``; what it measures is tested in tests/evaluation/problems."""

import pytest

from sageserve_env.registration import IDS


def test_the_list_has_every_id(run):
    ran = run("problem", "list")
    assert ran.status == 0, ran.err
    assert all(env_id in ran.out for env_id in IDS.values())


def test_needs_of_one_day(run):
    ran = run("problem", "needs", "azure", "--day", "conv")
    assert ran.status == 0, ran.err
    assert "conv" in ran.out
    assert "code" not in ran.out
    assert "llama-2-70b" in ran.out
    assert "bloom-176b" in ran.out


def test_a_card_has_every_reference_policy(run):
    ran = run("problem", "card", "azure")
    assert ran.status == 0, ran.err
    for name in ("static, instances", "reactive", "hpa", "keda", "forecast-program"):
        assert f"| {name}" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["needs", "maxi"], "problem = 'maxi' does not exist"),
        (["needs", "mini", "--day", "sunday"], "day = 'sunday' is not in split 'test' of 'mini'"),
        (["price", "maxi"], "problem = 'maxi' does not exist"),
        (["card", "maxi"], "problem = 'maxi' does not exist"),
        (["card", "mini", "--plans", "nowhere.json"], "nowhere.json"),
    ],
)
def test_bad_input_is_named(run, arguments, message):
    ran = run("problem", *arguments)
    assert ran.status == 2
    assert message in ran.err
