"""TorchRL: environments by id and wrapped, infos as entries, masks that its transform takes, vectors, many agents."""

import gymnasium as gym
import pytest
import torch
from torchrl.envs import GymEnv, GymWrapper, PettingZooWrapper, TransformedEnv, check_env_specs
from torchrl.envs.transforms import ActionMask

import sageserve_env  # noqa: F401  registers the ids
from sageserve_env.adapters.multi_agent import parallel_env
from sageserve_env.env.rewards import TERMS

ID = "SageServe/Mini-v0"
HOUR = {"horizon_s": 3600.0}
STEPS = 12
MODES = ("delta", "discrete", "target", "knobs", "multi_timescale")


@pytest.mark.parametrize("name", [ID, f"sageserve_env:{ID}"])
def test_environments_by_id(name):
    env = GymEnv(name, **HOUR)
    check_env_specs(env)
    assert len(env.rollout(100)) == STEPS


@pytest.mark.parametrize("mode", MODES)
def test_wrapped_environments_in_every_mode(mode):
    env = GymWrapper(gym.make(ID, action_mode=mode, **HOUR))
    check_env_specs(env)
    rollout = env.rollout(100)
    assert len(rollout) == STEPS
    assert rollout["next", "truncated"].squeeze(-1).tolist() == [False] * (STEPS - 1) + [True]


def test_every_info_is_an_entry():
    env = GymWrapper(gym.make(ID, **HOUR)).auto_register_info_dict()
    check_env_specs(env)
    rollout = env.rollout(100)
    for name in (*TERMS, "cost", "action_mask"):
        assert rollout["next", name].shape[0] == STEPS
    assert rollout["next", "vm_usd"].min() > 0


@pytest.mark.parametrize("mode", ["delta", "discrete"])
def test_the_mask_transform_lets_only_possible_actions_through(mode):
    base = GymWrapper(gym.make(ID, action_mode=mode, **HOUR), categorical_action_encoding=True).auto_register_info_dict()
    env = TransformedEnv(base, ActionMask())
    env.set_seed(0)
    forbidden = 0
    for _ in range(3):
        rollout = env.rollout(100)
        masks, actions = rollout["action_mask"].bool(), rollout["action"]
        assert masks.gather(-1, actions.unsqueeze(-1)).all()
        forbidden += int((~masks).sum())
    assert forbidden > 0


def test_the_native_vector():
    envs = GymWrapper(gym.make_vec(ID, num_envs=3, vectorization_mode="vector_entry_point", autoreset_mode="SameStep", **HOUR))
    rollout = envs.rollout(2 * STEPS, break_when_any_done=False)
    assert rollout.shape == (3, 2 * STEPS)
    assert rollout["next", "truncated"][:, [STEPS - 1, 2 * STEPS - 1]].all()
    assert int(rollout["next", "truncated"].sum()) == 6


@pytest.mark.filterwarnings("ignore:PettingZoo in TorchRL is tested using:UserWarning")
@pytest.mark.parametrize("mode", ["delta", "target"])
def test_many_agents(mode):
    env = PettingZooWrapper(parallel_env(problem=ID, agents="region", action_mode=mode, **HOUR))
    check_env_specs(env)
    rollout = env.rollout(100)
    assert len(rollout) == STEPS
    rewards = rollout["next", "agent" if "agent" in env.group_map else next(iter(env.group_map)), "reward"]
    assert torch.isfinite(rewards).all()
