"""Tianshou: DQN on the discrete actions, plain and masked."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TransformObservation
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, SubprocVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

import sageserve_env  # noqa: F401  registers the ids

HOUR = {"horizon_s": 3600.0, "action_mode": "discrete"}


def plain() -> gym.Env:
    return gym.make("sageserve_env:SageServe/Mini-v0", **HOUR)


def masked() -> gym.Env:
    """Under the names that Tianshou's policies look for: ``obs`` and ``mask``."""
    env = gym.make("sageserve_env:SageServe/Mini-v0", mask_in_observation=True, **HOUR)
    space = gym.spaces.Dict({"obs": env.observation_space["observations"], "mask": env.observation_space["action_mask"]})
    return TransformObservation(env, lambda seen: {"obs": seen["observations"], "mask": seen["action_mask"].astype(bool)}, space)


def policy(env: gym.Env) -> DiscreteQLearningPolicy:
    seen = env.observation_space
    shape = (seen["obs"] if isinstance(seen, gym.spaces.Dict) else seen).shape
    net = Net(state_shape=shape, action_shape=env.action_space.n, hidden_sizes=[32])
    return DiscreteQLearningPolicy(model=net, action_space=env.action_space, observation_space=seen, eps_training=0.5)


@pytest.mark.parametrize("vectors", [DummyVectorEnv, SubprocVectorEnv])
def test_dqn_learns_a_few_steps(vectors):
    algorithm = DQN(policy=policy(plain()), optim=AdamOptimizerFactory(lr=1e-3))
    envs = vectors([plain for _ in range(2)])
    collector = Collector(algorithm, envs, VectorReplayBuffer(1000, 2))
    collector.reset()
    result = algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=collector,
            max_epochs=1,
            epoch_num_steps=96,
            collection_step_num_env_steps=24,
            batch_size=16,
            show_progress=False,
            verbose=False,
        )
    )
    assert result.train_step == 96
    assert result.train_episode == 8
    envs.close()


def test_masked_actions_are_never_taken():
    algorithm = DQN(policy=policy(masked()), optim=AdamOptimizerFactory(lr=1e-3))
    buffer = VectorReplayBuffer(1000, 2)
    collector = Collector(algorithm, DummyVectorEnv([masked for _ in range(2)]), buffer, exploration_noise=True)
    collector.reset()
    collector.collect(n_episode=8)
    batch = buffer.sample(0)[0]
    masks = np.asarray(batch.obs.mask, bool)
    assert masks[np.arange(len(masks)), np.asarray(batch.act, int)].all()
    assert not masks.all()
