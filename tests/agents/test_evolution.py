"""Evolution: its searches find an optimum, it goes on where it was stopped, and it improves on where it began."""

import csv
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from agents.common.log import LOG
from agents.evolution import Settings, evolve, settings_for, table
from agents.evolution.evolve import BEST, facts_of, rank_of
from agents.evolution.play import Outcomes, Player
from agents.evolution.search import search_for
from agents.evolution.seeds import evolve_seeds
from agents.inference.saved import load_agent, save_agent
from agents.inference.shared import SharedPolicy
from agents.inference.shared.weights import COMMON, starts
from sageserve_env.errors import InputError

TINY = Settings(generations=3, population=4, episodes=1, validate_every=2, horizon_s=3600.0)


@pytest.mark.parametrize("algorithm", ["cma-es", "cem"])
def test_searches_find_the_bottom_of_a_bowl(algorithm: str) -> None:
    pytest.importorskip("cma")
    bottom, settings = np.array([1.0, -2.0, 0.5]), Settings(algorithm=algorithm, population=24, sigma=1.0)
    search = search_for(settings, np.zeros(3), np.ones(3), seed=0)
    for _ in range(40):
        search.tell(((search.ask() - bottom) ** 2).sum(axis=1))
    assert np.abs(search.mean - bottom).max() < 0.1


def test_what_is_missing_costs_more() -> None:
    usd = np.array([[100.0, 100.0], [100.0, 100.0]])
    attainment = np.array([[[0.96, 0.96, 1.0]] * 2, [[0.96, 0.96, 1.0], [0.94, 0.96, 1.0]]])
    scores = Outcomes(usd, attainment)
    assert scores.is_feasible.tolist() == [[True, True], [True, False]]
    assert scores.cost(10.0, 0.5, (0.0, 0.0, 0.0)) == pytest.approx([100.0, 110.0])
    assert scores.cost(10.0, 0.0, (0.02, 0.0, 0.0))[0] == pytest.approx(110.0)


def interrupt(row: dict[str, object]) -> None:
    """What Ctrl-C does after a generation."""
    raise KeyboardInterrupt


def test_an_evolution_goes_on_bit_for_bit(tmp_path) -> None:
    pytest.importorskip("cma")
    whole = evolve("mini", TINY, tmp_path / "whole", seed=3)
    with pytest.raises(KeyboardInterrupt):
        evolve("mini", TINY, tmp_path / "parts", seed=3, report=interrupt)
    parts = evolve("mini", TINY, tmp_path / "parts", seed=3)
    np.testing.assert_array_equal(whole.flat, parts.flat)
    rows = [[json.loads(line) for line in (tmp_path / name / LOG).read_text().splitlines()] for name in ("whole", "parts")]
    assert [row.get("costs") for row in rows[0]] == [row.get("costs") for row in rows[1]]
    assert [row["steps"] for row in rows[0]] == [0, 48, 96, 144]
    with pytest.raises(InputError, match="another evolution"):
        evolve("mini", TINY, tmp_path / "parts", seed=4)


def test_it_improves_on_where_it_began(tmp_path) -> None:
    pytest.importorskip("cma")
    facts, poor = facts_of("mini"), starts(1)
    names = [weight.name for weight in COMMON]
    poor[names.index("linear")], poor[names.index("root")] = -2.0, 0.0  # far too few instances
    save_agent(tmp_path / "poor", SharedPolicy(facts, poor), "mini")
    settings = replace(TINY, generations=6, population=10, episodes=4, begin=str(tmp_path / "poor"), sigma=1.0)
    agent = evolve("mini", settings, tmp_path / "out", seed=0)
    player = Player(facts, horizon_s=settings.horizon_s)
    before, after = (player.score(weights).usd for weights in (poor, agent.flat))
    assert after < 0.7 * before
    loaded = load_agent(tmp_path / "out" / BEST)
    assert isinstance(loaded, SharedPolicy)
    np.testing.assert_array_equal(loaded.flat, agent.flat)


def test_a_start_that_holds_every_level_is_kept_before_a_cheaper_mean_that_does_not() -> None:
    rows = [{"cost": cost, "validation": {"feasible": held, "episodes": 20}} for cost, held in ((9.0, 20), (8.0, 19), (8.5, 20))]
    assert sorted(rows, key=rank_of) == [rows[2], rows[0], rows[1]]


def test_seeds_are_played_on_the_test_split_by_their_best(tmp_path, monkeypatch) -> None:
    pytest.importorskip("cma")
    monkeypatch.setattr(table, "Player", partial(Player, horizon_s=TINY.horizon_s))
    evolve_seeds("mini", replace(TINY, generations=2), [2, 10], tmp_path / "runs")
    table.main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")])
    texts = [(tmp_path / "out" / name).read_text(encoding="utf-8") for name in (table.SEEDS, table.EPISODES)]
    seeds, episodes = (list(csv.DictReader(text.splitlines())) for text in texts)
    assert [row["seed"] for row in seeds] == ["2", "10"]
    agent = load_agent(tmp_path / "runs" / "seed-10" / BEST)
    played = Player(facts_of("mini"), horizon_s=TINY.horizon_s).score(agent.flat, "test")
    assert float(seeds[1]["test_usd"]) == played.usd
    assert [float(row["usd"]) for row in episodes if row["seed"] == "seed-10"] == [score.usd for score in played.episodes]
    with pytest.raises(InputError, match="holds no seeds of one evolution"):
        table.write(tmp_path, tmp_path / "out")


def test_settings_are_read_and_refused(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("population: 8\nmargins: [0.01, 0.0, 0.0]\n")
    settings = settings_for("cma-es", "mini", file)
    assert (settings.population, settings.margins, settings.algorithm) == (8, (0.01, 0.0, 0.0), "cma-es")
    file.write_text("popsize: 8\n")
    with pytest.raises(InputError, match="'popsize' is not known"):
        settings_for("cma-es", "mini", file)
    with pytest.raises(InputError, match="population"):
        Settings(population=1)
