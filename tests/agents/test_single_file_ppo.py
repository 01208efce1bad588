"""PPO in one file: it learns what is known to be best, its NumPy form is its own, and prices of breaches follow the levels."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from agents.inference.equivariant import Equivariant
from agents.inference.saved import load_agent, save_agent
from agents.single_file_ppo import Args, Eyes, Fleets, Network, Rewards, Step, advantages, exported, parsed, train
from sageserve_env.env import VectorFleetEnv
from sageserve_env.errors import InputError
from tests.agents.helpers import BEST_USD, RANDOM_USD, TRACE

SMALL = {
    "num_envs": 8,
    "rollout": 12,
    "horizon_s": 3600.0,
    "width": 16,
    "minibatches": 1,
    "learning_rate": 3e-3,
    "gamma": 0.9,
    "initial_choice": 0.0,
    "initial_std": 1.0,
    "initial_action": 0.0,
    "max_delta": 2,
    "choose": "likeliest",
    "threads": 1,
}


@pytest.mark.parametrize("mode", ["delta", "target"])
def test_it_learns_what_is_best(tmp_path, mode):
    (tmp_path / "trace.csv").write_text(TRACE)
    args = Args(steps=1200, action_mode=mode, workload=str(tmp_path / "trace.csv"), out=str(tmp_path / "run"), **SMALL)
    rows = train(args)
    best, random = BEST_USD[mode], RANDOM_USD[mode]
    assert best - 0.01 <= rows[-1]["validation"]["usd"] < best + 0.05 * (random - best)
    assert [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()] == rows
    card = json.loads((tmp_path / "run" / "best" / "card.json").read_text())
    assert card["training"]["settings"]["width"] == 16


@pytest.mark.parametrize(("problem", "mode"), [("mini", "delta"), ("day", "delta"), ("day", "target")])
def test_the_form_in_numpy_is_the_networks(tmp_path, problem, mode):
    args = Args(
        env=problem, action_mode=mode, num_envs=2, horizon_s=900.0, width=8, threads=1, choose="likeliest", forecaster="recurring"
    )
    torch.manual_seed(0)
    batch = Fleets(args)
    network, eyes = Network(args, batch.places), Eyes(batch.places, "cpu")
    with torch.no_grad():
        network.action.weight.normal_()
        network.actor.of_models.normal_()
    now = batch.reset(0)
    for _ in range(3):
        seen = eyes(now)
        save_agent(tmp_path / "agent", exported(args, network, eyes, batch), problem)
        agent, masks = load_agent(tmp_path / "agent"), batch.masks()
        with torch.no_grad():
            outputs = network.action(network.actor(seen)).numpy()
            law = network.law(seen, None if masks is None else torch.as_tensor(masks))
        likeliest = law.base_dist.logits.argmax(-1) if mode == "delta" else law.mean.clamp(-1, 1)
        for row in range(2):
            np.testing.assert_allclose(agent.outputs(now[row]), outputs[row], atol=2e-6)
            action = agent.act(now[row], None if masks is None else masks[row])
            np.testing.assert_allclose(action, likeliest[row].numpy(), atol=2e-6)
        now = batch.step(likeliest.numpy()).observations


def test_endpoints_in_another_order_act_in_that_order():
    args = Args(env="day", num_envs=1, horizon_s=600.0, width=8, threads=1)
    torch.manual_seed(0)
    batch = Fleets(args)
    network, eyes = Network(args, batch.places), Eyes(batch.places, "cpu")
    now = batch.reset(0)
    eyes(now)
    agent = exported(args, network, eyes, batch)
    order = np.random.default_rng(0).permutation(len(agent.entries))
    moved = {"entries": agent.entries[order], "regions": agent.regions[order], "models": agent.models[order]}
    other = Equivariant.from_parts(agent.settings(), agent.arrays() | moved)
    np.testing.assert_allclose(other.outputs(now[0]), agent.outputs(now[0])[order], atol=1e-6)


def test_advantages_of_a_short_life():
    """Worked by hand: two steps, an end after the first."""
    args = Args(gamma=0.5, gae_lambda=0.5)
    values = torch.tensor([[1.0], [2.0], [4.0]])
    found = advantages(args, torch.tensor([[3.0], [1.0]]), values, torch.tensor([[1.0], [0.0]]))
    assert found.tolist() == [[3.0 - 1.0], [1.0 + 0.5 * 4.0 - 2.0]]
    found = advantages(args, torch.tensor([[3.0], [1.0]]), values, torch.zeros(2, 1))
    assert found.tolist() == [[3.0 + 0.5 * 2.0 - 1.0 + 0.25 * 1.0], [1.0]]


def lived(late, due):
    """A step of one agent with so many breaches and requests of each tier."""
    names = ("iw_f", "iw_n", "niw")
    terms = {f"breaches_{name}": np.array([float(late)]) for name in names}
    terms |= {f"attainable_{name}": np.array([float(due)]) for name in names}
    return Step(np.zeros((1, 1)), np.zeros(1), np.zeros(1, bool), np.zeros((1, 1)), terms)


def test_prices_rise_where_a_level_is_missed_and_fall_where_it_is_held():
    rewards = Rewards(Args(lagrangian=True, margin=1.0), 1)
    before = rewards.prices_usd.copy()
    rewards(lived(late=3, due=100))  # 97 % in time: IW-F and IW-N want 95, NIW 99
    rewards.adapt()
    assert (rewards.prices_usd[:2] < before[:2]).all()
    assert rewards.prices_usd[2] > before[2]
    assert rewards(lived(late=9, due=100))[0] < 0


def test_the_lagrangian_runs_and_logs_its_prices(tmp_path):
    small = SMALL | {"num_envs": 2, "horizon_s": 1800.0}
    rows = train(Args(steps=48, lagrangian=True, out=str(tmp_path / "run"), evaluate_every=1000, **small))
    assert len(rows[-1]["prices_usd"]) == 3
    assert rows[0]["usd_a_step"] > 0


def test_what_ends_is_told_with_its_own_terms():
    """The step that ends an episode has that episode's terms and last observation, not those of the next."""
    args = Args(num_envs=2, horizon_s=600.0, threads=1)
    batch, plain = Fleets(args), VectorFleetEnv(2, split="train", autoreset_mode="Disabled", **args.config)
    batch.reset(0)
    plain.reset(seed=0)
    for k in range(2):
        step = batch.step(np.full((2, 3), 1))
        observations, rewards, _, truncated, infos = plain.step(np.full((2, 3), 1))
        assert (step.is_over == truncated).all()
        np.testing.assert_array_equal(step.terms["vm_usd"], infos["vm_usd"])
        np.testing.assert_array_equal(step.rewards, rewards)
        assert k == 0 or (step.final == observations).all()


def test_arguments_are_options():
    assert parsed(["--num-envs", "3", "--lagrangian", "--no-knows-models"]) == Args(num_envs=3, lagrangian=True, knows_models=False)


def test_a_torn_table_is_refused():
    args = Args(num_envs=1, horizon_s=600.0, width=8, threads=1)
    batch = Fleets(args)
    eyes = Eyes(batch.places, "cpu")
    eyes(batch.reset(0))
    agent = exported(args, Network(args, batch.places), eyes, batch)
    for name, table in (("entries", agent.entries - 1), ("regions", agent.regions[:2]), ("models", agent.models.astype(float))):
        with pytest.raises(InputError, match="weights"):
            Equivariant.from_parts(agent.settings(), agent.arrays() | {name: table})
    for setting in ({"width": 9}, {"head": "values"}, {"clip": "a"}, {"sizes": [2]}):
        with pytest.raises(InputError):
            Equivariant.from_parts(agent.settings() | setting, agent.arrays())
    with pytest.raises(InputError, match="take its own id"):
        agent.act(np.zeros(3), None)
