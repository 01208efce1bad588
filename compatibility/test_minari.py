"""Minari: an episode recorded with its infos, and read again."""

import gymnasium as gym
import minari
import numpy as np
import pytest
from minari import DataCollector

import sageserve_env  # noqa: F401  registers the ids
from sageserve_env.env.rewards import TERMS


@pytest.mark.parametrize("mode", ["delta", "discrete", "target"])
def test_episodes_are_recorded_with_their_infos(mode, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = DataCollector(gym.make("SageServe/Mini-v0", action_mode=mode, horizon_s=3600.0), record_infos=True)
    env.action_space.seed(0)
    rewards = []
    for seed in range(2):
        env.reset(seed=seed)
        done = False
        while not done:
            _, reward, _, done, _ = env.step(env.action_space.sample())
            rewards.append(reward)
    written = env.create_dataset("sageserve/mini/random-v0", algorithm_name="random", author="tests", eval_env="SageServe/Mini-v0")
    env.close()
    dataset = minari.load_dataset("sageserve/mini/random-v0")
    assert (written.total_episodes, dataset.total_steps) == (2, 24)
    episodes = list(dataset)
    np.testing.assert_allclose(np.concatenate([episode.rewards for episode in episodes]), rewards)
    for episode in episodes:
        assert len(episode.observations) == 13
        assert all(len(episode.infos[name]) == 13 for name in (*TERMS, "cost"))
    again = dataset.recover_environment()
    np.testing.assert_array_equal(again.reset(seed=0)[0], episodes[0].observations[0])
