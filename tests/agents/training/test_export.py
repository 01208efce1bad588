"""An exported agent decides as its source does."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

import torch

from agents.inference.saved import load_agent, save_agent
from agents.training.algorithms import ALGORITHMS
from agents.training.export import exported
from agents.training.models import new_model
from agents.training.vector import training_envs
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from tests.agents.helpers import tiny_plan

FRAMES = {"ppo": 1, "maskable-ppo": 3, "sac": 1, "tqc": 3, "dqn": 3}


def trained(tmp_path, algo, **changed):
    """A model that has learned a little, its settings, and what was seen."""
    plan = tiny_plan(tmp_path, algo, 0, **changed)
    envs, seen = training_envs("mini", plan.settings, 0, 1)
    model = new_model(ALGORITHMS[algo], plan.settings, envs, 0, "cpu")
    model.learn(112)
    envs.close()
    return model, plan.settings, seen


def outputs_of(model, frames):
    """What the source's network puts out."""
    policy, x = model.policy, torch.as_tensor(frames[None])
    policy.set_training_mode(False)
    with torch.no_grad():
        if hasattr(policy, "q_net"):
            return policy.q_net(x).numpy()[0]
        if getattr(policy, "actor", None) is not None:
            mean, log_std, _ = policy.actor.get_action_dist_params(x)
            return np.concatenate([mean.numpy()[0], log_std.numpy()[0]])
        return policy.action_net(policy.mlp_extractor.forward_actor(policy.extract_features(x))).numpy()[0]


@pytest.mark.parametrize(("algo", "frames"), FRAMES.items())
def test_outputs_and_actions_are_those_of_the_source(tmp_path, algo, frames):
    model, settings, seen = trained(tmp_path, algo, frame_stack=frames, layers=[32, 16])
    save_agent(tmp_path / "agent", exported(model, settings, seen), "mini")
    agent = load_agent(tmp_path / "agent")
    env = FleetEnv(problem="mini", horizon_s=3600.0, **agent.VIEW)
    observation, info = env.reset(seed=1)
    agent.reset(0)
    stacked, is_over = np.zeros(frames * len(observation), np.float32), False
    while not is_over:
        stacked = np.concatenate([stacked[len(observation) :], seen.normalised(observation)])
        masks = {"action_masks": info["action_mask"].ravel()} if algo == "maskable-ppo" else {}
        expected, _ = model.predict(stacked, deterministic=True, **masks)
        action = agent.act(observation, info["action_mask"] if algo == "maskable-ppo" else None)
        np.testing.assert_allclose(agent._seen, stacked, atol=1e-6)
        np.testing.assert_allclose(agent.outputs(stacked), outputs_of(model, stacked), atol=1e-6, rtol=1e-6)
        np.testing.assert_allclose(action, expected, atol=1e-6)
        observation, _, _, is_over, info = env.step(action)


def test_drawn_actions_follow_the_law_of_the_source(tmp_path):
    model, settings, seen = trained(tmp_path, "ppo", choose="sampled")
    agent = exported(model, settings, seen)
    observation = FleetEnv(problem="mini").reset(seed=0)[0]
    agent.reset(0)
    mean = agent.outputs(agent.normalised(observation))
    drawn = np.array([agent.act(observation, None) for _ in range(500)])
    inside = np.abs(drawn) < 1
    assert np.abs(np.where(inside, (drawn - mean) / np.exp(agent.log_std), 0)).max() < 5
    agent.reset(0)
    np.testing.assert_array_equal(agent.act(observation, None), drawn[0])
    masked, settings, seen = trained(tmp_path, "maskable-ppo", choose="sampled")
    agent = exported(masked, settings, seen)
    agent.reset(1)
    mask = np.ones((3, 5), np.int8)
    mask[:, :2] = 0
    choices = np.array([agent.act(observation, mask) for _ in range(600)])
    logits = agent.outputs(agent.normalised(observation)).reshape(3, 5)[:, 2:].astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    seen_shares = np.stack([(choices == choice).mean(axis=0) for choice in (2, 3, 4)], axis=1)
    np.testing.assert_allclose(seen_shares, shares, atol=0.08)


def test_a_policy_with_a_memory_has_no_form_in_numpy(tmp_path):
    model, settings, seen = trained(tmp_path, "recurrent-ppo")
    with pytest.raises(InputError, match="no form in NumPy"):
        exported(model, settings, seen)
