"""The tables of docs/scenarios.md are what the problems play today."""

from pathlib import Path

import pytest

from sageserve_env.evaluation.problems.card import card_row, card_rows, demand_line, entrants, line, markdown
from sageserve_env.scenarios import load_problem

ROOT = Path(__file__).parents[2]
PLANS = ROOT / "baselines" / "plans"
PAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")


def table_of(name):
    return PAGE.partition(f"<!-- scores of {name} -->\n")[2].partition(f"\n<!-- end of {name} -->")[0]


def test_a_whole_card_regenerates():
    assert markdown(list(card_rows(load_problem("azure"), str(PLANS / "azure.json")))) == table_of("azure")


def test_what_a_day_asks_for_is_measured_alike():
    assert demand_line(load_problem("mini"), {"day": "friday-o365-a", "variant": 0}) in table_of("mini").splitlines()


@pytest.mark.parametrize("label", ["hindsight", "reactive, tuned"])
@pytest.mark.parametrize("name", ["mini", "day", "burst", "storm", "globe", "paper"])
def test_rows_of_a_card_regenerate(name, label):
    problem = load_problem(name)
    row = card_row(problem, label, entrants(problem, str(PLANS / f"{name}.json"))[label])
    assert line(row) in table_of(name).splitlines()
