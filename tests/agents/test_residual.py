"""Corrections of a reference policy: none is the reference itself, and what is learned is exported, loaded and played."""

import json

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

from agents.inference.mlp import Mlp
from agents.inference.residual import Reference, Residual
from agents.inference.saved import load_agent, save_agent
from agents.residual import Followed, ResidualEnv, begin
from agents.training.settings import settings_for
from agents.training.train import Plan, train
from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import evaluate
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.scenarios import load_problem

HOURS = {"problem": "mini", "horizon_s": 7200.0}
LT_UA = "lt-ua:tuned=mini"


@pytest.mark.parametrize("reference", ["forecast-program:tuned=mini", LT_UA])
def test_no_correction_is_the_reference_bit_for_bit(reference):
    env, alone = ResidualEnv(FleetEnv(**HOURS), reference), FleetEnv(**HOURS)
    name, tuned = reference.split(":tuned=")
    policy = load_policy(name, tuned=tuned)
    for seed in (3, 4):
        env.reset(seed=seed)
        alone.reset(seed=seed)
        begin(policy, alone)
        is_over = False
        while not is_over:
            seen, reward, _, is_over, info = env.step(np.full(3, 2))
            _, expected, _, was_over, told = alone.follow(policy.decide(alone.telemetry()))
            assert (reward, is_over) == (expected, was_over)
            assert [info[name] for name in TERMS] == [told[name] for name in TERMS]
            assert env.observation_space.contains(seen)
            assert "action_mask" not in info


def test_a_correction_moves_floor_and_cap_and_nothing_else():
    env = FleetEnv(**HOURS)
    env.reset(seed=0)
    reference = Reference(LT_UA)
    begin(reference, env)
    reference.look(env.telemetry())
    wanted, moved = reference.knobs, reference.corrected(np.array([2, 0, -99]))
    assert (moved.floor - wanted.floor).ravel()[:2].tolist() == [2, 0]
    assert (moved.cap - wanted.cap).ravel()[:2].tolist() == [2, 0]
    assert moved.floor[2, 0] == moved.cap[2, 0] == 0
    assert all(getattr(moved, name) is getattr(wanted, name) for name in vars(wanted) if name not in ("floor", "cap"))


def test_more_instances_are_more_dollars_for_vms():
    spent = []
    for choice in (2, 4):
        env = ResidualEnv(FleetEnv(**HOURS), LT_UA)
        env.reset(seed=0)
        spent.append(sum(env.step(np.full(3, choice))[4]["vm_usd"] for _ in range(12)))
    assert spent[1] > spent[0] + 50


def test_it_trains_and_its_saved_form_plays(tmp_path):
    config = tmp_path / "residual.yaml"
    config.write_text(
        f"residual: {LT_UA}\n"
        "environment: {action_mode: delta, max_delta: 1, forecaster: null, horizon_s: 1800.0}\n"
        "n_envs: 2\nlayers: [8]\nevaluate_episodes: 2\nalgorithm: {n_steps: 6, batch_size: 12}\n"
    )
    settings = settings_for("ppo", "mini", config)
    curve = train(Plan("ppo", "mini", 0, 24, settings), tmp_path / "run")
    agent = load_agent(tmp_path / "run" / "last")
    assert isinstance(agent, Residual)
    validation = Followed("mini", 2, horizon_s=1800.0)
    assert validation.play(agent).usd == pytest.approx(curve[-1]["usd"], abs=1e-9)
    assert json.loads((tmp_path / "run" / "last" / "card.json").read_text())["settings"]["reference"] == LT_UA
    resumed = train(Plan("ppo", "mini", 0, 48, settings), tmp_path / "run", resume=True)
    assert resumed[-1]["steps"] == 48


def test_a_network_that_says_nothing_is_the_reference_where_it_is_scored(tmp_path):
    n = ResidualEnv(FleetEnv(**HOURS), LT_UA).observation_space.shape[0]
    layers = [(np.zeros((9, n)), np.tile([0.0, 5.0, 0.0], 3))]
    network = Mlp(layers, np.zeros(n), np.ones(n), {}, "categorical", [3, 3, 3])
    save_agent(tmp_path / "agent", Residual(network, LT_UA), "mini")
    validation = Followed("mini", 2, horizon_s=7200.0)
    expected = validation.play(load_policy("lt-ua", tuned="mini"))
    assert validation.play(load_agent(tmp_path / "agent")).told() == expected.told()


@pytest.mark.parametrize(
    ("reference", "config", "message"),
    [
        ("lt-ua", {"action_mode": "target"}, "needs action_mode = 'delta'"),
        ("nobody", {}, "policy = 'nobody' is not known"),
        ("oracle", {}, "is a bound"),
    ],
)
def test_what_cannot_be_corrected_is_named(reference, config, message):
    with pytest.raises(InputError, match=message):
        ResidualEnv(FleetEnv(**HOURS, **config), reference)


def test_only_ppo_learns_corrections(tmp_path):
    config = tmp_path / "residual.yaml"
    config.write_text("residual: lt-ua\n")
    with pytest.raises(InputError, match="is learned by ppo, not by maskable-ppo"):
        settings_for("maskable-ppo", "mini", config)
    with pytest.raises(InputError, match="needs environment"):
        settings_for("ppo", "mini", config)


def test_a_card_without_a_reference_is_refused():
    network = Mlp([(np.zeros((4, 2)), np.zeros(4))], np.zeros(2), np.ones(2), {}, "categorical", [4])
    with pytest.raises(InputError, match="reference = None"):
        Residual.from_parts(network.settings(), network.arrays())
    with pytest.raises(InputError, match="are no corrections"):
        Residual.from_parts({**network.settings(), "reference": "lt-ua"}, network.arrays())


def test_it_is_evaluated_behind_the_wall_as_its_reference_is(tmp_path):
    n = ResidualEnv(FleetEnv(**HOURS), LT_UA).observation_space.shape[0]
    network = Mlp([(np.zeros((9, n)), np.tile([0.0, 5.0, 0.0], 3))], np.zeros(n), np.ones(n), {}, "categorical", [3, 3, 3])
    save_agent(tmp_path / "agent", Residual(network, LT_UA), "mini")
    problem = load_problem("mini").with_overrides(horizon_s=1800.0)
    rows = []
    for text in (str(tmp_path / "agent"), LT_UA):
        entrant = Entrant.parse(text, lambda words: policy_options(words, None))
        rows.append(evaluate(entrant, problem, episodes=1).rows[0])
    assert rows[0].failure is None
    assert (rows[0].actions, rows[0].outcomes) == (rows[1].actions, rows[1].outcomes)
