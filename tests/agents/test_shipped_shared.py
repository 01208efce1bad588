"""The shared policies that are shipped: they load, and one plays again what its card says."""

import json

import numpy as np
import pytest

from agents.inference.saved import SHIPPED, load_agent
from agents.inference.shared import SharedPolicy
from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, episode_score
from sageserve_env.evaluation.saved import CARD

NAMES = sorted(card.parent.name for card in SHIPPED.glob(f"*-shared/{CARD}"))


def test_one_is_shipped_for_each_of_seven_problems() -> None:
    assert NAMES == [
        "burst-shared",
        "day-shared",
        "globe-shared",
        "mini-shared",
        "paper-shared",
        "scale2025-shared",
        "storm-shared",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_it_acts_within_its_space(name: str) -> None:
    agent = load_agent(name)
    assert isinstance(agent, SharedPolicy)
    env = FleetEnv(problem=agent.facts.name, horizon_s=600.0, **agent.VIEW)
    action = agent.act(env.reset(seed=0)[0])
    assert action.dtype == np.float32
    assert env.action_space.contains(action)


@pytest.mark.parametrize("name", NAMES)
def test_its_card_tells_of_levels_held(name: str) -> None:
    card = json.loads((SHIPPED / name / CARD).read_text(encoding="utf-8"))
    assert (card["scores"]["held"], len(card["scores"]["played"])) == (20, 20)
    assert card["scores"]["digest"] == Entrant.parse(f"agents/{name}", lambda words: {}).digest


def test_mini_plays_what_its_card_says() -> None:
    agent = load_agent("mini-shared")
    told = json.loads((SHIPPED / "mini-shared" / CARD).read_text(encoding="utf-8"))["scores"]["played"][0]
    env = FleetEnv(problem="mini", split="test", **agent.VIEW)
    observation, _ = env.reset(seed=EPISODE_SEED, options={"day": told["day"], "variant": told["variant"]})
    agent.reset(0)
    is_over = False
    while not is_over:
        observation, _, _, is_over, _ = env.step(agent.act(observation, None))
    score = episode_score(env)
    assert score.usd == pytest.approx(told["usd"], rel=1e-9)
    assert dict(score.attainment) == pytest.approx(told["attainment"], rel=1e-9)
