"""MORL-Baselines: one of its algorithms for discrete, and one for continuous actions."""

import mo_gymnasium
import numpy as np
from morl_baselines.multi_policy.capql.capql import CAPQL
from morl_baselines.multi_policy.envelope.envelope import Envelope

ID = "sageserve_env:SageServe/Mini-MO-v0"
SMALL = {"net_arch": [32], "batch_size": 16, "buffer_size": 1000, "learning_starts": 16, "log": False, "seed": 0, "device": "cpu"}


def make(mode: str):
    return mo_gymnasium.make(ID, action_mode=mode, horizon_s=3600.0)


def test_envelope_q_learning():
    agent = Envelope(make("discrete"), **SMALL)
    agent.train(total_timesteps=48)
    observation = make("discrete").reset(seed=0)[0]
    assert agent.env.action_space.contains(agent.eval(observation, np.array([0.4, 0.4, 0.2], np.float32)))
    assert agent.reward_dim == 3


def test_capql():
    agent = CAPQL(make("target"), **SMALL)
    agent.train(total_timesteps=48, eval_env=make("target"), ref_point=np.full(3, -100.0))
    observation = make("target").reset(seed=0)[0]
    action = agent.eval(observation, np.array([0.4, 0.4, 0.2], np.float32))
    assert agent.env.action_space.contains(np.asarray(action, np.float32))
