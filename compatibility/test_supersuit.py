"""SuperSuit: the agents of the fleet as the rows of one vector, for Stable-Baselines3's PPO with shared parameters."""

import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor
from supersuit import concat_vec_envs_v1, frame_stack_v1, normalize_obs_v0, pettingzoo_env_to_vec_env_v1

from sageserve_env.adapters.multi_agent import parallel_env

HOUR = {"horizon_s": 3600.0}


@pytest.mark.parametrize("mode", ["delta", "target"])
@pytest.mark.parametrize("processes", [0, 2])
def test_ppo_shares_its_parameters_among_agents(mode, processes):
    env = pettingzoo_env_to_vec_env_v1(parallel_env(problem="SageServe/Mini-v0", action_mode=mode, **HOUR))
    envs = VecMonitor(concat_vec_envs_v1(env, 2, num_cpus=processes, base_class="stable_baselines3"))
    model = PPO("MlpPolicy", envs, n_steps=16, batch_size=32, n_epochs=1, device="cpu")
    model.learn(6 * 16)
    assert envs.num_envs == 6
    assert len(model.ep_info_buffer) == 6
    envs.close()


@pytest.mark.parametrize("wrap", [lambda env: frame_stack_v1(env, 4), normalize_obs_v0], ids=["stack", "normalize"])
def test_wrappers_keep_the_rules(wrap):
    env = wrap(parallel_env(problem="mini", **HOUR))
    observations, _ = env.reset(seed=0)
    while env.agents:
        assert all(env.observation_space(agent).contains(seen) for agent, seen in observations.items())
        observations = env.step({agent: env.action_space(agent).sample() for agent in env.agents})[0]
