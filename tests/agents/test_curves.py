"""Learning curves and cards' scores, from logs and results."""

import csv
import json
from functools import partial

import numpy as np
import pytest

from agents import curves, scores
from agents.inference.saved import save_agent
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import evaluate
from sageserve_env.evaluation.saved import CARD
from sageserve_env.evaluation.statistics import interquartile_mean
from sageserve_env.scenarios import load_problem
from tests.agents.inference.test_saved import new_mlp

pytest.importorskip("matplotlib")

USD = {"seed-0": [9.0, 5.0], "seed-1": [8.0, 4.0], "seed-2": [7.0, 3.0], "seed-3": [60.0, 2.0]}


@pytest.fixture
def run(tmp_path):
    """Logs of four seeds, one of them further than the others."""
    for seed, values in USD.items():
        (tmp_path / "mini" / seed).mkdir(parents=True)
        rows = []
        for k, usd in enumerate([*values, 1.0] if seed == "seed-0" else values):
            told = {"usd": usd, "vm_usd": usd, "breach_usd": 0.0, "shortfall": 0.0, "feasible": k, "episodes": 2}
            rows += [{"steps": 100 * k, "validation": told}, {"steps": 100 * k + 50}]
        (tmp_path / "mini" / seed / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "mini"


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_curves_are_of_the_steps_that_all_seeds_have(run, tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "reference_usd", lambda policy, problem: 2.5)
    curves.main([str(run), "--reference", "static", "--out", str(tmp_path / "out")])
    rows = table(tmp_path / "out" / curves.CURVES)
    assert [(row["run"], row["steps"], row["seeds"]) for row in rows] == [
        ("mini", "0", "4"),
        ("mini", "100", "4"),
        ("static", "0", "0"),
    ]
    assert float(rows[0]["usd_iqm"]) == interquartile_mean([9.0, 8.0, 7.0, 60.0]) == 8.5
    assert float(rows[0]["usd_low"]) < 8.5 < float(rows[0]["usd_high"])
    assert [float(row["share_feasible"]) for row in rows[:2]] == [0.0, 0.5]
    assert len(table(tmp_path / "out" / curves.RAW)) == 9
    assert (tmp_path / "out" / curves.FIGURE).stat().st_size > 5000


def test_a_reference_is_played_on_the_validation_days(monkeypatch):
    monkeypatch.setattr(curves, "FleetEnv", partial(FleetEnv, horizon_s=600.0))
    assert curves.reference_usd("static:instances=1", "mini") >= 3 * 12.29 / 6 - 0.01


def test_a_folder_without_logs_is_named(tmp_path):
    with pytest.raises(InputError, match=r"has no log\.jsonl with an evaluation"):
        curves.Run.of(tmp_path)


def test_an_evaluation_is_written_into_its_agents_card(tmp_path):
    save_agent(tmp_path / "agent", new_mlp(), "mini", curve=[{"steps": 3}])
    result = tmp_path / "result.json"
    entrant = Entrant.parse(str(tmp_path / "agent"), lambda words: {})
    found = evaluate(entrant, load_problem("mini").with_overrides(horizon_s=300.0), episodes=1, out=result)
    scores.main([str(tmp_path / "agent"), str(result), "--failure", "untrained"])
    card = json.loads((tmp_path / "agent" / CARD).read_text())
    assert card["known_failures"] == ["untrained"]
    assert card["scores"]["usd"] == pytest.approx(np.mean([row.score.usd for row in found.rows]))
    assert [row["usd"] for row in card["scores"]["played"]] == [row.score.usd for row in found.rows]
    assert card["scores"]["digest"] == entrant.digest == Entrant.parse(str(tmp_path / "agent"), lambda words: {}).digest
    assert card["curve"] == [{"steps": 3}]
    save_agent(tmp_path / "other", new_mlp(is_sampled=True), "mini")
    with pytest.raises(InputError, match="is of another agent"):
        scores.add_scores(tmp_path / "other", result, [])
