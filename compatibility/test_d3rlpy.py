"""d3rlpy: discrete and continuous Q-learning online, then offline from what was collected."""

import d3rlpy
import gymnasium as gym
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
