"""Evolution: its searches find an optimum, it goes on where it was stopped, and it improves on where it began."""

import json
from dataclasses import replace

import numpy as np
import pytest

from agents.common.log import LOG
from agents.evolution import Settings, evolve, settings_for
from agents.evolution.evolve import BEST, facts_of
from agents.evolution.play import Outcomes, Player
from agents.evolution.search import search_for
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
