"""Agents by region with one network: their batch is the environments', and what is saved acts as they do."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pettingzoo")

import torch

from agents.multi_agent import SINGLE, Regions, compare
from agents.single_file_ppo import Args, Eyes, Network, exported
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError

HOUR = {"horizon_s": 3600.0, "threads": 1, "width": 8, "choose": "likeliest"}


@pytest.mark.parametrize("problem", ["mini", "day"])
def test_the_saved_agent_acts_as_the_regions_do(problem):
    args = Args(env=problem, num_envs=1, **HOUR)
    torch.manual_seed(0)
    batch, env = Regions(args, "shared"), FleetEnv(split="train", **{k: v for k, v in args.config.items() if k != "num_threads"})
    network, eyes = Network(args, batch.places), Eyes(batch.places, "cpu")
    with torch.no_grad():
        network.action.weight.normal_()
    now, (whole, info) = batch.reset(3), env.reset(seed=3)
    for _ in range(3):
        law = network.law(eyes(now), torch.as_tensor(batch.masks()))
        actions = law.base_dist.logits.argmax(-1).numpy()
        agent = exported(args, network, eyes, batch)
        np.testing.assert_array_equal(agent.act(whole, info["action_mask"]), actions.ravel())
        step = batch.step(actions)
        whole, reward, _, _, info = env.step(actions.ravel())
        np.testing.assert_array_equal(step.rewards, np.full(3, reward))
        now = step.observations


def test_an_episode_that_ends_is_followed_by_the_next():
    args = Args(num_envs=2, **HOUR | {"horizon_s": 600.0})
    batch = Regions(args, "individual")
    first = batch.reset(0)
    for k in range(2):
        step = batch.step(np.ones((6, 1), int))
        assert step.is_over.tolist() == [k == 1] * 6
    assert first.shape == step.observations.shape == step.final.shape
    assert not np.array_equal(step.final, step.observations)
    assert batch.masks().shape == (6, 3)
    assert (step.rewards < 0).all()


def test_each_way_is_trained_and_scored(tmp_path):
    logs = compare(
        Args(num_envs=2, rollout=6, steps=24, out=str(tmp_path), evaluate_every=1000, epochs=1, **HOUR | {"horizon_s": 1800.0})
    )
    assert list(logs) == [SINGLE, "by region, shared rewards", "by region, individual rewards"]
    for rows in logs.values():
        assert rows[-1]["steps"] == 24
        assert rows[-1]["validation"]["usd"] > 0


def test_prices_of_breaches_are_the_single_agents():
    with pytest.raises(InputError, match="lagrangian = True"):
        Regions(Args(lagrangian=True, **HOUR), "shared")
