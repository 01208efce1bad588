"""RLlib: the documentation's blocks as they stand, with remote runners that have not imported this package."""

import os
import runpy
import signal
from pathlib import Path

import gymnasium as gym
import pytest
import ray
import torch

from compatibility.documented import run_blocks


@pytest.fixture(autouse=True)
def cluster():
    """Ray as a program finds it, but with a processor for each runner that the blocks ask for."""
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_single_environments_on_two_remote_runners():
    names = run_blocks("learning.md", "rllib")
    assert names["config"].num_env_runners == 2
    assert names["result"]["env_runners"]["num_env_steps_sampled"] >= 64


def test_the_native_vector():
    names = run_blocks("learning.md", "rllib", "rllib-vector")
    assert names["config"].num_envs_per_env_runner == 8
    assert names["result"]["env_runners"]["num_env_steps_sampled"] >= 64


def test_masked_actions():
    names = run_blocks("learning.md", "rllib", "rllib-masks")
    assert names["result"]["env_runners"]["num_env_steps_sampled"] >= 64
    env = gym.make("sageserve_env:SageServe/Mini-v0", mask_in_observation=True)
    seen = env.reset(seed=0, options={"initial_instances": 1})[0]  # of which two cannot go
    batch = {"obs": {name: torch.as_tensor(values)[None] for name, values in seen.items()}}
    logits = names["algo"].get_module().forward_inference(batch)["action_dist_inputs"][0]
    is_forbidden = torch.as_tensor(seen["action_mask"]) == 0
    assert is_forbidden.any()
    assert (logits[is_forbidden] < -1e30).all()
    assert (logits[~is_forbidden] > -1e30).all()


def test_training_goes_on_where_a_runner_is_killed():
    """The shipped settings, on short episodes and small batches: one of two runners is killed between the updates."""
    example = runpy.run_path(str(Path(__file__).resolve().parents[1] / "examples" / "rllib_ppo.py"))
    config = example["ppo_config"]("SageServe/Mini-v0", 2, horizon_s=3600.0)
    config.env_runners(num_envs_per_env_runner=2).training(train_batch_size_per_learner=48, minibatch_size=24, num_epochs=1)
    algo = config.build_algo()

    def pids() -> list[int]:
        return algo.env_runner_group.foreach_env_runner(lambda runner: os.getpid(), local_env_runner=False)

    before = [algo.train()["env_runners"]["num_env_steps_sampled_lifetime"] for _ in range(2)]
    first = pids()
    assert len(set(first)) == 2
    os.kill(first[0], signal.SIGKILL)
    after = []
    while len(after) < 2 or (len(set(pids())) < 2 and len(after) < 100):
        after.append(algo.train()["env_runners"]["num_env_steps_sampled_lifetime"])
    assert before[-1] < after[0] < after[-1]
    assert len(set(pids())) == 2
    assert first[0] not in pids()
    algo.stop()


def test_many_agents():
    names = run_blocks("multi-agent.md", "rllib")
    assert set(names["result"]["env_runners"]["agent_episode_returns_mean"]) <= {"westus", "centralus", "eastus"}
