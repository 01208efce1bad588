"""d3rlpy: discrete and continuous Q-learning online, then offline from what was collected, and from a dataset of this package."""

import subprocess
import sys
from pathlib import Path

import d3rlpy
import gymnasium as gym
import minari
import numpy as np
import pytest

import sageserve_env  # noqa: F401  registers the ids

ALGORITHMS = {"discrete": d3rlpy.algos.DQNConfig, "target": d3rlpy.algos.SACConfig}
QUIET = {"show_progress": False, "logger_adapter": d3rlpy.logging.NoopAdapterFactory()}


@pytest.mark.parametrize("mode", ALGORITHMS)
def test_a_few_steps_online_then_offline(mode):
    env = gym.make("SageServe/Mini-v0", action_mode=mode, horizon_s=3600.0)
    buffer = d3rlpy.dataset.create_fifo_replay_buffer(limit=1000, env=env)
    online = ALGORITHMS[mode](batch_size=16).create(device=False)
    online.fit_online(env, buffer, n_steps=48, n_steps_per_epoch=48, update_start_step=16, **QUIET)
    assert buffer.transition_count == 4 * 11  # a truncated episode of 12 steps has 11 whose next observation it keeps
    offline = ALGORITHMS[mode](batch_size=16).create(device=False)
    offline.fit(buffer, n_steps=8, n_steps_per_epoch=8, **QUIET)
    observation, _ = env.reset(seed=0)
    action = offline.predict(observation[None])[0]
    assert env.action_space.contains(action)


def test_a_dataset_of_sageserve_trains_it_offline(tmp_path, monkeypatch):
    """What ``sageserve dataset`` writes, by way of Minari."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    mix = ["--mix", "random=0.5,expert=0.5", "--episodes", "2", "--out", str(tmp_path), "--quiet"]
    command = [Path(sys.executable).with_name("sageserve"), "dataset", "--policy", "reactive", "--env", "SageServe/Mini-v0", *mix]
    subprocess.run(command, check=True)
    dataset = minari.load_dataset("sageserve/mini/reactive-v0")
    episodes = list(dataset)
    parts = [(each.observations[:-1], each.actions, each.rewards, each.terminations, each.truncations) for each in episodes]
    observations, actions, rewards, terminals, timeouts = (np.concatenate(each) for each in zip(*parts, strict=True))
    data = d3rlpy.dataset.MDPDataset(observations, actions, rewards, terminals, timeouts)
    assert [len(episode) for episode in data.episodes] == [288, 288]
    algorithm = d3rlpy.algos.CQLConfig(batch_size=16).create(device=False)
    algorithm.fit(data, n_steps=8, n_steps_per_epoch=8, **QUIET)
    env = dataset.recover_environment()
    observation, _ = env.reset(seed=0)
    action = algorithm.predict(observation[None])[0]
    assert env.action_space.contains(action)
