"""The table: what each policy costs beside the reference, more traffic and all, and what cannot be played; its picture."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sageserve_env.evaluation.generalisation import table as module
from sageserve_env.evaluation.generalisation.conditions import Condition
from sageserve_env.evaluation.generalisation.heat_map import draw_heat_map, generalisation_tables, untuned
from sageserve_env.evaluation.generalisation.table import Cell, generalise, write_table
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.scenarios import load_problem

FILE = Path(__file__).parents[1] / "locked" / "entrants.py"


@pytest.fixture(scope="module")
def cells():
    """Two policies on the first days of a short Mini at two levels, and of a short Burst, whose shapes are others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Condition, "load", lambda self: load_problem(self.problem).with_overrides(horizon_s=900.0))
        agent = Entrant(f"{FILE}:OneShape", str(FILE), "OneShape")
        conditions = [Condition.parse(text) for text in ("mini", "mini@train:2", "burst")]
        return generalise([Entrant("static:instances=3", "static", options={"instances": 3}), agent], conditions, 1)


def test_a_cell_is_what_the_policy_costs_there(cells) -> None:
    condition = Condition.parse("mini")
    env = module.FleetEnv(problem=load_problem("mini").with_overrides(horizon_s=900.0), split="test")
    (episode,) = condition.episodes(load_problem("mini"), 1)
    score = play_policy(env, load_policy("static", instances=3), episode, EPISODE_SEED)
    reference = module.reference_score(env, condition, episode)
    assert cells[0] == Cell(
        "reactive, tuned there", "mini", "reactive:tuned=mini", 1, int(reference.is_feasible), reference.usd, 1.0
    )
    assert cells[1] == Cell(
        "static:instances=3", "mini", "reactive:tuned=mini", 1, int(score.is_feasible), score.usd, score.usd / reference.usd
    )


def test_each_policy_is_under_each_condition(cells) -> None:
    assert [cell.condition for cell in cells] == ["mini"] * 3 + ["mini@train:2"] * 3 + ["burst"] * 3
    assert len({(cell.policy, cell.condition) for cell in cells}) == 9


def test_what_has_another_shape_is_told(cells) -> None:
    failed = [cell for cell in cells if cell.failure is not None]
    assert [(cell.condition, cell.usd, cell.relative) for cell in failed] == [("burst", None, None)]
    assert "AssertionError" in failed[0].failure


def test_it_is_written_and_drawn(cells, tmp_path) -> None:
    write_table(tmp_path / "table.json", cells)
    assert [Cell(**each) for each in json.loads((tmp_path / "table.json").read_text())["cells"]] == cells
    assert draw_heat_map(cells, tmp_path / "map.png").stat().st_size > 10_000
    table, failures = generalisation_tables(cells)
    assert (table.row_count, failures.row_count) == (9, 1)
    assert len(generalisation_tables(cells[:3])) == 1


def test_where_the_reference_is_not_tuned_is_told(cells) -> None:
    assert untuned(cells) == ""
    assert module.reference_of(Condition.parse("azure")) == "reactive"
    lone = replace(cells[0], condition="azure", reference="reactive")
    assert untuned([lone, *cells]) == "reactive is not tuned for azure: there it is as it comes"
    assert "azure" in str(generalisation_tables([lone])[0].caption)
